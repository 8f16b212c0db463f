/** Paints at most ten times a second, however often it is asked to, and never while the page is hidden. */

export const PAINT_EVERY_MS = 100;

export class Painter {
  private last = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private frame: number | undefined;

  constructor(private readonly paint: () => void) {}

  /** There is something new to show. */
  ask(): void {
    if (this.timer !== undefined || this.frame !== undefined) return;
    const wait = this.last + PAINT_EVERY_MS - performance.now();
    if (wait > 0) this.timer = setTimeout(() => this.request(), wait);
    else this.request();
  }

  close(): void {
    clearTimeout(this.timer);
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
  }

  private request(): void {
    this.timer = undefined;
    this.frame = requestAnimationFrame(() => {
      this.frame = undefined;
      this.last = performance.now();
      this.paint();
    });
  }
}

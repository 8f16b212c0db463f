/** Paints at most ten times a second, less often where that takes long, and never while the page is hidden. */

export const PAINT_EVERY_MS = 100;

export class Painter {
  private next = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private frame: number | undefined;

  /** @param most The part of the time that painting may take. */
  constructor(
    private readonly paint: () => void,
    private readonly most = 1,
  ) {}

  /** There is something new to show. */
  ask(): void {
    if (this.timer !== undefined || this.frame !== undefined) return;
    const wait = this.next - performance.now();
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
      const start = performance.now();
      this.paint();
      this.next = start + Math.max(PAINT_EVERY_MS, (performance.now() - start) / this.most);
    });
  }
}

/** Whether a key is meant for a text that is being written, also where that lies in a shadow tree. */
export function isTyping(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  if (!(target instanceof HTMLElement)) return false;
  return target.matches("input:not([type=radio]), select, textarea") || target.isContentEditable;
}

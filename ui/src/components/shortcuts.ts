/** Whether a key is meant for a text that is being written, also where that lies in a shadow tree. */
export function isTyping(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  const isField = target instanceof HTMLElement && /^(?:INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
  return isField || (target instanceof HTMLElement && target.isContentEditable);
}

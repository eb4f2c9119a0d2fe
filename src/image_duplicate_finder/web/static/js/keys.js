/** Keys by name: Caps Lock changes none; a letter or Space with Shift is a key of its own. */
export function keyName(event) {
  const letter = /^[a-z]$/i.test(event.key);
  const name = letter ? event.key.toLowerCase() : event.key;
  return event.shiftKey && (letter || name === " ") ? `Shift+${name}` : name;
}

export function isUndo(event) {
  return (event.ctrlKey || event.metaKey) && !event.altKey && keyName(event) === "z";
}

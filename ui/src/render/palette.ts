/** The colours of the canvas: read from the custom properties, so that CSS has the only list. */

const NAMES = [
  "map", "district", "district-line", "surface", "text", "muted", "edge", "degraded", "failing",
  "accent", "mark", "mark-line",
] as const;

export type Palette = Record<(typeof NAMES)[number], string>;

/** The colours as they are now on `element`. */
export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const pairs = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
  return Object.fromEntries(pairs) as Palette;
}

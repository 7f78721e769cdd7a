/** Where the user put nodes: kept in this browser, for each grouping. */
import type { Group } from "../protocol/facts";
import type { Layout } from "../layout/layout";

const key = (group: Group): string => `connscope.pins.${group}`;

/** Puts the pins that were kept onto a layout. */
export function loadPins(group: Group, layout: Layout): void {
  for (const [id, at] of Object.entries(read(group))) {
    if (Array.isArray(at) && Number.isFinite(at[0]) && Number.isFinite(at[1])) {
      layout.pin(id, { x: Number(at[0]), y: Number(at[1]) });
    }
  }
}

export function savePins(group: Group, layout: Layout): void {
  const pins = Object.fromEntries([...layout.pins()].map(([id, { x, y }]) => [id, [x, y]]));
  try {
    if (layout.pins().size === 0) localStorage.removeItem(key(group));
    else localStorage.setItem(key(group), JSON.stringify(pins));
  } catch {
    // The browser keeps nothing for us (private window, full disk): pins last until it is closed.
  }
}

function read(group: Group): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key(group)) ?? "{}");
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  } catch {
    return {};
  }
}

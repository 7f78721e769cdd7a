/** Keys of the page. They never fire while something is typed, and take no key of the browser. */
import { go, pause, select } from "./actions";
import { current } from "../map/chart";
import { helpShown, place, selection, undo } from "./state";

export const KEYS: readonly (readonly [key: string, does: string])[] = [
  ["m  t  l  o", "map, table, listeners, hosts"],
  ["/", "query"],
  ["Down", "in the query: what may follow"],
  ["Space", "pause; again: live"],
  ["Arrows", "walk to the nearest node"],
  ["n  N", "next, previous node with a problem"],
  ["Enter", "details"],
  ["Shift Arrows", "move a node, which pins it"],
  ["f", "centre the selected node, or fit all"],
  ["0  +  -", "fit, closer, farther"],
  ["T", "tidy the map"],
  ["u", "take the last change of the map back"],
  ["Esc", "close, clear"],
  ["?", "this help"],
];

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement
    && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Keys of buttons and links stay theirs. */
function pressing(event: KeyboardEvent): boolean {
  return event.key === " " && event.target instanceof HTMLElement
    && /^(BUTTON|A|SUMMARY)$/.test(event.target.tagName)
    && !event.target.closest(".mirror");
}

const ACTIONS: Record<string, () => void> = {
  m: () => go({ screen: "map" }, true),
  t: () => go({ screen: "table" }, true),
  l: () => go({ screen: "listen" }, true),
  o: () => go({ screen: "hosts" }, true),
  "/": () => document.querySelector<HTMLInputElement>("#query")?.focus(),
  " ": pause,
  f: () => current?.focus(),
  "0": () => current?.stage.fit(),
  "+": () => current?.stage.zoom(1.25),
  "=": () => current?.stage.zoom(1.25),
  "-": () => current?.stage.zoom(0.8),
  T: () => current?.tidy(),
  u: () => undo.value?.act(),
  "?": () => { helpShown.value = !helpShown.value; },
  Escape: escape,
  ArrowLeft: toMap,
  ArrowRight: toMap,
  ArrowUp: toMap,
  ArrowDown: toMap,
};

/** From nowhere, arrows lead to the selected mark, or to where the keyboard was. */
function toMap(): void {
  const { activeElement } = document;
  if (activeElement !== document.body && activeElement?.id !== "main") return;
  current?.mirror.focus(selection.value?.kind === "node" ? selection.value.id : undefined);
}

/** Closes one thing: help, else the selection. */
function escape(): void {
  if (helpShown.value) helpShown.value = false;
  else if (place.value.selection) {
    const id = place.value.selection.slice(5);
    const node = place.value.selection.startsWith("node:");
    const inside = document.activeElement?.closest("#details");
    select(null);
    if (inside && current) current.mirror.focus(node ? id : undefined);
  }
}

export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target)) {
      if (event.key === "Escape") (event.target as HTMLElement).blur();
      return;
    }
    const action = ACTIONS[event.key];
    if (!action || pressing(event)) return;
    if (!event.key.startsWith("Arrow")) event.preventDefault();
    action();
  });
}

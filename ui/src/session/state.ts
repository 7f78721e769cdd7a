/** The state of the page: signals that panels read; session/actions.ts changes them. */
import { computed, signal } from "@preact/signals";

import { readPlace } from "../store/address";
import { NOTHING } from "../store/model";
import type { Picture } from "../store/model";

export type Link =
  | { state: "connecting" }
  /** `asking`: by a request every other second, because the feed does not come through. */
  | { state: "live"; asking?: boolean }
  | { state: "lost"; reason: string; retryAt: number }
  | { state: "locked"; reason: string }
  | { state: "outdated" };

export const place = signal(readPlace(location.search));
/** What the server told last, and what was there when the picture was paused. */
export const live = signal<Picture>(NOTHING);
export const frozen = signal<Picture | null>(null);
export const shown = computed(() => frozen.value ?? live.value);
/** Rows that came or left since the pause. */
export const missed = signal(0);
export const link = signal<Link>({ state: "connecting" });
export const notice = signal<{ level: string; text: string } | null>(null);
/** A view was asked for, and its snapshot is not here yet. */
export const waiting = signal(true);
export const hovered = signal("");
export const helpShown = signal(false);
/** One sentence with something to take back, such as "tidied". */
export const undo = signal<{ text: string; act: () => void } | null>(null);
export const spoken = signal("");
export const version = signal("");
/** The viewer's clock in ms, each second, for what is counted down. */
export const tick = signal(Date.now());

/** The filter of what is shown: one that the server refused has no effect. */
export const applied = computed(() => shown.value.view?.filter ?? place.value.filter);
export const paused = computed(() => frozen.value !== null);
/** `node` or `edge`, and the id of what is selected. */
export const selection = computed(() => {
  const text = place.value.selection;
  const colon = text.indexOf(":");
  const kind = text.slice(0, colon);
  return kind === "node" || kind === "edge" ? { kind, id: text.slice(colon + 1) } as const : null;
});

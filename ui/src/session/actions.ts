/** What the page does: everything that changes its state, from the feed and from the user. */
import { batch } from "@preact/signals";

import type { ViewRequest } from "../protocol/facts";
import { Feed } from "../protocol/feed";
import type { FeedListener, Socket } from "../protocol/feed";
import { Refused, Unauthorized, feedAddress, get, openSession, tokenOf } from "../protocol/http";
import { Announcer } from "../mirror/announcer";
import { readPlace, writePlace } from "../store/address";
import type { Place } from "../store/address";
import { Gap, Model, NOTHING } from "../store/model";
import { counted } from "../store/units";
import { ASKING_S, Fallback, askPicture, changesBetween } from "./fallback";
import * as state from "./state";

const TYPING_MS = 250;
/** The server looks anew each second; asked twice as often, what is new waits half as long. */
const INTERVAL_S = 0.5;
const HIDDEN_INTERVAL_S = 15;
/** So often in a row the feed fails while requests are answered: then it is not the server. */
const FAILURES_OF_SOCKET = 2;

const model = new Model();
let feed: Feed | null = null;
let epoch = "";
let typing = 0;
let changesAtPause = 0;
let failuresOfSocket = 0;

const later = (act: () => void, ms: number): (() => void) => {
  const timer = window.setTimeout(act, ms);
  return () => clearTimeout(timer);
};
const announcer = new Announcer(
  (text) => { state.spoken.value = text; }, () => performance.now(), later,
);
export const announce = (text: string): void => announcer.announce(text);

function viewOf({ group, filter, limit, metric, window_s, own }: Place): ViewRequest {
  return { group, filter, limit, metric, own, ...(window_s > 0 ? { window_s } : {}) };
}

/** Gets in (with the token of the fragment, if there is one) and opens the feed. */
export async function start(): Promise<void> {
  const token = tokenOf(location.hash);
  if (token !== null) history.replaceState(null, "", location.pathname + location.search);
  try {
    if (token) await openSession(token);
    await get("hosts");
  } catch (error) {
    if (error instanceof Unauthorized) {
      lock(token ? "The token is not the one of the server that runs now." : "");
      return;
    }
    // The feed says what is wrong, and tries again.
  }
  feed ??= new Feed(doors, listener, viewOf(state.place.value), INTERVAL_S);
  feed.open();
}

const doors = {
  open: (): Socket => new WebSocket(feedAddress(document.baseURI), "connscope.v1") as Socket,
  now: (): number => Date.now(),
  random: Math.random,
  later,
};

const fallback = new Fallback({
  ask: () => askPicture(viewOf(state.place.value)),
  show(picture) {
    batch(() => {
      state.link.value = { state: "live", asking: true };
      state.waiting.value = false;
      if (state.paused.value) state.missed.value += changesBetween(state.live.value, picture);
      state.live.value = picture;
    });
  },
  failed(error) {
    const wrong = error instanceof Refused && error.status < 500;
    // A filter that is not whole yet: the picture stays, as it does with the feed.
    if (wrong && state.notice.value?.text !== error.message) listener.notice("error", error.message);
    else if (!wrong) later(retry, 0);
    return wrong;
  },
  pauseS: () => (document.hidden ? HIDDEN_INTERVAL_S : ASKING_S),
  later,
});

const listener: FeedListener = {
  welcome(message) {
    failuresOfSocket = 0;
    fallback.stop();
    if (epoch !== message.epoch) model.reset();
    epoch = message.epoch;
    const other = state.version.value !== "" && state.version.value !== message.version;
    if (other || message.protocol !== 1) {
      state.link.value = { state: "outdated" };
      feed?.close();
      return;
    }
    if (state.link.value.state === "lost") announce("connected again");
    state.version.value = message.version;
    state.link.value = { state: "live" };
  },
  rows(message) {
    const began = performance.now();
    try {
      model.take(message);
    } catch (error) {
      if (!(error instanceof Gap)) throw error;
      // The same view again would be answered by a delta: only a new connection begins anew.
      model.reset();
      feed?.restart();
      return;
    }
    // The same look as before: nothing to draw.
    if (message.t === "delta" && message.time_ms === state.live.value.timeMs && !message.hosts) return;
    batch(() => {
      state.waiting.value = false;
      state.live.value = model.picture();
      if (state.paused.value) state.missed.value = model.changes - changesAtPause;
    });
    performance.measure(`connscope-${message.t}`, { start: began });
    if (performance.getEntriesByType("measure").length > 200) performance.clearMeasures();
  },
  notice(level, text) {
    state.notice.value = { level, text };
    state.waiting.value = false;
    announce(text);
  },
  lost(reason, retryAt) {
    if (fallback.active) return;
    state.link.value = { state: "lost", reason, retryAt };
    announce("connection lost, the picture stands still");
    void askWhy();
  },
  connecting() {
    if (state.link.value.state !== "lost" && !fallback.active) state.link.value = { state: "connecting" };
  },
};

/** A WebSocket does not tell why it was refused; a request does. */
async function askWhy(): Promise<void> {
  try {
    await get("hosts");
    failuresOfSocket += 1;
    if (failuresOfSocket >= FAILURES_OF_SOCKET && state.link.value.state === "lost") fallback.start();
  } catch (error) {
    failuresOfSocket = 0;
    if (error instanceof Unauthorized) lock("The server was started anew and has another token.");
  }
}

function lock(reason: string): void {
  feed?.close();
  fallback.stop();
  state.link.value = { state: "locked", reason };
}

export function retry(): void {
  feed?.open();
}

/** Changes the state in the address; `keep` makes a step for "back". */
export function go(change: Partial<Place>, keep = false): void {
  const before = state.place.value;
  const next = { ...before, ...change };
  if (writePlace(before) === writePlace(next)) return;
  state.place.value = next;
  const url = location.pathname + writePlace(next);
  if (keep) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  ask(before, next);
}

function ask(before: Place, next: Place): void {
  if (JSON.stringify(viewOf(before)) === JSON.stringify(viewOf(next))) return;
  clearTimeout(typing);
  const send = (): void => {
    state.notice.value = null;
    state.waiting.value = true;
    feed?.subscribe(viewOf(state.place.value));
    if (fallback.active) fallback.start();
  };
  if (before.filter !== next.filter) typing = window.setTimeout(send, TYPING_MS);
  else send();
}

export function select(kind: "node" | "edge" | null, id = ""): void {
  go({ selection: kind ? `${kind}:${id}` : "" });
}

/** Freezes the picture; the stream goes on, and what is missed is counted. Again: jumps to now. */
export function pause(): void {
  if (state.paused.value) {
    announce(`live, ${counted(state.missed.value, "change")} later`);
    state.frozen.value = null;
    return;
  }
  if (state.live.value === NOTHING) return;
  changesAtPause = model.changes;
  batch(() => {
    state.missed.value = 0;
    state.frozen.value = state.live.value;
  });
  announce("paused");
}

/** Listens to what concerns the page as a whole. */
export function listen(): void {
  addEventListener("popstate", () => {
    const before = state.place.value;
    state.place.value = readPlace(location.search);
    ask(before, state.place.value);
  });
  addEventListener("hashchange", () => {
    if (tokenOf(location.hash)) void start();
  });
  document.addEventListener("visibilitychange", () => {
    feed?.subscribe(viewOf(state.place.value), document.hidden ? HIDDEN_INTERVAL_S : INTERVAL_S);
  });
  setInterval(() => { state.tick.value = Date.now(); }, 1000);
}

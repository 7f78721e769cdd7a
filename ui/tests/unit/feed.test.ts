/** The feed: greeting, acknowledgement, coming back. */
import { expect, test } from "vitest";

import { waitSeconds } from "../../src/protocol/backoff";
import type { ViewRequest } from "../../src/protocol/facts";
import { Feed } from "../../src/protocol/feed";
import type { FeedListener, Socket } from "../../src/protocol/feed";
import { address, feedAddress, tokenOf } from "../../src/protocol/http";
import { MalformedMessage, readMessage } from "../../src/protocol/messages";

const VIEW: ViewRequest = { group: "process", filter: "", limit: 300, metric: "throughput", window_s: 15 };
const WELCOME = { t: "welcome", protocol: 1, epoch: "e1", version: "1", time_ms: 0 };

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  sent: Record<string, unknown>[] = [];
  closed = false;
  send(text: string): void { this.sent.push(JSON.parse(text) as Record<string, unknown>); }
  close(): void { this.closed = true; }
  say(message: object): void { this.onmessage?.({ data: JSON.stringify(message) }); }
}

function rig(): { feed: Feed; sockets: FakeSocket[]; heard: string[]; waits: number[]; elapse(): void } {
  const sockets: FakeSocket[] = [];
  const heard: string[] = [];
  const waits: number[] = [];
  let due: (() => void) | null = null;
  const listener: FeedListener = {
    welcome: () => heard.push("welcome"), rows: (message) => heard.push(`${message.t} ${message.sequence}`),
    notice: (level, text) => heard.push(`${level}: ${text}`), lost: (reason) => heard.push(`lost ${reason}`.trim()),
    connecting: () => heard.push("connecting"),
  };
  const feed = new Feed({
    open: () => { const socket = new FakeSocket(); sockets.push(socket); return socket; },
    now: () => 0, random: () => 0.999,
    later: (act, ms) => { waits.push(Math.round(ms / 1000)); due = act; return () => { due = null; }; },
  }, listener, VIEW);
  return { feed, sockets, heard, waits, elapse: () => { const act = due; due = null; act?.(); } };
}

test("it greets, asks for its view, and acknowledges what it took in", () => {
  const { feed, sockets, heard } = rig();
  feed.open();
  const [socket] = sockets;
  socket?.onopen?.();
  socket?.say(WELCOME);
  socket?.say({ t: "snapshot", sequence: 1, time_ms: 0 });

  expect(heard).toEqual(["connecting", "welcome", "snapshot 1"]);
  expect(socket?.sent).toEqual([
    { t: "hello", protocol: 1 }, { t: "subscribe", view: VIEW, interval_s: 1 }, { t: "ack", sequence: 1 },
  ]);
});

test("after a loss it resumes where it was, with the view that was asked for last", () => {
  const { feed, sockets, elapse } = rig();
  feed.open();
  sockets[0]?.onopen?.();
  sockets[0]?.say(WELCOME);
  sockets[0]?.say({ t: "delta", sequence: 41, time_ms: 0 });
  feed.subscribe({ ...VIEW, group: "host" });
  sockets[0]?.onclose?.();
  elapse();
  sockets[1]?.onopen?.();

  expect(sockets[0]?.sent.at(-1)).toEqual({ t: "subscribe", view: { ...VIEW, group: "host" }, interval_s: 1 });
  expect(sockets[1]?.sent).toEqual([
    { t: "hello", protocol: 1, resume: { epoch: "e1", sequence: 41 } },
    { t: "subscribe", view: { ...VIEW, group: "host" }, interval_s: 1 },
  ]);
});

test("it waits longer after each failure, at most thirty seconds, and shortly again after a welcome", () => {
  const { feed, sockets, waits, elapse } = rig();
  feed.open();
  for (let turn = 0; turn < 7; turn += 1) {
    sockets.at(-1)?.onclose?.();
    elapse();
  }
  sockets.at(-1)?.onopen?.();
  sockets.at(-1)?.say(WELCOME);
  sockets.at(-1)?.onclose?.();

  expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 1]);
});

test("what the server says at the end is the reason", () => {
  const { feed, sockets, heard } = rig();
  feed.open();
  sockets[0]?.onopen?.();
  sockets[0]?.say({ t: "bye", reason: "the server stops" });
  sockets[0]?.onclose?.();

  expect(heard).toEqual(["connecting", "lost the server stops"]);
});

test("a malformed message ends the connection, and nothing is resumed", () => {
  const { feed, sockets, heard, elapse } = rig();
  feed.open();
  sockets[0]?.onopen?.();
  sockets[0]?.say(WELCOME);
  sockets[0]?.onmessage?.({ data: "{" });
  elapse();
  sockets[1]?.onopen?.();

  expect(heard).toContain("lost the server sent what is not JSON");
  expect(sockets[0]?.closed).toBe(true);
  expect(sockets[1]?.sent[0]).toEqual({ t: "hello", protocol: 1 });
});

test("a restart takes nothing over: the server sends all of it again", () => {
  const { feed, sockets, waits } = rig();
  feed.open();
  sockets[0]?.onopen?.();
  sockets[0]?.say(WELCOME);
  feed.restart();
  sockets[1]?.onopen?.();

  expect([sockets[0]?.closed, sockets[1]?.sent[0], waits]).toEqual([true, { t: "hello", protocol: 1 }, []]);
});

test("a closed feed stays closed", () => {
  const { feed, sockets, waits } = rig();
  feed.open();
  const socket = sockets[0];
  feed.close();
  socket?.onclose?.();

  expect(waits).toEqual([]);
});

test.each([["[]"], ['{"t":"delta"}'], ['{"t":"snapshot","sequence":1,"nodes":{}}'], ["no"]])("%s is malformed", (text) => {
  expect(() => readMessage(text)).toThrow(MalformedMessage);
});

test("a message of a newer server is left aside", () => {
  expect(readMessage('{"t":"sparkle"}')).toBeNull();
});

test("the wait is from half of a step to all of it, never below a second", () => {
  expect([waitSeconds(1, 0), waitSeconds(3, 0), waitSeconds(3, 1), waitSeconds(99, 1)]).toEqual([1, 2, 4, 30]);
});

test("addresses are relative to the page, behind a prefix too", () => {
  expect(address("hosts", "http://127.0.0.1:4040/").href).toBe("http://127.0.0.1:4040/api/v1/hosts");
  expect(feedAddress("https://example.org/tools/cs/?view=map")).toBe("wss://example.org/tools/cs/api/v1/stream");
});

test("the token is in the fragment", () => {
  expect([tokenOf("#t=a-b_c"), tokenOf("#other=1"), tokenOf("")]).toEqual(["a-b_c", null, null]);
});

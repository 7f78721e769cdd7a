/** Asking by request, where no WebSocket gets through. */
import { expect, test } from "vitest";

import { Network } from "../../dev/network";
import { Fallback, changesBetween, pictureOf } from "../../src/session/fallback";
import type { ViewRequest } from "../../src/protocol/facts";
import { NOTHING } from "../../src/store/model";
import type { Picture } from "../../src/store/model";

const VIEW: ViewRequest = { group: "process", filter: "", limit: 300, metric: "throughput" };
const settled = (): Promise<void> => new Promise((done) => { setTimeout(done, 0); });

function rig(goesOn = false) {
  const answers: { give(picture: Picture): void; fail(error: Error): void }[] = [];
  const shown: number[] = [];
  const errors: unknown[] = [];
  let due: (() => void) | null = null;
  const fallback = new Fallback({
    ask: () => new Promise((give, fail) => { answers.push({ give, fail }); }),
    show: (picture) => { shown.push(picture.timeMs); },
    failed: (error) => { errors.push(error); return goesOn; },
    pauseS: () => 2,
    later: (act) => { due = act; return () => { due = null; }; },
  });
  return { fallback, answers, shown, errors, waits: () => due !== null, elapse: () => { const act = due; due = null; act?.(); } };
}
const at = (timeMs: number): Picture => ({ ...NOTHING, timeMs });

test("it asks again after each answer, never twice at once", async () => {
  const { fallback, answers, shown, elapse, waits } = rig();
  fallback.start();

  expect([answers.length, waits()]).toEqual([1, false]);

  answers[0]?.give(at(1));
  await settled();
  elapse();
  answers[1]?.give(at(2));
  await settled();

  expect([shown, answers.length]).toEqual([[1, 2], 2]);
});

test("an answer for a view that nobody wants any more is not shown", async () => {
  const { fallback, answers, shown } = rig();
  fallback.start();
  fallback.start();
  answers[1]?.give(at(2));
  answers[0]?.give(at(1));
  await settled();

  expect(shown).toEqual([2]);
});

test("stopped it neither shows nor asks", async () => {
  const { fallback, answers, shown, waits } = rig();
  fallback.start();
  fallback.stop();
  answers[0]?.give(at(1));
  await settled();

  expect([shown, waits(), fallback.active]).toEqual([[], false, false]);
});

test.each([[true], [false]])("after an error it goes on if it is told so: %s", async (goesOn) => {
  const { fallback, answers, errors, waits } = rig(goesOn);
  fallback.start();
  answers[0]?.fail(new Error("no"));
  await settled();

  expect([errors.length, waits(), fallback.active]).toEqual([1, goesOn, goesOn]);
});

test("what a request answers is what the feed would have told", () => {
  const network = new Network({ nodes: 30, hosts: 1 });
  const nodes = [...network.nodes.values()];
  const edges = [...network.edges.values()];
  const answered = edges.map(({ rtt_us, ...edge }) => ({ ...edge, reasons: edge.reasons ? { refused: 2, timeout: 7 } : {} }));
  const picture = pictureOf({
    time: "2026-01-01T12:00:00.123456789Z", window_s: 15, nodes, edges: answered, totals: NOTHING.totals,
  }, network.hosts, VIEW);

  expect([picture.timeMs, picture.view?.window_s]).toEqual([Date.UTC(2026, 0, 1, 12, 0, 0, 123), 15]);
  expect([...picture.nodes.values()]).toEqual(nodes);
  expect([...picture.edges.values()]).toEqual(edges.map((edge) => ({ ...edge, rtt_us: 0, reasons: edge.reasons ? "timeout ×7, refused ×2" : "" })));
});

test("what came and what left are changes", () => {
  const network = new Network({ nodes: 30, hosts: 1 });
  const before = { ...NOTHING, nodes: new Map(network.nodes), edges: new Map(network.edges) };
  const [node] = network.nodes.keys();
  const after = { ...before, nodes: new Map(network.nodes) };
  after.nodes.delete(node ?? "");

  expect([changesBetween(before, before), changesBetween(before, after), changesBetween(after, before)]).toEqual([0, 1, 1]);
});

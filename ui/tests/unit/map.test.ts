/** Scene, picking, camera, announcements: the map without pixels. */
import { expect, test } from "vitest";

import { Network } from "../../dev/network";
import { Wire } from "../../dev/wire";
import { Layout } from "../../src/layout/layout";
import { Announcer } from "../../src/mirror/announcer";
import { readMessage } from "../../src/protocol/messages";
import type { Snapshot } from "../../src/protocol/messages";
import { fitted, toScreen, toWorld, zoomAt } from "../../src/render/camera";
import { BEND, curveOf, distanceFrom, pointAt } from "../../src/scene/curve";
import { bendsAround } from "../../src/scene/bend";
import { neighbour, pick } from "../../src/scene/pick";
import { FADE_MS, sceneOf } from "../../src/scene/scene";
import type { Mark } from "../../src/scene/scene";
import { Model } from "../../src/store/model";
import type { Picture } from "../../src/store/model";

const SIZE = { width: 1200, height: 800 };

function seen(nodes: number): { picture: Picture; layout: Layout } {
  const network = new Network({ nodes, hosts: 3 });
  const model = new Model();
  const view = { group: "process", filter: "", limit: 5000, metric: "throughput", window_s: 15 } as const;
  model.take(readMessage(JSON.stringify(new Wire(network, view).snapshot())) as Snapshot);
  const layout = new Layout();
  const picture = model.picture();
  layout.update([...picture.nodes.values()], picture.edges.values(), picture.timeMs, true);
  return { picture, layout };
}

test("a scene has every node and edge, the failing lines on top", () => {
  const { picture, layout } = seen(300);
  const scene = sceneOf(picture, layout, "throughput", null);
  const weights = scene.lines.map(({ edge }) => ["fine", "degraded", "failing"].indexOf(edge.health));

  expect([scene.marks.length, scene.lines.length]).toEqual([picture.nodes.size, picture.edges.size]);
  expect(weights).toEqual([...weights].sort());
});

test("what left fades, and is gone after its time", () => {
  const { picture, layout } = seen(30);
  const nodes = [...picture.nodes.values()].slice(1);
  layout.update(nodes, [], picture.timeMs, true);
  const ghosts = (later: number) => sceneOf({ ...picture, timeMs: picture.timeMs + later }, layout, "throughput", null).ghosts;

  expect([ghosts(0).length, ghosts(FADE_MS / 2)[0]?.left, ghosts(FADE_MS).length]).toEqual([1, 0.5, 0]);
});

test("a mark is picked before the line under it, a line by its curve, nothing beside", () => {
  const { picture, layout } = seen(60);
  const scene = sceneOf(picture, layout, "throughput", null);
  const [mark] = scene.marks;
  const line = scene.lines.at(-1);
  if (!mark || !line) throw new Error("an empty scene");

  expect(pick(scene, mark, 1)).toEqual({ kind: "node", id: mark.id });
  expect(pick(scene, { x: 1e6, y: 0 }, 1)).toBeNull();

  const curve = curveOf(line.from, line.from.radius, line.to, line.to.radius, 0, line.bend);
  const hit = pick({ ...scene, marks: [], lines: [line] }, curve ? pointAt(curve, 0.5) : mark, 1);

  expect(hit).toEqual({ kind: "edge", id: line.edge.id });
});

test("both directions between two marks are apart", () => {
  const [a, b] = [{ x: 0, y: 0 }, { x: 200, y: 0 }];
  const there = curveOf(a, 10, b, 10, 4, BEND);
  const back = curveOf(b, 10, a, 10, 4, BEND);
  if (!there || !back) throw new Error("too short");

  expect(distanceFrom(there, pointAt(back, 0.5))).toBeGreaterThan(8);
  expect(curveOf(a, 100, b, 100, 0, BEND)).toBeNull();
});

const markAt = (id: string, x: number, y: number): Mark => ({ id, x, y, radius: 13, pinned: false, node: {} as Mark["node"] });
const clearance = (from: Mark, to: Mark, bend: number, mark: Mark): number => {
  const curve = curveOf(from, from.radius, to, to.radius, 0, bend);
  return curve ? distanceFrom(curve, mark) - mark.radius : Infinity;
};

test("a line goes around a mark that is in its way, and back to its place when that is gone", () => {
  const [from, to, between] = [markAt("a", 0, 0), markAt("b", 232, 0), markAt("c", 116, 0)];
  const bend = bendsAround([{ from, to }], [from, to, between])({ from, to });

  expect(clearance(from, to, BEND, between)).toBeLessThan(0);
  expect(clearance(from, to, bend, between)).toBeGreaterThan(0);
  expect(bendsAround([{ from, to }], [from, to])({ from, to })).toBe(BEND);
});

test("around a mark there and back take different sides", () => {
  const [a, b, between] = [markAt("a", 0, 0), markAt("b", 232, 0), markAt("c", 116, 0)];
  const lines = [{ from: a, to: b }, { from: b, to: a }];
  const bendOf = bendsAround(lines, [a, b, between]);
  const [there, back] = lines.map(({ from, to }) => curveOf(from, 13, to, 13, 0, bendOf({ from, to })));
  if (!there || !back) throw new Error("too short");

  expect(pointAt(there, 0.5).y * pointAt(back, 0.5).y).toBeLessThan(0);
});

test("of a small map most lines that would run through marks go around them", () => {
  const { picture, layout } = seen(60);
  const { marks, lines } = sceneOf(picture, layout, "throughput", null);
  const through = (bendOf: (line: (typeof lines)[number]) => number): number => lines.filter((line) => (
    marks.some((mark) => mark !== line.from && mark !== line.to && clearance(line.from, line.to, bendOf(line), mark) < 0)
  )).length;

  expect(through((line) => line.bend)).toBeLessThan(through(() => BEND) / 2);
});

test("arrows walk to what is nearest in their direction, and stay at the border", () => {
  const { picture, layout } = seen(60);
  const scene = sceneOf(picture, layout, "throughput", null);
  const leftmost = [...scene.marks].sort((a, b) => a.x - b.x)[0];
  if (!leftmost) throw new Error("an empty scene");
  const right = neighbour(scene, leftmost.id, "right");

  expect(neighbour(scene, leftmost.id, "left")).toBeNull();
  expect((scene.byId.get(right ?? "")?.x ?? 0) > leftmost.x).toBe(true);
});

test("zooming keeps what is under the pointer where it is", () => {
  const camera = { x: 40, y: -20, zoom: 0.7 };
  const at = { x: 300, y: 650 };
  const world = toWorld(camera, SIZE, at);
  const after = toScreen(zoomAt(camera, SIZE, at, 1.7), SIZE, world);

  expect([Math.round(after.x), Math.round(after.y)]).toEqual([at.x, at.y]);
});

test("a fit shows everything, and does not blow three nodes up", () => {
  const far = { left: -5000, right: 9000, top: 100, bottom: 4000 };
  const camera = fitted([far], SIZE, 36);
  const corner = toScreen(camera, SIZE, { x: far.left, y: far.top });

  expect(corner.x >= 35.9 && corner.y >= 35.9).toBe(true);
  expect(fitted([{ left: 0, right: 10, top: 0, bottom: 10 }], SIZE, 36).zoom).toBeLessThanOrEqual(1.25);
});

test("a reader hears at most one sentence in five seconds, the newest", () => {
  const said: string[] = [];
  let now = 0;
  let due: (() => void) | null = null;
  const announcer = new Announcer((text) => said.push(text), () => now, (act) => { due = act; return () => undefined; });
  announcer.announce("one");
  announcer.announce("two");
  announcer.announce("three");

  expect(said).toEqual(["one"]);

  now = 5000;
  (due as (() => void) | null)?.();

  expect(said).toEqual(["one", "three"]);
});

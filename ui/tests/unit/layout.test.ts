/** Districts and slots: what stays does not move, and the same ids give the same map. */
import { expect, test } from "vitest";

import { Network } from "../../dev/network";
import { District, overlap } from "../../src/layout/district";
import { Layout, RETENTION_MS } from "../../src/layout/layout";
import type { Member } from "../../src/layout/layout";
import { linksOf } from "../../src/layout/links";
import { GENEROUS } from "../budget";

const members = (network: Network): Member[] => [...network.nodes.values()];
const edges = (network: Network) => [...network.edges.values()];
const places = (layout: Layout, ids: Iterable<string>): Record<string, unknown> => (
  Object.fromEntries([...ids].map((id) => [id, layout.at(id)]))
);
const laidOut = (network: Network): Layout => {
  const layout = new Layout();
  layout.update(members(network), edges(network), 0, true);
  return layout;
};

test.each([30, 300, 1000])("no node of %i that stays moves in sixty seconds of changes", (nodes) => {
  const network = new Network({ nodes, hosts: 4 });
  const layout = laidOut(network);
  for (let second = 1; second <= 60; second += 1) {
    const before = new Map(members(network).map(({ id }) => [id, layout.at(id)]));
    network.step(Math.ceil(nodes / 50));
    layout.update(members(network), edges(network), second * 1000, true);
    const stayed = [...before.keys()].filter((id) => network.nodes.has(id));

    expect(places(layout, stayed)).toEqual(Object.fromEntries(stayed.map((id) => [id, before.get(id)])));
  }
});

test("a first layout of 1,000 nodes takes a tenth of a second, three times as long on a busy machine", () => {
  const network = new Network({ nodes: 1000, hosts: 8 });
  const took = Math.min(...Array.from({ length: 5 }, () => {
    const began = performance.now();
    laidOut(network);
    return performance.now() - began;
  }));
  console.log(`1,000 nodes laid out in ${took.toFixed(0)} ms`);

  expect(took).toBeLessThan(GENEROUS * 100);
});

test("two marks are never in one place, and districts never overlap, however much comes and goes", () => {
  const network = new Network({ nodes: 200, hosts: 5 });
  const layout = laidOut(network);
  for (let second = 1; second <= 200; second += 1) {
    network.step(10);
    layout.update(members(network), edges(network), second * 1000, true);
  }
  const taken = members(network).map(({ id }) => JSON.stringify(layout.at(id)));
  const rectangles = layout.districts().map((one) => one.rectangle);
  const clashes = rectangles.flatMap((one, index) => rectangles.slice(index + 1).filter((other) => overlap(one, other, 0)));

  expect(new Set(taken).size).toBe(members(network).length);
  expect(clashes).toEqual([]);
});

test("the same ids give the same map, in whatever order they come", () => {
  const network = new Network({ nodes: 120, hosts: 3 });
  const other = new Layout();
  other.update(members(network).reverse(), edges(network).reverse(), 0, true);
  const ids = members(network).map(({ id }) => id);

  expect(places(other, ids)).toEqual(places(laidOut(network), ids));
});

test("newcomers take the free slots nearest to their neighbour, the nearest first", () => {
  const layout = new Layout();
  const all: Member[] = Array.from({ length: 20 }, (_, index) => ({ id: `n${index}`, box: "one" }));
  layout.update(all, [], 0, true);
  const anchor = layout.at("n3") ?? { x: 0, y: 0 };
  const links: { source: string; target: string }[] = [];
  const distances = ["a", "b", "c", "d", "e"].map((id) => {
    all.push({ id, box: "one" });
    links.push({ source: id, target: "n3" });
    layout.update(all, links, 1000, true);
    const at = layout.at(id) ?? { x: Infinity, y: 0 };
    return Math.hypot(at.x - anchor.x, at.y - anchor.y);
  });

  expect(distances).toEqual([...distances].sort((one, other) => one - other));
});

test("of all free slots the nearest is given, and none if all are owned", () => {
  const district = new District("one", 0, 8);
  const slots = [...district.slots()];
  for (const slot of slots.slice(2)) district.own(slot, "somebody");
  const [first, second] = slots;
  if (!first || !second) throw new Error("no slots");
  const { x, y } = district.at(second);

  expect(district.nearestFree({ x: x + 5, y })).toEqual(second);

  district.own(first, "a");
  district.own(second, "b");

  expect(district.nearestFree(null)).toBeNull();
});

test("who comes back within the retention has its place again, later it is forgotten", () => {
  const all = ["a", "b", "c"].map((id) => ({ id, box: "one" }));
  const layout = new Layout();
  layout.update(all, [], 0, true);
  const before = layout.at("b");
  layout.update(all.filter(({ id }) => id !== "b"), [], 1000, true);

  expect([...layout.gone()]).toEqual([{ id: "b", at: before, goneAt: 1000 }]);

  layout.update(all, [], RETENTION_MS, true);

  expect(layout.at("b")).toEqual(before);
  expect([...layout.gone()]).toEqual([]);

  layout.update(all.filter(({ id }) => id !== "b"), [], RETENTION_MS + 1, true);
  layout.update(all.filter(({ id }) => id !== "b"), [], 3 * RETENTION_MS, true);

  expect(layout.at("b")).toBeUndefined();
});

test("what another view leaves out keeps its place, and is no ghost", () => {
  const all = ["a", "b", "c"].map((id) => ({ id, box: "one" }));
  const layout = new Layout();
  layout.update(all, [], 0, true);
  const before = places(layout, ["a", "b", "c"]);
  layout.update(all.slice(0, 1), [], 1000, false);

  expect([...layout.gone()]).toEqual([]);

  layout.update(all, [], 2000, false);

  expect(places(layout, ["a", "b", "c"])).toEqual(before);
});

test("a district that can not grow gets a second part instead of moving anybody", () => {
  const around = ["north", "east", "south", "west", "corner", "edge", "rim", "side"].flatMap((box) => (
    Array.from({ length: 40 }, (_, index) => ({ id: `${box}-${index}`, box }))
  ));
  const middle = Array.from({ length: 60 }, (_, index) => ({ id: `m-${index}`, box: "middle" }));
  const layout = new Layout();
  const links = around.map(({ id }) => ({ source: id, target: "m-0" }));
  layout.update([...middle, ...around], links, 0, true);
  const before = places(layout, around.map(({ id }) => id));
  const crowd = Array.from({ length: 2000 }, (_, index) => ({ id: `m-${index}`, box: "middle" }));
  layout.update([...crowd, ...around], links, 1000, true);

  expect(places(layout, around.map(({ id }) => id))).toEqual(before);
  expect(crowd.every(({ id }) => layout.at(id) !== undefined)).toBe(true);
  expect(layout.districts().filter(({ box }) => box === "middle").length).toBeGreaterThan(1);
});

test("thousands that live for a second do not make a district grow without end", () => {
  const layout = new Layout();
  for (let second = 0; second < 200; second += 1) {
    const crowd = Array.from({ length: 20 }, (_, index) => ({ id: `${second}-${index}`, box: "one" }));
    layout.update(crowd, [], second * 1000, true);
  }
  const [district] = layout.districts();
  const { left = 0, right = 0, top = 0, bottom = 0 } = district?.rectangle ?? {};

  expect(((right - left) * (bottom - top)) / (116 * 96)).toBeLessThan(80);
});

test("a pin is law, until it is taken away", () => {
  const layout = new Layout();
  layout.update([{ id: "a", box: "one" }], [], 0, true);
  const slot = layout.at("a");
  layout.pin("a", { x: 1000.4, y: -20 });

  expect(layout.at("a")).toEqual({ x: 1000, y: -20 });
  expect(Layout.tidied([{ id: "a", box: "one" }], [], layout).at("a")).toEqual({ x: 1000, y: -20 });

  layout.pin("a", null);

  expect(layout.at("a")).toEqual(slot);
});

test("a first layout has lines that are a fifth shorter than without looking at them", () => {
  const network = new Network({ nodes: 300, hosts: 4 });
  const layout = laidOut(network);
  const length = (at: (id: string) => { x: number; y: number } | undefined): number => edges(network).reduce((sum, edge) => {
    const [a, b] = [at(edge.source), at(edge.target)];
    return sum + (a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0);
  }, 0);
  const plain = new Layout();
  plain.update(members(network), [], 0, true);

  expect(length((id) => layout.at(id))).toBeLessThan(0.8 * length((id) => plain.at(id)));
});

test("neighbours are sorted, each once, and nobody is its own", () => {
  const links = linksOf([
    { source: "b", target: "a" }, { source: "a", target: "b" }, { source: "c", target: "a" }, { source: "a", target: "a" },
  ]);

  expect(links.get("a")).toEqual(["b", "c"]);
});

test("a district grows to the side where nobody is", () => {
  const one = new District("one", 0, 4);
  const other = new District("other", 0, 4);
  const before = one.rectangle();
  other.moveTo(before.right + 10, before.top);

  expect(one.grow([one, other], 5)).toBe(true);
  expect(overlap(one.rectangle(), other.rectangle(), 5)).toBe(false);
});

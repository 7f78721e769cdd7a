/** The model: snapshots and deltas of the dev feed make the same picture as the network has. */
import { expect, test } from "vitest";

import { Network } from "../../dev/network";
import { Wire } from "../../dev/wire";
import { readMessage } from "../../src/protocol/messages";
import type { Delta, Snapshot } from "../../src/protocol/messages";
import { Gap, Model } from "../../src/store/model";

const VIEW = { group: "process", filter: "", limit: 5000, metric: "throughput", window_s: 15 } as const;
const sent = (message: object): Snapshot | Delta => readMessage(JSON.stringify(message)) as Snapshot | Delta;

test("after a snapshot and sixty deltas the picture is what the network is", () => {
  const network = new Network({ nodes: 200, hosts: 3 });
  const wire = new Wire(network, VIEW);
  const model = new Model();
  model.take(sent(wire.snapshot()));
  for (let second = 0; second < 60; second += 1) {
    network.step(5);
    model.take(sent(wire.delta()));
  }
  const picture = model.picture();

  expect(Object.fromEntries(picture.nodes)).toEqual(Object.fromEntries(network.nodes));
  expect(Object.fromEntries(picture.edges)).toEqual(Object.fromEntries(network.edges));
  expect(picture.timeMs).toBe(network.timeMs);
});

test("a picture does not change when the model goes on", () => {
  const network = new Network({ nodes: 50, hosts: 1 });
  const wire = new Wire(network, VIEW);
  const model = new Model();
  model.take(sent(wire.snapshot()));
  const picture = model.picture();
  const before = JSON.stringify([...picture.nodes, ...picture.edges]);
  network.step(5);
  model.take(sent(wire.delta()));

  expect(JSON.stringify([...picture.nodes, ...picture.edges])).toBe(before);
  expect(JSON.stringify([...model.picture().nodes])).not.toBe(JSON.stringify([...picture.nodes]));
});

test("a delta that leaves a list out changes nothing of it", () => {
  const network = new Network({ nodes: 20, hosts: 1 });
  const model = new Model();
  model.take(sent(new Wire(network, VIEW).snapshot()));
  const before = model.picture();
  model.take(sent({ t: "delta", sequence: 2, time_ms: 5 }));

  expect(model.picture()).toEqual({ ...before, timeMs: 5 });
});

test.each([
  ["edges", [[0, 0, 98, 99, 1, 2, []]]],
  ["node_metrics", [[99, 0, 0, 0, 0, 0, 0, 0]]],
  ["edge_metrics", [[99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1]]],
  ["nodes", [[1, 77, 0, 0, 0, 0, 0, 0, []]]],
])("%s of what was never sent is a gap, not a guess", (list, rows) => {
  const model = new Model();

  expect(() => model.take(sent({ t: "delta", sequence: 1, time_ms: 0, strings: [[0, "x"]], [list]: rows }))).toThrow(Gap);
});

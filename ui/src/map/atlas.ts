/** The maps of this session: one layout and one camera for each grouping, and what was done to them. */
import { signal } from "@preact/signals";

import type { Group, Metric } from "../protocol/facts";
import { Layout } from "../layout/layout";
import type { Member } from "../layout/layout";
import type { Point } from "../layout/district";
import type { Camera } from "../render/camera";
import { EMPTY_SCENE, sceneOf } from "../scene/scene";
import type { Scene } from "../scene/scene";
import type { Picture } from "../store/model";
import { loadPins, savePins } from "./pins";
import { undo } from "../session/state";

/** The scene that is on the map now; the legend reads it too. */
export const scene = signal<Scene>(EMPTY_SCENE);
export const pinsChanged = signal(0);

const layouts = new Map<Group, Layout>();
const cameras = new Map<Group, Camera>();
let lastView = "";
let lastMetric = "";

export function groupOf(picture: Picture): Group {
  return picture.view?.group ?? "process";
}

export function layoutOf(group: Group): Layout {
  let layout = layouts.get(group);
  if (!layout) {
    layout = new Layout();
    loadPins(group, layout);
    layouts.set(group, layout);
  }
  return layout;
}

export function cameraOf(group: Group): Camera | undefined {
  return cameras.get(group);
}

export function keepCamera(group: Group, camera: Camera): void {
  cameras.set(group, camera);
}

/** Hosts share a district: each in a box of its own would be boxes only. */
const members = (picture: Picture): Member[] => (
  Array.from(picture.nodes.values(), ({ id, kind, box }) => ({ id, box: kind === "host" ? "" : box }))
);

/** Takes a picture in: newcomers get places, the scene is made anew. */
export function chart(picture: Picture, metric: Metric): void {
  const group = groupOf(picture);
  const view = JSON.stringify(picture.view);
  const layout = layoutOf(group);
  layout.update(members(picture), picture.edges.values(), picture.timeMs, view === lastView);
  const before = view === lastView && metric === lastMetric ? scene.peek().scale : null;
  lastView = view;
  lastMetric = metric;
  scene.value = sceneOf(picture, layout, metric, before);
}

/** Lays all nodes out anew; what was can be taken back. */
export function tidy(picture: Picture, metric: Metric): void {
  const group = groupOf(picture);
  const before = layoutOf(group);
  layouts.set(group, Layout.tidied(members(picture), picture.edges.values(), before));
  chart(picture, metric);
  offerUndo("The map is tidy.", () => {
    layouts.set(group, before);
    pinsChanged.value += 1;
  });
}

/** Puts a node where the user wants it (null: back to its slot). */
export function pin(picture: Picture, metric: Metric, id: string, at: Point | null, done: boolean): void {
  const group = groupOf(picture);
  const layout = layoutOf(group);
  layout.pin(id, at);
  if (done) savePins(group, layout);
  chart(picture, metric);
}

/** Says what was done to a node, with the way back. */
export function offerUnpin(picture: Picture, label: string, id: string, before: Point | null): void {
  const group = groupOf(picture);
  offerUndo(`${label} is pinned here.`, () => {
    const layout = layoutOf(group);
    layout.pin(id, before);
    savePins(group, layout);
    pinsChanged.value += 1;
  });
}

function offerUndo(text: string, act: () => void): void {
  undo.value = { text, act: () => { undo.value = null; act(); } };
}

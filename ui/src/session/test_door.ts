/** What tests may ask of a running page: canvas content is not asserted by pixels. */
import { scene } from "../map/atlas";
import { current } from "../map/chart";
import { shown } from "./state";

export interface TestDoor {
  /** World places of all marks, by id. */
  positions(): Record<string, [x: number, y: number]>;
  /** Screen places of all marks, in pixels of the map, by id. */
  screen(): Record<string, [x: number, y: number]>;
  /** Ids of all lines. */
  lines(): string[];
  counts(): { nodes: number; edges: number; connections: number; timeMs: number };
  /** Milliseconds of drawing of the last frames, oldest first. */
  frameTimes(): number[];
  camera(): { x: number; y: number; zoom: number } | null;
}

declare global {
  interface Window {
    __test: TestDoor;
  }
}

export function offerTestDoor(): void {
  window.__test = {
    positions: () => Object.fromEntries(scene.value.marks.map(({ id, x, y }) => [id, [x, y]])),
    screen: () => {
      const stage = current?.stage;
      if (!stage) return {};
      const { camera, size } = stage;
      return Object.fromEntries(scene.value.marks.map(({ id, x, y }) => [id, [
        (x - camera.x) * camera.zoom + size.width / 2,
        (y - camera.y) * camera.zoom + size.height / 2,
      ]]));
    },
    lines: () => scene.value.lines.map(({ edge }) => edge.id),
    counts: () => ({
      nodes: shown.value.nodes.size,
      edges: shown.value.edges.size,
      connections: shown.value.totals.connections,
      timeMs: shown.value.timeMs,
    }),
    frameTimes: () => [...(current?.stage.frameTimes ?? [])],
    camera: () => (current ? { ...current.stage.camera } : null),
  };
}

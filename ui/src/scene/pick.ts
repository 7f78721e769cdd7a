/** What is under the pointer. */
import { curveOf, distanceFrom } from "./curve";
import type { Point } from "../layout/district";
import type { Mark, Scene } from "./scene";

export type Target = { kind: "node" | "edge"; id: string };

/** Screen pixels around a mark, and around a line, that belong to it. */
const MARK_SLACK = 6;
const LINE_SLACK = 6;
const LEAST = 12;

/** The mark, else the line, at a world point; `zoom` is screen pixels per world unit. */
export function pick(scene: Scene, at: Point, zoom: number): Target | null {
  const mark = pickMark(scene, at, zoom);
  if (mark) return { kind: "node", id: mark.id };
  let best: Target | null = null;
  let bestDistance = LINE_SLACK / zoom;
  for (const { edge, from, to, bend } of scene.lines) {
    const margin = (0.05 + Math.abs(bend) / 2) * Math.hypot(to.x - from.x, to.y - from.y) + bestDistance;
    if (at.x < Math.min(from.x, to.x) - margin || at.x > Math.max(from.x, to.x) + margin) continue;
    if (at.y < Math.min(from.y, to.y) - margin || at.y > Math.max(from.y, to.y) + margin) continue;
    const curve = curveOf(from, from.radius, to, to.radius, 0, bend);
    const distance = curve ? distanceFrom(curve, at) : Infinity;
    if (distance < bestDistance) {
      best = { kind: "edge", id: edge.id };
      bestDistance = distance;
    }
  }
  return best;
}

function pickMark(scene: Scene, at: Point, zoom: number): Mark | null {
  let best: Mark | null = null;
  let bestDistance = Infinity;
  for (const mark of scene.marks) {
    const reach = Math.max(mark.radius + MARK_SLACK / zoom, LEAST / zoom);
    const distance = Math.hypot(mark.x - at.x, mark.y - at.y);
    if (distance <= reach && distance < bestDistance) {
      best = mark;
      bestDistance = distance;
    }
  }
  return best;
}

export type Direction = "left" | "right" | "up" | "down";

const VECTORS: Record<Direction, [number, number]> = {
  left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1],
};

/** The nearest mark in a direction: what is beside the way counts as far. Null at the border. */
export function neighbour(scene: Scene, from: string, direction: Direction): string | null {
  const here = scene.byId.get(from);
  if (!here) return null;
  const [vx, vy] = VECTORS[direction];
  let best: string | null = null;
  let bestCost = Infinity;
  for (const mark of scene.marks) {
    const along = (mark.x - here.x) * vx + (mark.y - here.y) * vy;
    const beside = Math.abs((mark.x - here.x) * vy) + Math.abs((mark.y - here.y) * vx);
    if (along <= 0 || beside > along * 2) continue;
    const cost = along + beside * 2;
    if (cost < bestCost) {
      best = mark.id;
      bestCost = cost;
    }
  }
  return best;
}

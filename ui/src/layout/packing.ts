/** Where a new district goes: beside those that are there, near those it is connected to. */
import { overlap } from "./district";
import type { District, Point, Rectangle } from "./district";

/** World units between districts. */
export const GAP = 56;
/** Screens are wide: a step down costs more than one to the side. */
const LANDSCAPE = 1.6;

export interface Pull extends Point {
  weight: number;
}

/**
 * Moves `district` to a free place beside `placed`, none of which moves.
 * Of all places that touch one of them, the one with the least weighted distance to `pulls` and to
 * the middle of all. Deterministic: the first of equals in the order of `placed`.
 */
export function pack(district: District, placed: readonly District[], pulls: readonly Pull[]): void {
  const size = district.rectangle();
  const width = size.right - size.left;
  const height = size.bottom - size.top;
  if (placed.length === 0) {
    district.moveTo(Math.round(-width / 2), Math.round(-height / 2));
    return;
  }
  const rectangles = placed.map((one) => one.rectangle());
  const all = [...pulls, { ...middleOf(rectangles), weight: weightOf(pulls) / 2 + 1 }];
  let best: Point = { x: 0, y: 0 };
  let bestCost = Infinity;
  for (const corner of corners(rectangles, width, height)) {
    const cost = costOf({ x: corner.x + width / 2, y: corner.y + height / 2 }, all);
    if (cost >= bestCost - 1e-6) continue;
    const here = { left: corner.x, top: corner.y, right: corner.x + width, bottom: corner.y + height };
    if (rectangles.some((one) => overlap(here, one, GAP - 1))) continue;
    best = corner;
    bestCost = cost;
  }
  district.moveTo(best.x, best.y);
}

function* corners(placed: readonly Rectangle[], width: number, height: number): Generator<Point> {
  for (const { left, right, top, bottom } of placed) {
    const rows = [top, (top + bottom - height) / 2, bottom - height];
    const columns = [left, (left + right - width) / 2, right - width];
    for (const y of rows) {
      yield { x: right + GAP, y };
      yield { x: left - GAP - width, y };
    }
    for (const x of columns) {
      yield { x, y: bottom + GAP };
      yield { x, y: top - GAP - height };
    }
  }
}

function middleOf(rectangles: readonly Rectangle[]): Point {
  const left = Math.min(...rectangles.map((one) => one.left));
  const right = Math.max(...rectangles.map((one) => one.right));
  const top = Math.min(...rectangles.map((one) => one.top));
  const bottom = Math.max(...rectangles.map((one) => one.bottom));
  return { x: (left + right) / 2, y: (top + bottom) / 2 };
}

function weightOf(pulls: readonly Pull[]): number {
  return pulls.reduce((sum, pull) => sum + pull.weight, 0);
}

function costOf(at: Point, pulls: readonly Pull[]): number {
  let cost = 0;
  for (const pull of pulls) {
    cost += pull.weight * Math.hypot(at.x - pull.x, (at.y - pull.y) * LANDSCAPE);
  }
  return cost;
}

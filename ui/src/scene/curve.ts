/** The curve of a line, so that both directions between two marks are seen apart. */
import type { Point } from "../layout/district";

export interface Curve {
  start: Point;
  control: Point;
  end: Point;
}

/** Of a line that nothing is in the way of; the same at every zoom, so that picking and drawing agree. */
export const BEND = 0.09;

/**
 * The curve from `a` to `b`, bent to the right of its direction by this share of its length, from
 * edge to edge of the marks.
 * `gap` is kept free before the end, for the arrow. Null if the marks are on top of each other.
 */
export function curveOf(
  a: Point, aRadius: number, b: Point, bRadius: number, gap: number, bend: number,
): Curve | null {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = Math.hypot(dx, dy);
  if (length <= aRadius + bRadius + gap) return null;
  const control = { x: (a.x + b.x) / 2 - dy * bend, y: (a.y + b.y) / 2 + dx * bend };
  return {
    start: towards(a, control, aRadius),
    control,
    end: towards(b, control, bRadius + gap),
  };
}

/** The point of the curve at `t`, from 0 to 1. */
export function pointAt({ start, control, end }: Curve, t: number): Point {
  const u = 1 - t;
  return {
    x: u * u * start.x + 2 * u * t * control.x + t * t * end.x,
    y: u * u * start.y + 2 * u * t * control.y + t * t * end.y,
  };
}

/** The distance of a point from the curve, by twelve straight pieces. */
export function distanceFrom(curve: Curve, point: Point): number {
  let best = Infinity;
  let before = curve.start;
  for (let piece = 1; piece <= 12; piece += 1) {
    const next = pointAt(curve, piece / 12);
    best = Math.min(best, distanceToSegment(point, before, next));
    before = next;
  }
  return best;
}

function towards(from: Point, to: Point, distance: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return {
    x: from.x + ((to.x - from.x) * distance) / length,
    y: from.y + ((to.y - from.y) * distance) / length,
  };
}

function distanceToSegment(point: Point, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const share = ((point.x - a.x) * dx + (point.y - a.y) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.max(0, Math.min(1, share));
  return Math.hypot(point.x - a.x - dx * t, point.y - a.y - dy * t);
}

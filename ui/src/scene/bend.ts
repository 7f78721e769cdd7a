/** How far a line bends, so that it does not run through marks that have nothing to do with it. */
import { BEND, curveOf, distanceFrom } from "./curve";
import type { Mark } from "./scene";

/** The least that is free wins; below zero is the other side. */
const BENDS = [BEND, -BEND, 0.2, -0.2, 0.32, -0.32] as const;
/** World units between a line and a mark that it passes. */
const CLEAR = 5;
/** Beyond this many lines there is no room to go around, and no time. */
const MOST_LINES = 200;

interface Ends {
  from: Mark;
  to: Mark;
}

/** A function that gives the bend of each of these lines, as all of them are there. */
export function bendsAround(lines: readonly Ends[], marks: readonly Mark[]): (line: Ends) => number {
  if (lines.length > MOST_LINES) return () => BEND;
  const both = new Set(lines.map(({ from, to }) => `${from.id}>${to.id}`));
  return (line) => {
    if (line.from === line.to) return BEND;
    const near = marksNear(line, marks);
    if (near.length === 0) return BEND;
    // The other side is that of the line back.
    const sides = both.has(`${line.to.id}>${line.from.id}`) ? BENDS.filter((bend) => bend > 0) : BENDS;
    return sides.find((bend) => isFree(line, bend, near)) ?? BEND;
  };
}

/** Marks that some of the bends could touch. */
function marksNear({ from, to }: Ends, marks: readonly Mark[]): Mark[] {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.sqrt(dx * dx + dy * dy) || 1;
  const reach = length * (Math.max(...BENDS) / 2);
  return marks.filter((mark) => {
    if (mark === from || mark === to) return false;
    const along = ((mark.x - from.x) * dx + (mark.y - from.y) * dy) / length;
    const beside = Math.abs((mark.x - from.x) * dy - (mark.y - from.y) * dx) / length;
    const slack = mark.radius + CLEAR;
    return along > -slack && along < length + slack && beside < reach + slack;
  });
}

function isFree({ from, to }: Ends, bend: number, marks: readonly Mark[]): boolean {
  const curve = curveOf(from, from.radius, to, to.radius, 0, bend);
  return !curve || marks.every((mark) => distanceFrom(curve, mark) > mark.radius + CLEAR);
}

/** Draws the lines: width is the metric, colour is health, dash is activity, arrow is who connected. */
import type { EdgeFact } from "../protocol/facts";
import { curveOf } from "../scene/curve";
import type { Curve } from "../scene/curve";
import type { Line } from "../scene/scene";
import { WIDTHS } from "../store/metric";
import { DIM, isLit, radiusOf, screenOf, visible } from "./frame";
import type { Frame } from "./frame";
import type { Palette } from "./palette";

const DASHES: Record<EdgeFact["activity"], number[]> = {
  active: [], idle: [9, 5], closed: [1.5, 4],
};
/** Below this zoom arrows would be specks. */
const ARROW_ZOOM = 0.16;

export function healthColour(palette: Palette, health: EdgeFact["health"]): string {
  return health === "fine" ? palette.edge : palette[health];
}

/** All lines of a scene, in their order. */
export function drawLines(frame: Frame, lines: readonly Line[]): void {
  const { context } = frame;
  context.lineCap = "butt";
  for (const line of lines) {
    context.globalAlpha = isLit(frame, "edges", line.edge.id) ? 1 : DIM;
    drawLine(frame, line, healthColour(frame.palette, line.edge.health), 0);
  }
  context.globalAlpha = 1;
}

/** A halo under a line, then the line: for what is hovered or selected. */
export function drawLineHalo(frame: Frame, line: Line): void {
  const { context, palette } = frame;
  context.globalAlpha = 0.35;
  drawLine(frame, line, palette.accent, 5, false);
  context.globalAlpha = 1;
  drawLine(frame, line, healthColour(palette, line.edge.health), 0);
}

/** The curve of a line on the screen, or null if it is too short to be seen. */
export function screenCurve(frame: Frame, line: Line, gap: number): Curve | null {
  const from = screenOf(frame, line.from);
  const to = screenOf(frame, line.to);
  return curveOf(from, radiusOf(frame, line.from), to, radiusOf(frame, line.to) + 1, gap, line.bend);
}

/** A step's width; from afar all are thinner, or they would hide the map. */
function widthOf(step: number, zoom: number): number {
  return Math.max(0.8, (WIDTHS[step] ?? 1) * Math.min(1, 0.3 + 0.7 * zoom));
}

function drawLine(frame: Frame, line: Line, colour: string, more: number, arrow = true): void {
  const { context } = frame;
  const width = widthOf(line.step, frame.camera.zoom) + more;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(more > 0 ? [] : DASHES[line.edge.activity]);
  if (line.from === line.to) {
    drawLoop(frame, line);
    return;
  }
  const head = arrow && frame.camera.zoom > ARROW_ZOOM ? 4 + width * 1.6 : 0;
  const curve = screenCurve(frame, line, head * 0.8);
  if (!curve || !(visible(frame, curve.start, 200) || visible(frame, curve.end, 200)
    || visible(frame, curve.control, 200))) return;
  context.beginPath();
  context.moveTo(curve.start.x, curve.start.y);
  context.quadraticCurveTo(curve.control.x, curve.control.y, curve.end.x, curve.end.y);
  context.stroke();
  if (head > 0) drawHead(frame, line, curve, head, colour);
}

function drawLoop(frame: Frame, line: Line): void {
  const at = screenOf(frame, line.from);
  const radius = radiusOf(frame, line.from);
  frame.context.beginPath();
  frame.context.arc(at.x + radius * 0.9, at.y - radius * 0.9, radius * 0.7, -Math.PI, Math.PI / 2);
  frame.context.stroke();
}

/** Filled: both ends are seen. Open: one end. A dot: nobody knows who connected. */
function drawHead(frame: Frame, line: Line, { control, end }: Curve, size: number, colour: string): void {
  const { context } = frame;
  const angle = Math.atan2(end.y - control.y, end.x - control.x);
  const tip = { x: end.x + Math.cos(angle) * size * 0.8, y: end.y + Math.sin(angle) * size * 0.8 };
  context.setLineDash([]);
  context.beginPath();
  if (!line.edge.role_known) {
    context.fillStyle = colour;
    context.arc(end.x, end.y, Math.max(2, size / 3), 0, 2 * Math.PI);
    context.fill();
    return;
  }
  const wing = (turn: number): [number, number] => (
    [tip.x - Math.cos(angle + turn) * size, tip.y - Math.sin(angle + turn) * size]
  );
  context.moveTo(...wing(0.45));
  context.lineTo(tip.x, tip.y);
  context.lineTo(...wing(-0.45));
  if (line.edge.ends > 1) {
    context.closePath();
    context.fillStyle = colour;
    context.fill();
  } else {
    context.lineWidth = Math.min(2, 1 + line.step * 0.4);
    context.stroke();
  }
}

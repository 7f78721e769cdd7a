/** Draws the nodes: shape is the kind, size the metric, a badge the problems. */
import type { Point } from "../layout/district";
import type { Ghost, Mark } from "../scene/scene";
import { DIM, isLit, radiusOf, screenOf, visible } from "./frame";
import type { Frame } from "./frame";

type Pen = CanvasRenderingContext2D;

/** The outline of a kind of node; the legend draws the same. */
export function outline(pen: Pen, kind: string, outside: boolean, at: Point, radius: number): void {
  const { x, y } = at;
  pen.beginPath();
  if (outside || kind === "address") pen.roundRect(x - radius * 1.25, y - radius * 0.72, radius * 2.5, radius * 1.44, radius * 0.72);
  else if (kind === "host") pen.roundRect(x - radius, y - radius * 0.85, radius * 2, radius * 1.7, radius * 0.22);
  else if (kind === "cidr") pen.roundRect(x - radius * 1.1, y - radius * 0.8, radius * 2.2, radius * 1.6, radius * 0.3);
  else if (kind === "namespace") polygon(pen, at, radius * 1.05, 6, 0);
  else if (kind === "port") polygon(pen, at, radius * 1.15, 4, 0);
  else if (kind === "user") polygon(pen, at, radius * 1.1, 5, -Math.PI / 2);
  else if (kind === "process" || kind === "executable") pen.arc(x, y, radius, 0, 2 * Math.PI);
  else pen.rect(x - radius * 0.85, y - radius * 0.85, radius * 1.7, radius * 1.7);
}

function polygon(pen: Pen, { x, y }: Point, radius: number, corners: number, start: number): void {
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = start + (corner * 2 * Math.PI) / corners;
    pen.lineTo(x + Math.cos(angle) * radius, y + Math.sin(angle) * radius);
  }
  pen.closePath();
}

export function drawMarks(frame: Frame, marks: readonly Mark[]): void {
  for (const mark of marks) {
    frame.context.globalAlpha = isLit(frame, "nodes", mark.id) ? 1 : DIM;
    drawMark(frame, mark);
  }
  frame.context.globalAlpha = 1;
}

/** One mark; `halo` is the width of the ring around what is hovered or selected. */
export function drawMark(frame: Frame, mark: Mark, halo = 0): void {
  const { context, palette } = frame;
  const at = screenOf(frame, mark);
  const radius = radiusOf(frame, mark);
  if (!visible(frame, at, radius * 2)) return;
  const { kind, outside } = mark.node;
  if (halo > 0) {
    outline(context, kind, outside, at, radius + 2 + halo / 2);
    stroke(context, palette.accent, halo, []);
  }
  if (kind === "executable" && radius > 5) {
    outline(context, kind, outside, { x: at.x + 3, y: at.y - 3 }, radius);
    fill(context, palette.mark);
    stroke(context, palette["mark-line"], 1, []);
  }
  outline(context, kind, outside, at, radius);
  const failing = mark.node.problems > 0;
  fill(context, palette.mark);
  stroke(context, palette["mark-line"], radius > 6 ? 1.5 : 1, outside ? [4, 3] : []);
  if (kind === "host" && radius > 6) drawHostBar(context, at, radius, palette["mark-line"]);
  if (radius > 9) drawListeners(frame, mark, at, radius);
  if (mark.pinned && radius > 6) drawPin(context, at, radius, palette.accent);
  if (failing) drawBadge(frame, mark.node.problems, at, radius);
}

function fill(pen: Pen, colour: string): void {
  pen.fillStyle = colour;
  pen.fill();
}

function stroke(pen: Pen, colour: string, width: number, dash: number[]): void {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.stroke();
}

function drawHostBar(pen: Pen, at: Point, radius: number, colour: string): void {
  pen.fillStyle = colour;
  pen.fillRect(at.x - radius, at.y - radius * 0.5, radius * 2, Math.max(1, radius * 0.12));
}

/** What listens has a solid middle: filled if it has clients. */
function drawListeners({ context, palette }: Frame, mark: Mark, at: Point, radius: number): void {
  if (mark.node.listeners.length === 0) return;
  const used = mark.node.listeners.some((one) => one.clients > 0);
  context.beginPath();
  context.arc(at.x, at.y, Math.max(2.5, radius * 0.3), 0, 2 * Math.PI);
  if (used) fill(context, palette["mark-line"]);
  else stroke(context, palette["mark-line"], 1.5, []);
}

function drawPin(pen: Pen, at: Point, radius: number, colour: string): void {
  pen.beginPath();
  pen.arc(at.x - radius * 0.75, at.y - radius * 0.75, 3, 0, 2 * Math.PI);
  fill(pen, colour);
}

function drawBadge({ context, palette }: Frame, problems: number, at: Point, radius: number): void {
  const centre = { x: at.x + radius * 0.8, y: at.y - radius * 0.8 };
  context.beginPath();
  if (radius < 8) {
    context.arc(centre.x, centre.y, 3.5, 0, 2 * Math.PI);
    fill(context, palette.failing);
    return;
  }
  const text = problems > 99 ? "99+" : problems === 1 ? "!" : String(problems);
  context.font = "700 10px system-ui, sans-serif";
  const width = Math.max(15, context.measureText(text).width + 8);
  context.roundRect(centre.x - width / 2, centre.y - 7.5, width, 15, 7.5);
  fill(context, palette.failing);
  stroke(context, palette.map, 1.5, []);
  context.fillStyle = palette.map;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, centre.x, centre.y + 0.5);
}

/** Outlines of what is gone, fading. */
export function drawGhosts(frame: Frame, ghosts: readonly Ghost[]): void {
  const { context, palette } = frame;
  for (const ghost of ghosts) {
    const at = screenOf(frame, ghost);
    context.globalAlpha = ghost.left * 0.7;
    context.beginPath();
    context.arc(at.x, at.y, Math.max(2, 11 * frame.camera.zoom), 0, 2 * Math.PI);
    stroke(context, palette.muted, 1, [2, 3]);
  }
  context.globalAlpha = 1;
}

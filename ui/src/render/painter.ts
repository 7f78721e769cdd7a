/** Draws a scene: all of it at once into a bitmap, what is hovered or selected over it. */
import type { Scene } from "../scene/scene";
import { screenOf } from "./frame";
import type { Frame } from "./frame";
import { drawLabels } from "./labels";
import { drawLineHalo, drawLines } from "./lines";
import { drawGhosts, drawMark, drawMarks } from "./marks";

/** Everything: districts, lines, marks, names. */
export function paint(frame: Frame, scene: Scene): void {
  const { context, size, palette } = frame;
  context.fillStyle = palette.map;
  context.fillRect(0, 0, size.width, size.height);
  drawDistricts(frame, scene);
  drawGhosts(frame, scene.ghosts);
  drawLines(frame, scene.lines);
  drawSelection(frame, scene);
  drawMarks(frame, scene.marks);
  const selected = frame.emphasis?.selected ?? "";
  const mark = selected.startsWith("node:") ? scene.byId.get(selected.slice(5)) : undefined;
  if (mark) drawMark(frame, mark, 2.5);
  drawLabels(frame, scene);
}

function drawSelection(frame: Frame, scene: Scene): void {
  const selected = frame.emphasis?.selected ?? "";
  if (!selected.startsWith("edge:")) return;
  const line = scene.lines.find((one) => one.edge.id === selected.slice(5));
  if (line) drawLineHalo(frame, line);
}

/** What is under the pointer, with its lines. */
export function paintHover(frame: Frame, scene: Scene, hovered: string): void {
  const id = hovered.slice(5);
  if (hovered.startsWith("edge:")) {
    const line = scene.lines.find((one) => one.edge.id === id);
    if (line) drawLineHalo(frame, line);
    return;
  }
  const mark = scene.byId.get(id);
  if (!mark) return;
  const ends = new Set([mark]);
  for (const line of scene.lines) {
    if (line.from !== mark && line.to !== mark) continue;
    drawLineHalo(frame, line);
    ends.add(line.from);
    ends.add(line.to);
  }
  for (const end of ends) drawMark(frame, end, end === mark ? 2 : 1);
}

function drawDistricts(frame: Frame, scene: Scene): void {
  const { context, palette, camera } = frame;
  const zoom = camera.zoom;
  for (const { rectangle } of scene.districts) {
    const { x, y } = screenOf(frame, { x: rectangle.left, y: rectangle.top });
    const width = (rectangle.right - rectangle.left) * zoom;
    const height = (rectangle.bottom - rectangle.top) * zoom;
    context.beginPath();
    context.roundRect(x, y, width, height, Math.min(14, 18 * zoom));
    context.fillStyle = palette.district;
    context.fill();
    context.strokeStyle = palette["district-line"];
    context.lineWidth = 1;
    context.setLineDash([]);
    context.stroke();
  }
}

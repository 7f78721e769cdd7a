/** Names on the map: as many as fit, the important ones first; none over another. */
import type { Mark, Scene } from "../scene/scene";
import { pointAt } from "../scene/curve";
import { elided } from "../store/units";
import { problemOf } from "../store/words";
import type { Rectangle } from "../layout/district";
import { isLit, radiusOf, screenOf, visible } from "./frame";
import type { Frame } from "./frame";
import { healthColour, screenCurve } from "./lines";

const NAME_FONT = "500 12px system-ui, sans-serif";
const DETAIL_FONT = "400 10.5px system-ui, sans-serif";
const BOX_FONT = "600 12px system-ui, sans-serif";
const REASON_FONT = "600 11px system-ui, sans-serif";
const NAME_LETTERS = 16;
/** Where that does not fit. */
const SHORT_LETTERS = 8;
/** From this zoom on, the second line is drawn too. */
const DETAIL_ZOOM = 0.85;
const MOST_REASONS = 20;
/** Kinds of nodes whose second line says nothing that the stack of circles does not. */
const SAME_FOR_ALL = new Set(["executable"]);

/** Rectangles that are taken, in cells, so that a test looks at few. */
class Taken {
  #cells = new Map<number, Rectangle[]>();

  /** Takes a rectangle if nothing is there. */
  take(one: Rectangle): boolean {
    const [left, right] = [Math.floor(one.left / 64), Math.floor(one.right / 64)];
    const [top, bottom] = [Math.floor(one.top / 32), Math.floor(one.bottom / 32)];
    for (let y = top; y <= bottom; y += 1) {
      for (let x = left; x <= right; x += 1) {
        const cell = this.#cells.get((y << 16) ^ (x & 0xffff));
        if (cell && !isFree(one, cell)) return false;
      }
    }
    for (let y = top; y <= bottom; y += 1) {
      for (let x = left; x <= right; x += 1) {
        const key = (y << 16) ^ (x & 0xffff);
        const cell = this.#cells.get(key);
        if (cell) cell.push(one);
        else this.#cells.set(key, [one]);
      }
    }
    return true;
  }
}

function isFree(one: Rectangle, taken: readonly Rectangle[]): boolean {
  for (const other of taken) {
    if (one.left < other.right && other.left < one.right
      && one.top < other.bottom && other.top < one.bottom) return false;
  }
  return true;
}

/** Widths that were measured, by font and words: each is asked for at every frame. */
const widths = new Map<string, number>();
const MOST_WIDTHS = 5000;

function widthOf(context: CanvasRenderingContext2D, words: string, font: string): number {
  const key = `${font}|${words}`;
  let width = widths.get(key);
  if (width === undefined) {
    context.font = font;
    width = context.measureText(words).width;
    if (widths.size >= MOST_WIDTHS) widths.clear();
    widths.set(key, width);
  }
  return width;
}

export function drawLabels(frame: Frame, scene: Scene): void {
  const taken = new Taken();
  drawBoxNames(frame, scene, taken);
  takeMarks(frame, scene.marks, taken);
  drawReasons(frame, scene, taken);
  for (const mark of byImportance(scene.marks)) {
    if (isLit(frame, "nodes", mark.id)) drawName(frame, mark, taken);
  }
}

/** The names of the boxes, over lines that cross them. */
function drawBoxNames(frame: Frame, scene: Scene, taken: Taken): void {
  const { context, camera } = frame;
  for (const { box, part, rectangle } of scene.districts) {
    const width = (rectangle.right - rectangle.left) * camera.zoom;
    if (width < 40 || box === "") continue;
    const whole = part === 0 ? box : `${box} (${part + 1})`;
    const name = elided(whole, Math.max(4, Math.floor(width / 8) - 2));
    const { x, y } = screenOf(frame, { x: rectangle.left, y: rectangle.top });
    const half = widthOf(context, name, BOX_FONT) / 2;
    taken.take({ left: x, right: x + 18 + 2 * half, top: y, bottom: y + 22 });
    text(frame, name, x + 9 + half, y + 12, BOX_FONT, frame.palette.muted);
  }
}

/** No words over marks and their badges. */
function takeMarks(frame: Frame, marks: readonly Mark[], taken: Taken): void {
  for (const mark of marks) {
    const { x, y } = screenOf(frame, mark);
    const radius = radiusOf(frame, mark);
    if (!visible(frame, { x, y }, 80)) continue;
    const badge = mark.node.problems > 0 ? 7 : 0;
    taken.take({
      left: x - radius, right: x + radius + badge, top: y - radius - badge, bottom: y + radius,
    });
  }
}

function byImportance(marks: readonly Mark[]): Mark[] {
  const value = (mark: Mark): number => (
    mark.node.problems * 1e6 + mark.radius * 1e3 + Math.min(999, mark.node.open)
  );
  return [...marks].sort((a, b) => value(b) - value(a) || (a.id < b.id ? -1 : 1));
}

function drawName(frame: Frame, mark: Mark, taken: Taken): void {
  const { context, palette, camera } = frame;
  const at = screenOf(frame, mark);
  if (!visible(frame, at, 80)) return;
  const near = camera.zoom >= DETAIL_ZOOM && !SAME_FOR_ALL.has(mark.node.kind);
  const whole = near ? elided(mark.node.detail, NAME_LETTERS + 2) : "";
  const top = at.y + radiusOf(frame, mark) + 4;
  for (const [letters, detail] of [[NAME_LETTERS, whole], [NAME_LETTERS, ""], [SHORT_LETTERS, ""]] as const) {
    const name = elided(mark.node.label, letters);
    const half = Math.max(widthOf(context, name, NAME_FONT), detail.length * 5.2) / 2 + 2;
    const bottom = top + (detail ? 27 : 14);
    if (!taken.take({ left: at.x - half, right: at.x + half, top, bottom })) continue;
    text(frame, name, at.x, top + 6, NAME_FONT, palette.text);
    if (detail) text(frame, detail, at.x, top + 20, DETAIL_FONT, palette.muted);
    return;
  }
}

/** Why lines are not fine: on what is selected, else on the worst of all. */
function drawReasons(frame: Frame, scene: Scene, taken: Taken): void {
  let drawn = 0;
  for (let index = scene.lines.length - 1; index >= 0 && drawn < MOST_REASONS; index -= 1) {
    const line = scene.lines[index];
    if (!line || line.edge.health === "fine") break;
    if (!isLit(frame, "edges", line.edge.id)) continue;
    const curve = screenCurve(frame, line, 0);
    if (!curve) continue;
    const at = pointAt(curve, 0.5);
    const reason = elided(problemOf(line.edge), 28);
    const half = widthOf(frame.context, reason, REASON_FONT) / 2 + 3;
    const length = Math.hypot(curve.end.x - curve.start.x, curve.end.y - curve.start.y);
    if (length < half * 0.8 || !visible(frame, at, 0)) continue;
    // On a short line the words would hide it: they go above.
    const y = length < half * 4 ? at.y - 11 : at.y;
    if (!taken.take({ left: at.x - half, right: at.x + half, top: y - 8, bottom: y + 8 })) continue;
    text(frame, reason, at.x, y, REASON_FONT, healthColour(frame.palette, line.edge.health));
    drawn += 1;
  }
}

/** Text with an outline of the map's colour, so that lines do not cross it. */
function text(frame: Frame, words: string, x: number, y: number, font: string, colour: string): void {
  const { context, palette } = frame;
  context.font = font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.setLineDash([]);
  context.lineWidth = 3.5;
  context.strokeStyle = palette.map;
  context.strokeText(words, x, y);
  context.fillStyle = colour;
  context.fillText(words, x, y);
}

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
const REASON_FONT = "600 11px system-ui, sans-serif";
const NAME_LETTERS = 18;
/** From this zoom on, the second line is drawn too. */
const DETAIL_ZOOM = 0.85;
const MOST_REASONS = 20;

/** Rectangles that are taken, in cells, so that a test looks at few. */
class Taken {
  #cells = new Map<string, Rectangle[]>();

  /** Takes a rectangle if nothing is there. */
  take(one: Rectangle): boolean {
    const keys = [...this.#keys(one)];
    for (const key of keys) {
      for (const other of this.#cells.get(key) ?? []) {
        if (one.left < other.right && other.left < one.right
          && one.top < other.bottom && other.top < one.bottom) return false;
      }
    }
    for (const key of keys) {
      const cell = this.#cells.get(key);
      if (cell) cell.push(one);
      else this.#cells.set(key, [one]);
    }
    return true;
  }

  *#keys({ left, right, top, bottom }: Rectangle): Generator<string> {
    for (let x = Math.floor(left / 64); x <= Math.floor(right / 64); x += 1) {
      for (let y = Math.floor(top / 32); y <= Math.floor(bottom / 32); y += 1) yield `${x},${y}`;
    }
  }
}

export function drawLabels(frame: Frame, scene: Scene): void {
  const taken = new Taken();
  for (const { rectangle } of scene.districts) {
    const corner = screenOf(frame, { x: rectangle.left, y: rectangle.top });
    taken.take({ left: corner.x, right: corner.x + 120, top: corner.y - 2, bottom: corner.y + 20 });
  }
  drawReasons(frame, scene, taken);
  for (const mark of byImportance(scene.marks)) {
    if (isLit(frame, "nodes", mark.id)) drawName(frame, mark, taken);
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
  const name = elided(mark.node.label, NAME_LETTERS);
  const detail = camera.zoom >= DETAIL_ZOOM ? elided(mark.node.detail, NAME_LETTERS + 2) : "";
  context.font = NAME_FONT;
  const half = Math.max(context.measureText(name).width, detail.length * 5.2) / 2 + 2;
  const top = at.y + radiusOf(frame, mark) + 4;
  const bottom = top + (detail ? 27 : 14);
  if (!taken.take({ left: at.x - half, right: at.x + half, top, bottom })) return;
  text(frame, name, at.x, top + 6, NAME_FONT, palette.text);
  if (detail) text(frame, detail, at.x, top + 20, DETAIL_FONT, palette.muted);
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
    frame.context.font = REASON_FONT;
    const half = frame.context.measureText(reason).width / 2 + 3;
    const length = Math.hypot(curve.end.x - curve.start.x, curve.end.y - curve.start.y);
    if (length < half * 1.2 || !visible(frame, at, 0)) continue;
    if (!taken.take({ left: at.x - half, right: at.x + half, top: at.y - 8, bottom: at.y + 8 })) continue;
    text(frame, reason, at.x, at.y, REASON_FONT, healthColour(frame.palette, line.edge.health));
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

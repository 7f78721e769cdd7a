/**
 * The map for those who do not see the canvas: a button over each mark, in the same place.
 *
 * One of them is in the tab order, arrow keys walk. The focus ring is the button's own outline.
 */
import type { Camera, Size } from "../render/camera";
import { neighbour } from "../scene/pick";
import type { Direction } from "../scene/pick";
import { EMPTY_SCENE } from "../scene/scene";
import type { Mark, Scene } from "../scene/scene";
import { describeNode } from "../store/words";

/** More marks than this are not mirrored; the table has them all. */
export const MIRRORED = 400;
/** Words change no faster: a reader is not interrupted each second. */
const WORDS_MS = 5000;

export interface MirrorListener {
  open(id: string): void;
  focus(id: string | null): void;
  /** Shift and arrows: the way to move a node without dragging it. */
  nudge(id: string, direction: Direction): void;
}

const ARROWS: Record<string, Direction> = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
};

interface Place {
  x: number;
  y: number;
  radius: number;
}

export class Mirror {
  #scene: Scene = EMPTY_SCENE;
  /** Where each button was put: most marks stay, and comparing numbers costs less than writing styles. */
  #places = new Map<string, Place>();
  #buttons = new Map<string, HTMLButtonElement>();
  #current = "";
  #wordsAt = -Infinity;

  constructor(
    readonly root: HTMLElement,
    private readonly layer: HTMLElement,
    private readonly listener: MirrorListener,
    signal: AbortSignal,
  ) {
    root.addEventListener("keydown", (event) => this.#key(event), { signal });
    root.addEventListener("focusin", (event) => this.#focused(event.target), { signal });
    root.addEventListener("focusout", () => listener.focus(null), { signal });
    root.addEventListener("click", (event) => {
      const id = this.#idOf(event.target);
      if (id) listener.open(id);
    }, { signal });
  }

  /** Follows the camera: one transform for all. */
  look(camera: Camera, size: Size): void {
    const x = size.width / 2 - camera.x * camera.zoom;
    const y = size.height / 2 - camera.y * camera.zoom;
    this.layer.style.transform = `translate(${x}px, ${y}px) scale(${camera.zoom})`;
    this.layer.style.setProperty("--unzoom", String(1 / camera.zoom));
  }

  setScene(scene: Scene, nowMs: number): void {
    this.#scene = scene;
    const marks = mirrored(scene);
    const words = nowMs - this.#wordsAt >= WORDS_MS;
    if (words) this.#wordsAt = nowMs;
    const here = new Set(marks.map((mark) => mark.id));
    const focused = this.#idOf(document.activeElement);
    for (const [id, button] of this.#buttons) {
      if (here.has(id)) continue;
      button.remove();
      this.#buttons.delete(id);
      this.#places.delete(id);
    }
    for (const mark of marks) this.#put(mark, words && mark.id !== focused);
    this.root.setAttribute("aria-label", `Map of ${marks.length} nodes. Arrow keys walk, Enter opens.`);
    if (!here.has(this.#current)) this.#setCurrent(marks[0]?.id ?? "");
    if (focused && !here.has(focused)) this.focus(this.#current);
  }

  /** Puts the keyboard on a mark (the current one without `id`). */
  focus(id: string = this.#current): void {
    if (!this.#buttons.has(id)) return;
    this.#setCurrent(id);
    this.#buttons.get(id)?.focus({ preventScroll: true });
  }

  get current(): string {
    return this.#current;
  }

  #put(mark: Mark, words: boolean): void {
    let button = this.#buttons.get(mark.id);
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.tabIndex = -1;
      button.dataset["id"] = mark.id;
      button.setAttribute("aria-label", describeNode(mark.node));
      this.#buttons.set(mark.id, button);
      this.layer.append(button);
    } else if (words) {
      button.setAttribute("aria-label", describeNode(mark.node));
    }
    const { id, x, y, radius } = mark;
    const before = this.#places.get(id);
    if (before && before.x === x && before.y === y && before.radius === radius) return;
    this.#places.set(id, { x, y, radius });
    button.style.transform = `translate(${x - radius}px, ${y - radius}px)`;
    button.style.width = button.style.height = `${radius * 2}px`;
  }

  #setCurrent(id: string): void {
    const before = this.#buttons.get(this.#current);
    if (before) before.tabIndex = -1;
    this.#current = id;
    const now = this.#buttons.get(id);
    if (now) now.tabIndex = 0;
  }

  #idOf(target: EventTarget | null): string | undefined {
    return target instanceof HTMLElement && this.layer.contains(target)
      ? target.dataset["id"] : undefined;
  }

  #focused(target: EventTarget | null): void {
    const id = this.#idOf(target);
    if (id === undefined) return;
    this.#setCurrent(id);
    this.listener.focus(id);
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = ARROWS[event.key];
    if (direction && event.shiftKey) this.listener.nudge(this.#current, direction);
    else if (direction) this.focus(neighbour(this.#scene, this.#current, direction) ?? this.#current);
    else if (event.key === "n" || event.key === "N") this.#nextProblem(event.key === "n" ? 1 : -1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #nextProblem(step: 1 | -1): void {
    const ids = [...this.#buttons.keys()];
    const from = ids.indexOf(this.#current);
    for (let tried = 1; tried <= ids.length; tried += 1) {
      const id = ids[(from + step * tried + ids.length * tried) % ids.length];
      if (id !== undefined && (this.#scene.byId.get(id)?.node.problems ?? 0) > 0) {
        this.focus(id);
        return;
      }
    }
  }
}

/** The marks that are mirrored: those with the most connections, problems first. */
function mirrored(scene: Scene): readonly Mark[] {
  const order = [...scene.marks].sort((a, b) => (
    b.node.problems - a.node.problems || b.node.open - a.node.open || (a.id < b.id ? -1 : 1)
  ));
  return order.slice(0, MIRRORED);
}

/** Mouse, pen and fingers on the map: pan, zoom, drag a node, hover, select. */
import type { Point } from "../layout/district";
import { pick } from "../scene/pick";
import type { Target } from "../scene/pick";
import type { Stage } from "./stage";

/** Below this a press is a click, not a drag. */
const CLICK_PIXELS = 4;

export interface PointerListener {
  select(target: Target | null): void;
  hover(target: Target | null, at: Point): void;
  /** A node is dragged; `done` at the end. */
  drag(id: string, to: Point, done: boolean): void;
}

interface Press {
  at: Point;
  moved: boolean;
  target: Target | null;
}

/** Listens on `element`, which lies over the canvas, until `signal` is aborted. */
export function listenToPointer(
  element: HTMLElement, stage: Stage, listener: PointerListener, signal: AbortSignal,
): void {
  const hands = new Hands(element, stage, listener);
  const options = { signal };
  element.addEventListener("pointerdown", (event) => hands.down(event), options);
  element.addEventListener("pointermove", (event) => hands.move(event), options);
  element.addEventListener("pointerup", (event) => hands.up(event), options);
  element.addEventListener("pointercancel", (event) => hands.cancel(event), options);
  element.addEventListener("pointerleave", () => listener.hover(null, { x: 0, y: 0 }), options);
  element.addEventListener("wheel", (event) => hands.wheel(event), { signal, passive: false });
  element.addEventListener("dblclick", (event) => {
    stage.zoom(1.6, hands.place(event));
  }, options);
}

class Hands {
  #fingers = new Map<number, Point>();
  #press: Press | null = null;

  constructor(
    private readonly element: HTMLElement,
    private readonly stage: Stage,
    private readonly listener: PointerListener,
  ) {}

  place(event: MouseEvent): Point {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.#fingers.set(event.pointerId, at);
    if (this.#fingers.size === 1) this.#press = { at, moved: false, target: this.#pick(at) };
    else if (this.#press) this.#press.moved = true;
  }

  move(event: PointerEvent): void {
    const at = this.place(event);
    const before = this.#fingers.get(event.pointerId);
    if (!before || !this.#press) {
      this.#hover(at);
      return;
    }
    if (this.#fingers.size === 2) this.#pinch(event.pointerId, before, at);
    else this.#dragTo(this.#press, before, at);
    this.#fingers.set(event.pointerId, at);
  }

  up(event: PointerEvent): void {
    const press = this.#press;
    this.#fingers.delete(event.pointerId);
    if (this.#fingers.size > 0 || !press) return;
    this.#press = null;
    this.element.classList.remove("dragging");
    if (!press.moved) this.listener.select(press.target);
    else if (press.target?.kind === "node") {
      this.listener.drag(press.target.id, this.stage.world(this.place(event)), true);
    }
  }

  cancel(event: PointerEvent): void {
    this.#fingers.delete(event.pointerId);
    this.#press = null;
  }

  wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.shiftKey) this.stage.pan(-event.deltaY * lines, 0);
    else this.stage.zoom(Math.exp(-event.deltaY * lines * 0.0016), this.place(event));
  }

  #pick(at: Point): Target | null {
    return pick(this.stage.scene, this.stage.world(at), this.stage.camera.zoom);
  }

  #hover(at: Point): void {
    const target = this.#pick(at);
    this.element.classList.toggle("pointing", target !== null);
    this.listener.hover(target, at);
  }

  #dragTo(press: Press, before: Point, at: Point): void {
    const far = Math.hypot(at.x - press.at.x, at.y - press.at.y) >= CLICK_PIXELS;
    if (!press.moved && !far) return;
    if (!press.moved) {
      press.moved = true;
      this.element.classList.add("dragging");
      this.listener.hover(null, at);
    }
    if (press.target?.kind === "node") {
      this.listener.drag(press.target.id, this.stage.world(at), false);
    } else {
      this.stage.pan(at.x - before.x, at.y - before.y);
    }
  }

  #pinch(finger: number, before: Point, at: Point): void {
    const other = [...this.#fingers].find(([id]) => id !== finger)?.[1];
    if (!other) return;
    const factor = Math.hypot(at.x - other.x, at.y - other.y)
      / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
    this.stage.zoom(factor, { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
    this.stage.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
  }
}

/** The map on the screen: one canvas, one camera, one frame at a time. */
import type { Point } from "../layout/district";
import { fitted, toWorld, zoomAt } from "../render/camera";
import type { Camera, Size } from "../render/camera";
import type { Emphasis } from "../render/frame";
import { paintHover } from "../render/painter";
import type { Palette } from "../render/palette";
import { EMPTY_SCENE } from "../scene/scene";
import type { Scene } from "../scene/scene";
import { Bitmap } from "./bitmap";

/** After the last zoom step the map is drawn sharp. */
const SETTLE_MS = 140;
const FIT_MARGIN = 36;
const FRAMES_KEPT = 240;

export class Stage {
  scene: Scene = EMPTY_SCENE;
  camera: Camera = { x: 0, y: 0, zoom: 1 };
  size: Size = { width: 0, height: 0 };
  /** Milliseconds of drawing of the last frames. */
  readonly frameTimes: number[] = [];
  /** Called after each frame in which the camera is another. */
  onCamera: (camera: Camera, size: Size) => void = () => undefined;
  #context: CanvasRenderingContext2D | null;
  #bitmap = new Bitmap();
  #emphasis: Emphasis | null = null;
  #hovered = "";
  #palette: Palette | null = null;
  #frame = 0;
  #settle = 0;
  #shown: Camera | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.#context = canvas.getContext("2d", { alpha: false });
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settle);
  }

  setPalette(palette: Palette): void {
    this.#palette = palette;
    this.#redraw();
  }

  setScene(scene: Scene): void {
    this.scene = scene;
    this.#redraw();
  }

  setEmphasis(emphasis: Emphasis | null): void {
    this.#emphasis = emphasis;
    this.#redraw();
  }

  setHovered(hovered: string): void {
    if (this.#hovered === hovered) return;
    this.#hovered = hovered;
    this.#ask();
  }

  /** The canvas has another size, in CSS pixels. What is drawn stays where it is on the screen. */
  resize(size: Size): void {
    if (size.width === this.size.width && size.height === this.size.height) return;
    const { x, y, zoom } = this.camera;
    if (this.size.width > 0) {
      this.camera = {
        x: x + (size.width - this.size.width) / 2 / zoom,
        y: y + (size.height - this.size.height) / 2 / zoom,
        zoom,
      };
    }
    this.size = size;
    const ratio = this.#ratio();
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
    this.#redraw();
  }

  look(camera: Camera): void {
    const zoomed = camera.zoom !== this.camera.zoom;
    this.camera = camera;
    this.#ask();
    if (!zoomed) return;
    clearTimeout(this.#settle);
    this.#settle = window.setTimeout(() => {
      if (!this.#bitmap.sharp(this.camera)) this.#redraw();
    }, SETTLE_MS);
  }

  /** Shows all of it. */
  fit(): void {
    const { districts, marks } = this.scene;
    const around = marks.map(({ x, y, radius }) => (
      { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius }
    ));
    this.look(fitted([...districts.map((one) => one.rectangle), ...around], this.size, FIT_MARGIN));
    this.#redraw();
  }

  zoom(factor: number, at: Point = { x: this.size.width / 2, y: this.size.height / 2 }): void {
    this.look(zoomAt(this.camera, this.size, at, factor));
  }

  /** Moves the camera by screen pixels. */
  pan(dx: number, dy: number): void {
    const { x, y, zoom } = this.camera;
    this.look({ x: x - dx / zoom, y: y - dy / zoom, zoom });
  }

  /** Moves the camera as little as needed for a world point to be seen well. */
  reveal(at: Point): void {
    const { x, y, zoom } = this.camera;
    const reachX = Math.max(0, this.size.width / 2 - 70) / zoom;
    const reachY = Math.max(0, this.size.height / 2 - 70) / zoom;
    const next = {
      x: Math.min(at.x + reachX, Math.max(at.x - reachX, x)),
      y: Math.min(at.y + reachY, Math.max(at.y - reachY, y)),
      zoom,
    };
    if (next.x !== x || next.y !== y) this.look(next);
  }

  /** Whether all boxes and marks of a scene are in sight. */
  holds({ districts, marks }: Scene): boolean {
    const { x, y, zoom } = this.camera;
    const [reachX, reachY] = [this.size.width / 2 / zoom, this.size.height / 2 / zoom];
    const seen = (atX: number, atY: number): boolean => (
      Math.abs(atX - x) < reachX && Math.abs(atY - y) < reachY
    );
    return marks.every((mark) => seen(mark.x, mark.y)) && districts.every(({ rectangle: box }) => (
      seen(box.left, box.top) && seen(box.right, box.bottom)
    ));
  }

  world(at: Point): Point {
    return toWorld(this.camera, this.size, at);
  }

  #ratio(): number {
    return Math.min(2, window.devicePixelRatio || 1);
  }

  #redraw(): void {
    this.#bitmap.spoil();
    this.#ask();
  }

  #ask(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    const context = this.#context;
    const palette = this.#palette;
    if (!context || !palette || this.size.width === 0) return;
    const began = performance.now();
    const ratio = this.#ratio();
    if (!this.#bitmap.covers(this.camera, this.size)) {
      this.#bitmap.draw(this.scene, this.camera, this.size, ratio, palette, this.#emphasis);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = palette.map;
    context.fillRect(0, 0, this.size.width, this.size.height);
    this.#bitmap.show(context, this.camera, this.size);
    if (this.#hovered) {
      const { camera, size } = this;
      paintHover({ context, camera, size, palette, emphasis: null }, this.scene, this.#hovered);
    }
    if (this.#shown !== this.camera) this.onCamera(this.camera, this.size);
    this.#shown = this.camera;
    this.frameTimes.push(performance.now() - began);
    if (this.frameTimes.length > FRAMES_KEPT) this.frameTimes.shift();
  }
}

/**
 * The bitmap between scene and screen: drawn with a margin, then moved and scaled while the camera
 * moves. Panning costs the same for ten nodes and two thousand.
 */
import type { Camera, Size } from "../render/camera";
import type { Emphasis, Frame } from "../render/frame";
import { paint } from "../render/painter";
import type { Palette } from "../render/palette";
import type { Scene } from "../scene/scene";

const MARGIN = 280;
/** Beyond these the scaled bitmap would look coarse, or leave the screen empty. */
const LEAST_SCALE = 0.8;
const MOST_SCALE = 1.25;

export class Bitmap {
  readonly #canvas = document.createElement("canvas");
  readonly #context = this.#canvas.getContext("2d", { alpha: false });
  #camera: Camera | null = null;
  #size: Size = { width: 0, height: 0 };

  /** The next `show` draws anew. */
  spoil(): void {
    this.#camera = null;
  }

  /** Is the bitmap drawn for exactly this camera? */
  sharp(camera: Camera): boolean {
    return this.#camera?.zoom === camera.zoom;
  }

  /** Can this camera be shown without drawing anew? */
  covers(camera: Camera, size: Size): boolean {
    const drawn = this.#camera;
    if (!drawn) return false;
    if (this.#size.width !== size.width + 2 * MARGIN) return false;
    if (this.#size.height !== size.height + 2 * MARGIN) return false;
    const scale = camera.zoom / drawn.zoom;
    if (scale < LEAST_SCALE || scale > MOST_SCALE) return false;
    const dx = Math.abs(camera.x - drawn.x) * camera.zoom + size.width / 2;
    const dy = Math.abs(camera.y - drawn.y) * camera.zoom + size.height / 2;
    return dx <= (this.#size.width / 2) * scale && dy <= (this.#size.height / 2) * scale;
  }

  draw(
    scene: Scene, camera: Camera, size: Size, ratio: number, palette: Palette,
    emphasis: Emphasis | null,
  ): void {
    const context = this.#context;
    if (!context) return;
    this.#size = { width: size.width + 2 * MARGIN, height: size.height + 2 * MARGIN };
    const [width, height] = [this.#size.width * ratio, this.#size.height * ratio];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const frame: Frame = { context, camera, size: this.#size, palette, emphasis };
    paint(frame, scene);
    this.#camera = { ...camera };
  }

  /** Puts the bitmap on `target`, whose unit is a CSS pixel, as `camera` sees it. */
  show(target: CanvasRenderingContext2D, camera: Camera, size: Size): void {
    const drawn = this.#camera;
    if (!drawn) return;
    const scale = camera.zoom / drawn.zoom;
    const width = this.#size.width * scale;
    const height = this.#size.height * scale;
    const left = (size.width - width) / 2 + (drawn.x - camera.x) * camera.zoom;
    const top = (size.height - height) / 2 + (drawn.y - camera.y) * camera.zoom;
    target.drawImage(this.#canvas, left, top, width, height);
  }
}

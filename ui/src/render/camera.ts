/** The camera: which part of the world is on the screen. */
import type { Point, Rectangle } from "../layout/district";

/** `x`, `y` is the world point in the middle of the screen; `zoom` screen pixels per world unit. */
export interface Camera {
  x: number;
  y: number;
  zoom: number;
}

export interface Size {
  width: number;
  height: number;
}

const CLOSEST = 3;
const FARTHEST = 0.05;
/** A fit shows nothing larger than this: three nodes do not fill a screen. */
const FIT_MOST = 1.25;

export function toScreen(camera: Camera, size: Size, at: Point): Point {
  return {
    x: (at.x - camera.x) * camera.zoom + size.width / 2,
    y: (at.y - camera.y) * camera.zoom + size.height / 2,
  };
}

export function toWorld(camera: Camera, size: Size, at: Point): Point {
  return {
    x: (at.x - size.width / 2) / camera.zoom + camera.x,
    y: (at.y - size.height / 2) / camera.zoom + camera.y,
  };
}

/** Zooms by `factor`, keeping the world point under a screen point where it is. */
export function zoomAt(camera: Camera, size: Size, at: Point, factor: number): Camera {
  const zoom = Math.min(CLOSEST, Math.max(FARTHEST, camera.zoom * factor));
  const fixed = toWorld(camera, size, at);
  return {
    x: fixed.x - (at.x - size.width / 2) / zoom,
    y: fixed.y - (at.y - size.height / 2) / zoom,
    zoom,
  };
}

/** The camera that shows all of these rectangles, with `margin` pixels around. */
export function fitted(rectangles: readonly Rectangle[], size: Size, margin: number): Camera {
  if (rectangles.length === 0) return { x: 0, y: 0, zoom: 1 };
  const left = Math.min(...rectangles.map((one) => one.left));
  const right = Math.max(...rectangles.map((one) => one.right));
  const top = Math.min(...rectangles.map((one) => one.top));
  const bottom = Math.max(...rectangles.map((one) => one.bottom));
  const zoom = Math.min(
    (size.width - 2 * margin) / (right - left),
    (size.height - 2 * margin) / (bottom - top),
    FIT_MOST,
  );
  return {
    x: (left + right) / 2, y: (top + bottom) / 2, zoom: Math.max(FARTHEST, zoom),
  };
}

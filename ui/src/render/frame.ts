/** What the drawing functions share: where to draw, which part of the world, in which colours. */
import type { Point } from "../layout/district";
import type { Mark } from "../scene/scene";
import { toScreen } from "./camera";
import type { Camera, Size } from "./camera";
import type { Palette } from "./palette";

/** What is lit; the rest is dimmed. Null: nothing is selected, all is drawn as it is. */
export interface Emphasis {
  nodes: ReadonlySet<string>;
  edges: ReadonlySet<string>;
  /** The selected one itself: `node:ID` or `edge:ID`. */
  selected: string;
}

export interface Frame {
  context: CanvasRenderingContext2D;
  camera: Camera;
  size: Size;
  palette: Palette;
  emphasis: Emphasis | null;
}

/** Opacity of what is not lit. */
export const DIM = 0.18;
/** No mark is drawn smaller. */
const LEAST_RADIUS = 3;

export function screenOf(frame: Frame, at: Point): Point {
  return toScreen(frame.camera, frame.size, at);
}

/** The radius of a mark in screen pixels. */
export function radiusOf(frame: Frame, mark: Mark): number {
  return Math.max(LEAST_RADIUS, mark.radius * frame.camera.zoom);
}

/** Is a screen point, with `slack` pixels around, on the canvas? */
export function visible(frame: Frame, { x, y }: Point, slack: number): boolean {
  return x > -slack && y > -slack && x < frame.size.width + slack && y < frame.size.height + slack;
}

export function isLit(frame: Frame, kind: "nodes" | "edges", id: string): boolean {
  return frame.emphasis === null || frame.emphasis[kind].has(id);
}

/** Keeps the stage and its mirror in step with the state while the map is on the screen. */
import { effect } from "@preact/signals";

import type { Point } from "../layout/district";
import { Mirror } from "../mirror/mirror";
import type { Emphasis } from "../render/frame";
import type { Camera } from "../render/camera";
import { readPalette } from "../render/palette";
import type { Direction, Target } from "../scene/pick";
import type { Scene } from "../scene/scene";
import { listenToPointer } from "../stage/pointer";
import { Stage } from "../stage/stage";
import { go, select } from "../session/actions";
import * as atlas from "./atlas";
import { hovered, place, selection, shown } from "../session/state";
import { coloursChanged, reducedMotion } from "../session/theme";

const TIDY_MS = 400;
const NUDGE = 24;

/** The chart that is on the screen, for keys and tests; null while another screen is. */
export let current: Chart | null = null;

export class Chart {
  readonly stage: Stage;
  readonly mirror: Mirror;
  readonly #aborter = new AbortController();
  readonly #effects: (() => void)[] = [];
  #group = "";
  /** The camera of the last fit: as long as it is this one, nobody has moved it. */
  #fitted: Camera | null = null;
  #animation = 0;
  #dragFrom: Point | null | undefined;

  constructor(
    readonly root: HTMLElement, canvas: HTMLCanvasElement, layer: HTMLElement,
    /** Puts the card of what is hovered there. */
    private readonly onHover: (target: Target | null, at: Point) => void,
  ) {
    const { signal } = this.#aborter;
    this.stage = new Stage(canvas);
    this.mirror = new Mirror(root, layer, {
      open: (id) => select("node", id),
      focus: (id) => this.#focused(id),
      nudge: (id, direction) => this.#nudge(id, direction),
    }, signal);
    this.stage.onCamera = (camera, size) => {
      this.mirror.look(camera, size);
      if (this.#group) atlas.keepCamera(atlas.groupOf(shown.peek()), camera);
    };
    listenToPointer(root, this.stage, {
      select: (target) => {
        this.#hover(null, { x: 0, y: 0 });
        if (target) select(target.kind, target.id);
        else if (place.peek().selection) select(null);
      },
      hover: (target, at) => this.#hover(target, at),
      drag: (id, to, done) => this.#drag(id, to, done),
    }, signal);
    this.#observe();
    this.#effects.push(
      effect(() => { void coloursChanged.value; this.stage.setPalette(readPalette(root)); }),
      effect(() => { void atlas.pinsChanged.value; atlas.chart(shown.value, place.value.metric); }),
      effect(() => this.#show(atlas.scene.value)),
      effect(() => this.stage.setEmphasis(emphasisOf(atlas.scene.value, selection.value))),
      effect(() => this.stage.setHovered(hovered.value)),
    );
    current = this;
  }

  close(): void {
    for (const stop of this.#effects) stop();
    this.#aborter.abort();
    cancelAnimationFrame(this.#animation);
    this.stage.close();
    hovered.value = "";
    if (current === this) current = null;
  }

  tidy(): void {
    const before = new Map(this.stage.scene.marks.map(({ id, x, y }) => [id, { x, y }]));
    atlas.tidy(shown.peek(), place.peek().metric);
    if (!reducedMotion.matches) this.#animate(before, performance.now());
  }

  /** The selected node, else all of it. */
  focus(): void {
    const id = selection.peek()?.kind === "node" ? selection.peek()?.id : undefined;
    const mark = id === undefined ? undefined : this.stage.scene.byId.get(id);
    if (mark) this.stage.look({ x: mark.x, y: mark.y, zoom: Math.max(1, this.stage.camera.zoom) });
    else this.stage.fit();
  }

  #observe(): void {
    const measure = (): void => {
      const first = this.stage.size.width === 0;
      this.stage.resize({ width: this.root.clientWidth, height: this.root.clientHeight });
      if (first) this.#show(this.stage.scene);
      else this.#revealSelected();
    };
    const observer = new ResizeObserver(measure);
    observer.observe(this.root);
    this.#aborter.signal.addEventListener("abort", () => observer.disconnect());
    measure();
  }

  /** The details take room from the map: what they are about stays in sight. */
  #revealSelected(): void {
    const chosen = selection.peek();
    const mark = chosen?.kind === "node" ? this.stage.scene.byId.get(chosen.id) : undefined;
    if (mark) this.stage.reveal(mark);
  }

  #show(scene: Scene): void {
    this.stage.setScene(scene);
    this.mirror.setScene(scene, performance.now());
    const group = atlas.groupOf(shown.peek());
    if (scene.marks.length === 0 || this.stage.size.width === 0) return;
    if (group === this.#group) {
      // Nobody who comes is out of sight before the viewer has taken the camera.
      if (this.stage.camera === this.#fitted && !this.stage.holds(scene)) this.#fit();
      return;
    }
    this.#group = group;
    const camera = atlas.cameraOf(group);
    if (camera) this.stage.look(camera);
    else this.#fit();
  }

  #fit(): void {
    this.stage.fit();
    this.#fitted = this.stage.camera;
  }

  #animate(before: ReadonlyMap<string, Point>, began: number): void {
    cancelAnimationFrame(this.#animation);
    const step = (): void => {
      const scene = atlas.scene.peek();
      const time = Math.min(1, (performance.now() - began) / TIDY_MS);
      const eased = 1 - (1 - time) ** 3;
      this.stage.setScene(time === 1 ? scene : between(scene, before, eased));
      if (time < 1) this.#animation = requestAnimationFrame(step);
    };
    step();
  }

  #hover(target: Target | null, at: Point): void {
    hovered.value = target ? `${target.kind}:${target.id}` : "";
    this.onHover(target, at);
  }

  #focused(id: string | null): void {
    hovered.value = id === null ? "" : `node:${id}`;
    const mark = id === null ? undefined : this.stage.scene.byId.get(id);
    if (mark) this.stage.reveal(mark);
  }

  #drag(id: string, to: Point, done: boolean): void {
    const picture = shown.peek();
    const layout = atlas.layoutOf(atlas.groupOf(picture));
    if (this.#dragFrom === undefined) this.#dragFrom = layout.pins().get(id) ?? null;
    atlas.pin(picture, place.peek().metric, id, to, done);
    if (!done) return;
    atlas.offerUnpin(picture, picture.nodes.get(id)?.label ?? id, id, this.#dragFrom);
    this.#dragFrom = undefined;
  }

  #nudge(id: string, direction: Direction): void {
    const mark = this.stage.scene.byId.get(id);
    if (!mark) return;
    const dx = direction === "left" ? -NUDGE : direction === "right" ? NUDGE : 0;
    const dy = direction === "up" ? -NUDGE : direction === "down" ? NUDGE : 0;
    this.#drag(id, { x: mark.x + dx, y: mark.y + dy }, true);
  }
}

function between(scene: Scene, before: ReadonlyMap<string, Point>, share: number): Scene {
  const marks = scene.marks.map((mark) => {
    const from = before.get(mark.id) ?? mark;
    return {
      ...mark,
      x: from.x + (mark.x - from.x) * share,
      y: from.y + (mark.y - from.y) * share,
    };
  });
  const byId = new Map(marks.map((mark) => [mark.id, mark]));
  const lines = scene.lines.map((line) => ({
    ...line, from: byId.get(line.from.id) ?? line.from, to: byId.get(line.to.id) ?? line.to,
  }));
  return { ...scene, marks, lines, byId };
}

function emphasisOf(scene: Scene, chosen: { kind: string; id: string } | null): Emphasis | null {
  if (!chosen) return null;
  const nodes = new Set<string>();
  const edges = new Set<string>();
  if (chosen.kind === "node" && scene.byId.has(chosen.id)) nodes.add(chosen.id);
  for (const { edge, from, to } of scene.lines) {
    const lit = chosen.kind === "edge"
      ? edge.id === chosen.id : from.id === chosen.id || to.id === chosen.id;
    if (!lit) continue;
    edges.add(edge.id);
    nodes.add(from.id);
    nodes.add(to.id);
  }
  return nodes.size === 0 ? null : { nodes, edges, selected: `${chosen.kind}:${chosen.id}` };
}

/** Shows a node of the table or of the details on the map. */
export function showOnMap(kind: "node" | "edge", id: string): void {
  go({ screen: "map", selection: `${kind}:${id}` }, true);
}

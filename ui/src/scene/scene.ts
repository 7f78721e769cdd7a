/** What is to be drawn: marks with places, lines between them, districts. No pixels, no colours. */
import type { Metric, NodeFact, EdgeFact } from "../protocol/facts";
import type { DistrictView, Layout } from "../layout/layout";
import { edgeValue, nodeValue, steadyScale, stepOf } from "../store/metric";
import type { Scale } from "../store/metric";
import type { Picture } from "../store/model";
import { bendsAround } from "./bend";

/** Radii of marks in world units, by size step. */
const RADII = [13, 17, 22] as const;
/** How long the outline of a node that is gone is seen. */
export const FADE_MS = 20_000;

export interface Mark {
  id: string;
  node: NodeFact;
  x: number;
  y: number;
  radius: number;
  pinned: boolean;
}

export interface Line {
  edge: EdgeFact;
  from: Mark;
  to: Mark;
  /** Width: 0 to 4. */
  step: number;
  /** How far it goes around marks in its way, as a share of its length. */
  bend: number;
}

export interface Ghost {
  x: number;
  y: number;
  /** 1 just gone, 0 forgotten. */
  left: number;
}

export interface Scene {
  marks: readonly Mark[];
  /** Thin and fine first: what matters is drawn over it. */
  lines: readonly Line[];
  ghosts: readonly Ghost[];
  districts: readonly DistrictView[];
  scale: Scale;
  byId: ReadonlyMap<string, Mark>;
}

const EMPTY_SCALE: Scale = { limits: [1, 2, 3, 4], largest: 1 };

export const EMPTY_SCENE: Scene = {
  marks: [], lines: [], ghosts: [], districts: [], scale: EMPTY_SCALE, byId: new Map(),
};

const WEIGHT = { fine: 0, degraded: 1, failing: 2 } as const;

/** Puts a picture on its places; `before` keeps the widths of lines steady. */
export function sceneOf(
  picture: Picture, layout: Layout, metric: Metric, before: Scale | null,
): Scene {
  const nodes = [...picture.nodes.values()];
  const largest = Math.max(1, ...nodes.map((node) => nodeValue(node, metric)));
  const byId = new Map<string, Mark>();
  for (const node of nodes) {
    const at = layout.at(node.id);
    if (!at) continue;
    const radius = RADII[sizeStep(nodeValue(node, metric), largest)] ?? RADII[0];
    byId.set(node.id, { id: node.id, node, ...at, radius, pinned: layout.pins().has(node.id) });
  }
  const edges = [...picture.edges.values()];
  const scale = steadyScale(edges.map((edge) => edgeValue(edge, metric)), before);
  const marks = [...byId.values()];
  const joined = edges.flatMap((edge) => {
    const from = byId.get(edge.source);
    const to = byId.get(edge.target);
    return from && to ? [{ edge, from, to }] : [];
  });
  const bendOf = bendsAround(joined, marks);
  const lines: Line[] = joined.map((line) => (
    { ...line, step: stepOf(edgeValue(line.edge, metric), scale), bend: bendOf(line) }
  ));
  lines.sort((a, b) => WEIGHT[a.edge.health] - WEIGHT[b.edge.health] || a.step - b.step);
  const ghosts = [...layout.gone()].flatMap(({ at, goneAt }) => {
    const left = 1 - (picture.timeMs - goneAt) / FADE_MS;
    return left > 0 && left <= 1 ? [{ ...at, left }] : [];
  });
  // With nobody in them, boxes would only stand behind the words that say why.
  const districts = byId.size > 0 ? layout.districts() : [];
  return { marks, lines, ghosts, districts, scale, byId };
}

function sizeStep(value: number, largest: number): number {
  if (value <= 0) return 0;
  const share = Math.log10(value + 1) / Math.log10(largest + 1);
  return share > 0.92 ? 2 : share > 0.7 ? 1 : 0;
}

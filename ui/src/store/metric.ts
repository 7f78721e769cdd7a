/** The chosen metric: its value on an edge or node, and the five widths of lines that stand for it. */
import type { EdgeFact, Metric, NodeFact } from "../protocol/facts";
import { count, micros, rate } from "./units";

export const METRIC_NAMES: Record<Metric, string> = {
  throughput: "throughput",
  connections: "connections",
  opened: "opened",
  failed: "failed",
  retransmits: "retransmits",
  rtt: "round trip",
};

/** Widths of lines in pixels, thin to thick. */
export const WIDTHS = [1, 1.5, 2.5, 4, 6] as const;

export function edgeValue(edge: EdgeFact, metric: Metric): number {
  switch (metric) {
    case "throughput": return edge.sent_bps + edge.received_bps;
    case "connections": return edge.open;
    case "opened": return edge.opened;
    case "failed": return edge.failed;
    case "retransmits": return edge.retransmits;
    case "rtt": return edge.rtt_us;
  }
}

/** What the size of a node stands for; nodes have no retransmits or round trips of their own. */
export function nodeValue(node: NodeFact, metric: Metric): number {
  switch (metric) {
    case "connections": return node.open;
    case "opened": return node.opened;
    case "failed": return node.failed;
    default: return node.sent_bps + node.received_bps;
  }
}

export function metricText(value: number, metric: Metric): string {
  if (metric === "throughput") return rate(value);
  return metric === "rtt" ? micros(value) : count(value);
}

/** Five steps on a logarithmic scale: `limits[i]` is the smallest value of step i + 1. */
export interface Scale {
  readonly limits: readonly [number, number, number, number];
  readonly largest: number;
}

/** What is alike is drawn alike: the steps span at least this factor. */
const LEAST_SPAN = 30;

/** The steps for values up to `largest`: each a fifth of its decades, over five decades at most. */
export function scaleOf(largest: number, smallest: number): Scale {
  const top = Math.max(1, largest);
  const bottom = Math.max(top / 1e5, Math.min(top / LEAST_SPAN, Math.max(1, smallest)));
  const ratio = (top / bottom) ** 0.2;
  const limit = (step: number): number => nice(bottom * ratio ** step);
  return { limits: [limit(1), limit(2), limit(3), limit(4)], largest: top };
}

function nice(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  const lead = value / decade;
  const round = lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10;
  return Math.max(1, round * decade);
}

/** The steps that values can have: where all values are nearly the same, limits between them coincide. */
export function stepsOf({ limits }: Scale): number[] {
  return [0, 1, 2, 3, 4].filter((step) => (
    step === 0 || step === 4 || (limits[step] ?? 0) > (limits[step - 1] ?? 0)
  ));
}

/** 0 (thin) to 4 (thick). */
export function stepOf(value: number, scale: Scale): number {
  let step = 0;
  while (step < 4 && value > 0 && value >= (scale.limits[step] ?? Infinity)) step += 1;
  return step;
}

/**
 * The scale for these values. It is kept from `before` while the largest value stays within a
 * factor of three of that, so that lines do not change their width each second.
 */
export function steadyScale(values: Iterable<number>, before: Scale | null): Scale {
  let largest = 0;
  let smallest = Infinity;
  for (const value of values) {
    if (value > largest) largest = value;
    if (value > 0 && value < smallest) smallest = value;
  }
  if (before && largest <= before.largest * 3 && largest >= before.largest / 3) return before;
  return scaleOf(largest, smallest);
}

/** The same picture by plain requests, for when something between page and server lets no WebSocket through. */
import type { HostFact, NodeFact, EdgeFact, Totals, ViewRequest } from "../protocol/facts";
import { get } from "../protocol/http";
import type { Picture } from "../store/model";
import { reasonsText } from "../store/words";

/** Each time all of it comes, not only what changed: slower than the feed, so that it costs no more. */
export const ASKING_S = 2;

export interface FallbackDoors {
  ask(): Promise<Picture>;
  show(picture: Picture): void;
  /** A request failed; whether to go on asking. */
  failed(error: unknown): boolean;
  /** Seconds until the next request. */
  pauseS(): number;
  later(act: () => void, ms: number): () => void;
}

export class Fallback {
  #turn = 0;
  #cancel: (() => void) | null = null;
  active = false;

  constructor(private readonly doors: FallbackDoors) {}

  /** Asks now and then again and again; also "ask anew", after the view has changed. */
  start(): void {
    this.stop();
    this.active = true;
    void this.#ask(this.#turn);
  }

  stop(): void {
    this.active = false;
    this.#turn += 1;
    this.#cancel?.();
    this.#cancel = null;
  }

  /** An answer of an earlier turn is of a view that nobody wants any more. */
  async #ask(turn: number): Promise<void> {
    try {
      const picture = await this.doors.ask();
      if (turn !== this.#turn) return;
      this.doors.show(picture);
    } catch (error) {
      if (turn !== this.#turn) return;
      if (!this.doors.failed(error)) {
        this.stop();
        return;
      }
    }
    this.#cancel = this.doors.later(() => void this.#ask(turn), this.doors.pauseS() * 1000);
  }
}

type EdgeAnswer = Omit<EdgeFact, "rtt_us" | "reasons"> & { rtt_us?: number; reasons: Record<string, number> };

export interface TopologyAnswer {
  time: string;
  window_s: number;
  nodes: NodeFact[];
  edges: EdgeAnswer[];
  totals: Totals;
}

/** What `GET topology` and `GET hosts` answer, as the feed would have told it. */
export function pictureOf(answer: TopologyAnswer, hosts: readonly HostFact[], view: ViewRequest): Picture {
  const edges = answer.edges.map((edge) => (
    { ...edge, rtt_us: edge.rtt_us ?? 0, reasons: reasonsText(edge.reasons) }
  ));
  return {
    timeMs: Date.parse(answer.time),
    view: { ...view, window_s: answer.window_s },
    nodes: new Map(answer.nodes.map((node) => [node.id, node])),
    edges: new Map(edges.map((edge) => [edge.id, edge])),
    totals: answer.totals,
    hosts,
  };
}

export async function askPicture(view: ViewRequest): Promise<Picture> {
  const [answer, { hosts }] = await Promise.all([
    get<TopologyAnswer>("topology", { ...view }), get<{ hosts: HostFact[] }>("hosts"),
  ]);
  return pictureOf(answer, hosts, view);
}

/** How many nodes and edges are in one of two pictures only. */
export function changesBetween(before: Picture, after: Picture): number {
  const only = (one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): number => (
    [...one.keys()].filter((id) => !other.has(id)).length
  );
  return only(before.nodes, after.nodes) + only(after.nodes, before.nodes)
    + only(before.edges, after.edges) + only(after.edges, before.edges);
}

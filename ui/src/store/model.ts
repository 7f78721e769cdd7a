/** What is there now: nodes and edges by id, kept up to date by snapshots and deltas. */
import type { Activity, EdgeFact, Health, HostFact, NodeFact, Totals, ViewRequest } from "../protocol/facts";
import type { Delta, EdgeMetrics, EdgeRow, NodeMetrics, NodeRow, Snapshot } from "../protocol/messages";

/** One moment of the model. Its maps are not changed after it is made. */
export interface Picture {
  readonly timeMs: number;
  readonly view: ViewRequest | null;
  readonly nodes: ReadonlyMap<string, NodeFact>;
  readonly edges: ReadonlyMap<string, EdgeFact>;
  readonly totals: Totals;
  readonly hosts: readonly HostFact[];
}

/** A delta names a row that this model does not have: a new snapshot is needed. */
export class Gap extends Error {}

const HEALTH: readonly Health[] = ["fine", "degraded", "failing"];
const ACTIVITY: readonly Activity[] = ["active", "idle", "closed"];
const NO_COUNTS = { open: 0, opened: 0, closed: 0, failed: 0, sent_bps: 0, received_bps: 0 };
const NO_TOTALS: Totals = {
  ...NO_COUNTS, nodes: 0, edges: 0, connections: 0, shown_nodes: 0, shown_edges: 0,
  total_connections: 0, lost: 0,
};

/** What docs/api.md has where the server does not say. */
export const DEFAULT_WINDOW_S = 15;

export const NOTHING: Picture = {
  timeMs: 0, view: null, nodes: new Map(), edges: new Map(), totals: NO_TOTALS, hosts: [],
};

export class Model {
  #strings = new Map<number, string>();
  #nodes = new Map<number, NodeFact>();
  #edges = new Map<number, EdgeFact>();
  #timeMs = 0;
  #view: ViewRequest | null = null;
  #totals: Totals = NO_TOTALS;
  #hosts: readonly HostFact[] = [];
  /** How many rows came, left or changed their place in the picture since the model was made. */
  changes = 0;

  /** Forgets all numbers: another epoch begins. */
  reset(): void {
    this.#strings.clear();
    this.#nodes.clear();
    this.#edges.clear();
  }

  /** Takes a message in; raises Gap if it does not fit to what is here. */
  take(message: Snapshot | Delta): void {
    for (const [number, text] of message.strings) this.#strings.set(number, text);
    if (message.t === "snapshot") {
      this.#nodes.clear();
      this.#edges.clear();
      this.#view = message.view;
    } else {
      for (const e of message.edges_gone) this.#edges.delete(e);
      for (const n of message.nodes_gone) this.#nodes.delete(n);
      this.changes += message.edges_gone.length + message.nodes_gone.length;
    }
    this.changes += message.nodes.length + message.edges.length;
    for (const row of message.nodes) this.#node(row);
    for (const row of message.edges) this.#edge(row);
    for (const row of message.node_metrics) this.#nodeMetrics(row);
    for (const row of message.edge_metrics) this.#edgeMetrics(row);
    this.#timeMs = message.time_ms;
    if (message.totals) this.#totals = message.totals;
    if (message.hosts) this.#hosts = message.hosts;
  }

  /** The moment as it is: rows are shared, maps are its own. */
  picture(): Picture {
    return {
      timeMs: this.#timeMs,
      view: this.#view,
      nodes: new Map(Array.from(this.#nodes.values(), (node) => [node.id, node])),
      edges: new Map(Array.from(this.#edges.values(), (edge) => [edge.id, edge])),
      totals: this.#totals,
      hosts: this.#hosts,
    };
  }

  #text(number: number): string {
    const text = this.#strings.get(number);
    if (text === undefined) throw new Gap(`string ${number} was never sent`);
    return text;
  }

  #node(row: NodeRow): void {
    const [n, id, kind, label, detail, host, box, outside, listeners] = row;
    const counts = this.#nodes.get(n) ?? { ...NO_COUNTS, problems: 0 };
    this.#nodes.set(n, {
      ...counts,
      id: this.#text(id),
      kind: this.#text(kind),
      label: this.#text(label),
      detail: this.#text(detail),
      host: this.#text(host),
      box: this.#text(box),
      outside: outside === 1,
      listeners: listeners.map(([protocol, address, port, clients]) => (
        { protocol: this.#text(protocol), address: this.#text(address), port, clients }
      )),
    });
  }

  #edge(row: EdgeRow): void {
    const [e, id, source, target, roleKnown, ends, ports] = row;
    const from = this.#nodes.get(source);
    const to = this.#nodes.get(target);
    if (!from || !to) throw new Gap(`edge ${e} has an end that was never sent`);
    const counts = this.#edges.get(e) ?? {
      ...NO_COUNTS, retransmits: 0, segments: 0, rtt_us: 0, health: "fine" as const,
      activity: "idle" as const, reasons: "",
    };
    this.#edges.set(e, {
      ...counts, id: this.#text(id), source: from.id, target: to.id,
      role_known: roleKnown === 1, ends, ports,
    });
  }

  #nodeMetrics(row: NodeMetrics): void {
    const [n, open, opened, closed, failed, sent_bps, received_bps, problems] = row;
    const node = this.#nodes.get(n);
    if (!node) throw new Gap(`counts of node ${n}, which was never sent`);
    const counts = { open, opened, closed, failed, sent_bps, received_bps, problems };
    this.#nodes.set(n, { ...node, ...counts });
  }

  #edgeMetrics(row: EdgeMetrics): void {
    const [
      e, open, opened, closed, failed, sent_bps, received_bps, retransmits, segments, rtt_us,
      health, activity, reasons,
    ] = row;
    const edge = this.#edges.get(e);
    if (!edge) throw new Gap(`counts of edge ${e}, which was never sent`);
    this.#edges.set(e, {
      ...edge, open, opened, closed, failed, sent_bps, received_bps, retransmits, segments, rtt_us,
      health: HEALTH[health] ?? "fine",
      activity: ACTIVITY[activity] ?? "idle",
      reasons: reasons < 0 ? "" : this.#text(reasons),
    });
  }
}

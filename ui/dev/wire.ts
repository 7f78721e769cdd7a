/** Rows of docs/api.md from a network: what is new or changed since the last message of a viewer. */
import type { EdgeFact, NodeFact, Totals, ViewRequest } from "../src/protocol/facts";
import type { Network } from "./network";

const HEALTH = ["fine", "degraded", "failing"];
const ACTIVITY = ["active", "idle", "closed"];

export class Wire {
  #strings = new Map<string, number>();
  #fresh: [number, string][] = [];
  #numbers = new Map<string, number>();
  #sent = new Map<string, string>();
  #sentHosts: Network["hosts"] | null = null;
  #sequence = 0;

  constructor(private readonly network: Network, readonly view: ViewRequest) {}

  snapshot(): object {
    this.#strings.clear();
    this.#sent.clear();
    this.#sentHosts = null;
    return { t: "snapshot", view: { window_s: 15, ...this.view }, ...this.#rows(), ...this.#hosts() };
  }

  delta(): object {
    return { t: "delta", ...this.#rows(), ...this.#hosts() };
  }

  /** The hosts, if they are others than those that were sent. */
  #hosts(): object {
    const { hosts } = this.network;
    if (hosts === this.#sentHosts) return {};
    this.#sentHosts = hosts;
    return { hosts };
  }

  #rows(): object {
    this.#fresh = [];
    this.#sequence += 1;
    const { nodes, edges } = this.#chosen();
    const kept = new Set<string>();
    const changed = (key: string, row: unknown[]): boolean => {
      const text = JSON.stringify(row);
      kept.add(key);
      if (this.#sent.get(key) === text) return false;
      this.#sent.set(key, text);
      return true;
    };
    const body = {
      sequence: this.#sequence, time_ms: this.network.timeMs,
      nodes: nodes.map((one) => this.#node(one)).filter((row) => changed(`n${row[0]}`, row)),
      edges: edges.map((one) => this.#edge(one)).filter((row) => changed(`e${row[0]}`, row)),
      node_metrics: nodes.map((one) => this.#nodeMetrics(one)).filter((row) => changed(`x${row[0]}`, row)),
      edge_metrics: edges.map((one) => this.#edgeMetrics(one)).filter((row) => changed(`y${row[0]}`, row)),
      totals: this.#totals(nodes, edges), strings: this.#fresh,
    };
    const gone = (kind: string): number[] => [...this.#sent.keys()]
      .filter((key) => key.startsWith(kind) && !kept.has(key)).map((key) => Number(key.slice(1)));
    const missing = { nodes_gone: gone("n"), edges_gone: gone("e") };
    for (const key of [...this.#sent.keys()]) if (!kept.has(key)) this.#sent.delete(key);
    return { ...body, ...missing };
  }

  /** The stand-in for filters: nodes with the text in their name, and their edges. */
  #chosen(): { nodes: NodeFact[]; edges: EdgeFact[] } {
    const { filter, limit } = this.view;
    const matching = [...this.network.nodes.values()].filter((node) => node.label.includes(filter) || node.id.includes(filter));
    const nodes = matching.sort((a, b) => b.sent_bps + b.received_bps - a.sent_bps - a.received_bps).slice(0, limit);
    const ids = new Set(nodes.map((node) => node.id));
    return { nodes, edges: [...this.network.edges.values()].filter((edge) => ids.has(edge.source) && ids.has(edge.target)) };
  }

  #totals(nodes: NodeFact[], edges: EdgeFact[]): Totals {
    const sum = (name: "open" | "opened" | "closed" | "failed" | "sent_bps" | "received_bps"): number => edges.reduce((all, edge) => all + edge[name], 0);
    const everything = [...this.network.edges.values()].reduce((all, edge) => all + edge.open, 0);
    const { filter } = this.view;
    const { own } = this.network;
    const empty = nodes.length > 0 ? {} : { empty: filter ? `The filter hides all ${everything} connections.` : "btf runs on host-1 and saw 0 connections in 15 s." };
    return {
      nodes: filter ? nodes.length : this.network.nodes.size, edges: this.network.edges.size,
      connections: sum("open"), open: sum("open"), opened: sum("opened"), closed: sum("closed"), failed: sum("failed"),
      sent_bps: sum("sent_bps"), received_bps: sum("received_bps"), shown_nodes: nodes.length, shown_edges: edges.length,
      total_connections: everything + own, lost: 0, own, own_hidden: this.view.own === "hide" ? own : 0, ...empty,
    };
  }

  #text(text: string): number {
    let number = this.#strings.get(text);
    if (number === undefined) {
      number = this.#strings.size;
      this.#strings.set(text, number);
      this.#fresh.push([number, text]);
    }
    return number;
  }

  #number(id: string): number {
    let number = this.#numbers.get(id);
    if (number === undefined) this.#numbers.set(id, number = this.#numbers.size);
    return number;
  }

  #node(node: NodeFact): unknown[] {
    const words = [node.id, node.kind, node.label, node.detail, node.host, node.box];
    const ports = node.listeners.map((one) => [this.#text(one.protocol), this.#text(one.address), one.port, one.clients]);
    return [this.#number(node.id), ...words.map((word) => this.#text(word)), node.outside ? 1 : 0, ports];
  }

  #nodeMetrics(node: NodeFact): unknown[] {
    return [this.#number(node.id), node.open, node.opened, node.closed, node.failed, node.sent_bps, node.received_bps, node.problems];
  }

  #edge(edge: EdgeFact): unknown[] {
    return [this.#number(edge.id), this.#text(edge.id), this.#number(edge.source), this.#number(edge.target), edge.role_known ? 1 : 0, edge.ends, edge.ports];
  }

  #edgeMetrics(edge: EdgeFact): unknown[] {
    return [
      this.#number(edge.id), edge.open, edge.opened, edge.closed, edge.failed, edge.sent_bps, edge.received_bps, edge.retransmits,
      edge.segments, edge.rtt_us, HEALTH.indexOf(edge.health), ACTIVITY.indexOf(edge.activity), edge.reasons ? this.#text(edge.reasons) : -1,
    ];
  }
}

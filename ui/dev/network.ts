/** A synthetic network: hosts with servers and clients, peers outside, changed a little each second. */
import type { EdgeFact, Group, HostFact, NodeFact } from "../src/protocol/facts";
import { randomOf } from "./random";

const SERVERS: readonly (readonly [name: string, port: number])[] = [
  ["nginx", 443], ["redis-server", 6379], ["postgres", 5432], ["api-gateway", 8080],
  ["kafka-broker-with-a-long-name", 9092], ["memcached", 11211], ["grafana", 3000],
  ["prometheus", 9090], ["sshd", 22], ["rabbitmq", 5672], ["elasticsearch", 9200], ["dnsmasq", 53],
];
const CLIENTS = ["python3", "node", "curl", "java", "ruby", "celery-worker", "backup-agent", "php-fpm", "envoy", "systemd-resolved"];
const REASONS = ["refused", "timeout", "reset", "unreachable"];
const EPOCH_MS = Date.UTC(2026, 0, 1, 12);

export interface NetworkOptions {
  /** How many connections are connscope's own; they are in the totals only. */
  own?: number;
  nodes: number;
  hosts: number;
  seed?: number;
}

export class Network {
  readonly own: number;
  nodes = new Map<string, NodeFact>();
  edges = new Map<string, EdgeFact>();
  hosts: HostFact[] = [];
  timeMs = EPOCH_MS;
  readonly #random: () => number;
  #born = 0;

  constructor(private readonly options: NetworkOptions, readonly group: Group = "process") {
    this.own = options.own ?? 0;
    this.#random = randomOf(options.seed ?? 7);
    for (let host = 1; host <= options.hosts; host += 1) this.hosts.push(this.#host(host));
    const outside = Math.min(24, Math.ceil(options.nodes / 8));
    for (let peer = 0; peer < outside; peer += 1) this.#peer(peer);
    while (this.nodes.size < options.nodes) this.#process(this.nodes.size % options.hosts);
    for (const node of [...this.nodes.values()]) this.#connect(node, 1 + this.#below(2));
  }

  /** One second later: some nodes are replaced, many counts are others. Returns what changed. */
  step(replaced = Math.max(1, Math.round(this.options.nodes / 200))): void {
    this.timeMs += 1000;
    const leaves = [...this.nodes.values()].filter((node) => !node.outside && node.listeners.length === 0);
    for (let turn = 0; turn < replaced && leaves.length > 8; turn += 1) {
      const leaving = leaves[this.#below(leaves.length)];
      if (!leaving || !this.nodes.delete(leaving.id)) continue;
      for (const edge of [...this.edges.values()]) {
        if (edge.source === leaving.id || edge.target === leaving.id) this.edges.delete(edge.id);
      }
      this.#connect(this.#process(this.#below(this.options.hosts)), 2);
    }
    for (const edge of this.edges.values()) {
      if (this.#random() < 0.2) this.edges.set(edge.id, this.#moved(edge));
    }
    this.#sum();
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #host(number: number): HostFact {
    const weak = number === 3;
    return {
      host: `host-${number}`, name: `host-${number}`, tier: weak ? "procfs" : "btf",
      groups: weak ? { identity: "exact", traffic: "unknown", quality: "unknown" } : { identity: "exact", owner: "exact", traffic: "exact", quality: "exact", life: "exact" },
      completeness: weak ? 0.981 : 1, audit: weak ? "saw 2,011 of 2,049" : "saw 10,412 of 10,412",
      lost: weak ? 38 : 0, limits: weak ? ["Connections shorter than a look are not seen: no BPF here (CAP_BPF is missing)."] : [],
      silent_s: 0.8, connections: 400 + number, listeners: 12,
    };
  }

  #peer(number: number): void {
    const ip = number % 5 === 4 ? `2001:db8::${(number * 37 + 1).toString(16)}` : `203.0.113.${number * 7 + 3}`;
    this.#add({ id: `address:${ip}`, kind: "address", label: ip, detail: "", host: "", box: "outside", outside: true });
  }

  #process(host: number): NodeFact {
    this.#born += 1;
    const name = `host-${host + 1}`;
    const serves = this.#random() < 0.35 ? this.#one(SERVERS) : null;
    const pid = 800 + this.#born * 13;
    return this.#add({
      id: `process:${name}/b00t/${pid}/${this.#born}`, kind: "process",
      label: serves ? serves[0] : this.#one(CLIENTS), detail: `pid ${pid}`, host: name, box: name,
      outside: false,
      listeners: serves ? [{ protocol: "tcp", address: this.#random() < 0.5 ? "0.0.0.0" : "127.0.0.1", port: serves[1], clients: this.#below(9) }] : [],
    });
  }

  #add(node: Pick<NodeFact, "id" | "kind" | "label" | "detail" | "host" | "box" | "outside"> & { listeners?: NodeFact["listeners"] }): NodeFact {
    const whole: NodeFact = {
      listeners: [], open: 0, opened: 0, closed: 0, failed: 0, sent_bps: 0, received_bps: 0,
      problems: 0, ...node,
    };
    this.nodes.set(whole.id, whole);
    return whole;
  }

  #connect(from: NodeFact, times: number): void {
    const servers = [...this.nodes.values()].filter((node) => node.listeners.length > 0 || node.outside);
    const near = servers.filter((node) => node.box === from.box);
    for (let turn = 0; turn < times; turn += 1) {
      const to = this.#random() < 0.75 && near.length > 0 ? this.#one(near) : this.#one(servers);
      if (to && to !== from && !(to.outside && from.outside)) this.#edge(from, to);
    }
    this.#sum();
  }

  #edge(from: NodeFact, to: NodeFact): void {
    const id = encodeURIComponent(`${from.id}>${to.id}`);
    const bad = this.#random();
    const failed = bad < 0.025 ? 1 + this.#below(14) : 0;
    this.edges.set(id, {
      id, source: from.id, target: to.id, ports: [to.listeners[0]?.port ?? this.#one([443, 80, 53])],
      role_known: this.#random() > 0.04, ends: from.outside || to.outside ? 1 : 2,
      open: 1 + this.#below(20), opened: this.#below(6), closed: this.#below(4), failed,
      sent_bps: Math.round(10 ** (1 + this.#random() ** 2.2 * 6)), received_bps: Math.round(10 ** (1 + this.#random() ** 2.2 * 6.4)),
      segments: 4000, retransmits: bad > 0.965 ? 80 + this.#below(200) : this.#below(4),
      rtt_us: 100 + this.#below(from.outside || to.outside ? 90_000 : 900),
      health: failed > 0 ? "failing" : bad > 0.965 ? "degraded" : "fine",
      activity: this.#random() < 0.7 ? "active" : this.#random() < 0.7 ? "idle" : "closed",
      reasons: failed > 0 ? `${this.#one(REASONS)} ×${failed}` : "",
    });
  }

  #moved(edge: EdgeFact): EdgeFact {
    const factor = 0.7 + this.#random() * 0.6;
    return {
      ...edge, sent_bps: Math.round(edge.sent_bps * factor),
      received_bps: Math.round(edge.received_bps * factor),
      open: Math.max(0, edge.open + this.#below(3) - 1),
    };
  }

  #sum(): void {
    const sums = new Map<string, NodeFact>();
    for (const node of this.nodes.values()) {
      sums.set(node.id, { ...node, open: 0, opened: 0, closed: 0, failed: 0, sent_bps: 0, received_bps: 0, problems: 0 });
    }
    const add = (id: string, edge: EdgeFact, sent: number, received: number): void => {
      const sum = sums.get(id);
      if (!sum) return;
      sum.open += edge.open;
      sum.opened += edge.opened;
      sum.closed += edge.closed;
      sum.failed += edge.failed;
      sum.sent_bps += sent;
      sum.received_bps += received;
      if (edge.health === "failing") sum.problems += 1;
    };
    for (const edge of this.edges.values()) {
      add(edge.source, edge, edge.sent_bps, edge.received_bps);
      add(edge.target, edge, edge.received_bps, edge.sent_bps);
    }
    this.nodes = sums;
  }
}

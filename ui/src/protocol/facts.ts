/** What the server tells, in the words of docs/api.md. Values are never changed after they are made. */

export const GROUPS = [
  "process", "executable", "host", "user", "namespace", "port", "address", "cidr",
] as const;
export type Group = (typeof GROUPS)[number];
/** What becomes of connscope's own connections. */
export const OWN = ["hide", "show"] as const;
export type Own = (typeof OWN)[number];

export const METRICS = [
  "throughput", "connections", "opened", "failed", "retransmits", "rtt",
] as const;
export type Metric = (typeof METRICS)[number];

export type Health = "fine" | "degraded" | "failing";
export type Activity = "active" | "idle" | "closed";

export interface PortOf {
  protocol: string;
  address: string;
  port: number;
  clients: number;
}

/** Counts of one window; rates are bytes a second. */
export interface Counts {
  open: number;
  opened: number;
  closed: number;
  failed: number;
  sent_bps: number;
  received_bps: number;
}

export interface NodeFact extends Counts {
  id: string;
  kind: string;
  label: string;
  detail: string;
  host: string;
  box: string;
  outside: boolean;
  problems: number;
  listeners: PortOf[];
}

export interface EdgeFact extends Counts {
  id: string;
  source: string;
  target: string;
  ports: number[];
  role_known: boolean;
  ends: number;
  retransmits: number;
  segments: number;
  /** Median in microseconds; 0 is unknown. */
  rtt_us: number;
  health: Health;
  activity: Activity;
  /** Such as `refused ×12, reset ×1`; empty if nothing failed. */
  reasons: string;
}

export interface Totals extends Counts {
  nodes: number;
  edges: number;
  connections: number;
  shown_nodes: number;
  shown_edges: number;
  total_connections: number;
  /** connscope's own among those that match, and how many of these are hidden. */
  own?: number;
  own_hidden?: number;
  lost: number;
  others?: { nodes: number; edges: number; connections: number };
  /** Why nothing is shown; only then. */
  empty?: string;
}

export interface HostFact {
  host: string;
  name: string;
  tier: string;
  groups: Record<string, string>;
  completeness?: number;
  audit?: string;
  lost: number;
  /** Reports that never came; they are among what is lost. */
  missed?: number;
  limits: string[];
  silent_s: number;
  /** How long its last report that was late had waited; absent once what is shown is of now. */
  behind_s?: number;
  connections: number;
  listeners: number;
  last_seen_at?: string;
}

export interface ListenerFact {
  host: string;
  node: string;
  process?: string;
  pid?: number;
  protocol: string;
  address: string;
  port: number;
  reach: "loopback" | "private" | "all" | string;
  clients: number;
  queue_length?: number;
  queue_limit?: number;
}

/** The flat object of `connscope list -o json`: what is not known is not there. */
export type ConnectionFact = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface ViewRequest {
  group: Group;
  filter: string;
  limit: number;
  metric: Metric;
  own?: Own;
  /** Absent: the longest of the server. */
  window_s?: number;
}

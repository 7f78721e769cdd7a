/** What is known of a node or edge, said in words. */
import type { ConnectionFact, EdgeFact, HostFact, ListenerFact, NodeFact } from "../protocol/facts";
import { count, counted, duration, endpoint, micros, percent, rate } from "./units";

const KINDS: Record<string, string> = {
  executable: "program", namespace: "network namespace", cidr: "network",
};

/** What people call a kind of node. */
export function kindWord(kind: string): string {
  return KINDS[kind] ?? kind;
}

/** What to call a node of which only the id is known. */
export function labelOfId(id: string): string {
  const [kind = "", rest = id] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
  const parts = rest.split("/");
  if (kind === "process") return `pid ${parts[2] ?? "?"} on ${parts[0] ?? "?"}`;
  if (kind === "executable" || kind === "user" || kind === "namespace") {
    return `${kind === "executable" ? "" : `${kindWord(kind)} `}${parts.slice(1).join("/")} on ${parts[0] ?? "?"}`;
  }
  return kind === "port" ? rest.replace("/", " ") : rest;
}

/** `redis-server, process on host-1, 14 connections, 2.1 MB/s, 1 problem`. */
export function describeNode(node: NodeFact): string {
  const where = node.outside ? " outside" : node.host && node.kind !== "host" ? ` on ${node.host}` : "";
  const parts = [
    node.label,
    `${kindWord(node.kind)}${where}`,
    counted(node.open, "connection"),
    rate(node.sent_bps + node.received_bps),
  ];
  if (node.problems > 0) parts.push(counted(node.problems, "problem"));
  return parts.join(", ");
}

/** `curl to nginx port 443, 14 open, 2.1 MB/s, failing: refused ×12`. */
export function describeEdge(edge: EdgeFact, label: (id: string) => string): string {
  const ports = edge.ports.length === 0 ? "" : ` ${portsText(edge.ports, 2)}`;
  const join = edge.role_known ? "to" : "with";
  const parts = [
    `${label(edge.source)} ${join} ${label(edge.target)}${ports}`,
    `${count(edge.open)} open`,
    rate(edge.sent_bps + edge.received_bps),
  ];
  const problem = problemOf(edge);
  if (problem) parts.push(`${edge.health}: ${problem}`);
  return parts.join(", ");
}

/** `port 443`, `ports 80, 443 and 3 more`. */
export function portsText(ports: readonly number[], most: number): string {
  if (ports.length === 0) return "no port known";
  const named = ports.slice(0, most).join(", ");
  const rest = ports.length > most ? ` and ${ports.length - most} more` : "";
  return `port${ports.length > 1 ? "s" : ""} ${named}${rest}`;
}

/** The reason of an edge's health in a few words; empty if it is fine. */
export function problemOf(edge: EdgeFact): string {
  if (edge.health === "fine") return "";
  if (edge.reasons) return edge.reasons;
  if (edge.failed > 0) return `failed ×${count(edge.failed)}`;
  const share = edge.segments > 0 ? edge.retransmits / edge.segments : 0;
  if (share > 0.01) return `${percent(share)} sent again`;
  return edge.rtt_us > 0 ? `slow, ${micros(edge.rtt_us)}` : edge.health;
}

/** `refused ×12, reset ×1` of `{"refused": 12, "reset": 1}`, most first. */
export function reasonsText(reasons: unknown): string {
  if (typeof reasons === "string") return reasons;
  if (typeof reasons !== "object" || reasons === null) return "";
  return Object.entries(reasons as Record<string, number>)
    .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
    .map(([reason, times]) => `${reason} ×${count(times)}`)
    .join(", ");
}

const FAILURES: Record<string, string> = {
  refused: "nothing listens there, or a firewall answers with a reset",
  timeout: "no answer to the connect: a firewall drops it, or the host is down",
  unreachable: "there is no route, or a router said so",
  reset: "the other end ended it with a reset",
  no_port: "no local port was free: too many connections to one address",
  denied: "a rule of this machine forbids it",
  abandoned: "the program gave up before there was an answer",
};

/** Sentences on why an edge fails, one for each reason. */
export function explainReasons(reasons: string): string[] {
  return reasons.split(", ").flatMap((part) => {
    const [reason = "", times = ""] = part.split(" ×");
    const why = FAILURES[reason];
    if (!why) return part ? [part] : [];
    return [`${times} ${times === "1" ? "connect" : "connects"} ${reason.replace("_", " ")}: ${why}`];
  });
}

export const REACH: Record<string, string> = {
  all: "all interfaces",
  public: "a public address",
  private: "private network",
  loopback: "this host only",
};

/** `0.0.0.0:443/tcp`. */
export function listenerText(one: Pick<ListenerFact, "address" | "port" | "protocol">): string {
  return `${endpoint(one.address, one.port)}/${one.protocol}`;
}

/** `reports 12 s behind` of one host, `2 of 30 hosts up to 12 s behind` of many; empty if none is. */
export function behindText(hosts: readonly HostFact[]): string {
  const late = hosts.filter((host) => (host.behind_s ?? 0) > 0);
  const [first] = late;
  if (!first) return "";
  const most = duration(Math.max(...late.map((host) => host.behind_s ?? 0)));
  if (hosts.length === 1) return `reports ${most} behind`;
  return `${late.length} of ${counted(hosts.length, "host")} up to ${most} behind`;
}

/** `41 lost, of these 3 reports that never came`. */
export function lostText(lost: number, missed: number): string {
  return `${count(lost)} lost${missed > 0 ? `, of these ${counted(missed, "report")} that never came` : ""}`;
}

/** A column of a connection as text; empty if it is not known. */
export function textOf(connection: ConnectionFact, column: string): string {
  const value = connection[column];
  if (value === undefined) return "";
  return typeof value === "object" ? value.join(" ") : String(value);
}

/** A column of a connection as a number; NaN if it is not known. */
export function numberOf(connection: ConnectionFact, column: string): number {
  const value = connection[column];
  return typeof value === "number" ? value : Number.NaN;
}

/** What became of a connection, or its state; of a UDP flow, which has none, to whom it goes. */
export function stateText(connection: ConnectionFact): string {
  if (connection["failure"]) return textOf(connection, "failure");
  if (connection["protocol"] !== "udp") return textOf(connection, "state");
  return connection["cast"] ? `udp ${textOf(connection, "cast")}` : "udp";
}

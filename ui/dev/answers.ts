/** What the dev feed answers by HTTP: the same network as lists. */
import type { EdgeFact } from "../src/protocol/facts";
import type { Network } from "./network";

const ADDRESSES = (text: string): string => text.startsWith("address:") ? text.slice(8) : `10.0.0.${(text.length * 7) % 250}`;

function connections(network: Network, edges: readonly EdgeFact[]): object[] {
  return edges.flatMap((edge, index) => Array.from({ length: Math.min(6, Math.max(1, edge.open)) }, (_, turn) => ({
    kind: edge.failed > 0 ? "failed" : "snapshot", tier: "btf", protocol: "tcp", family: "ipv4", state: edge.activity === "closed" ? "close" : "established",
    role: "client", connection_id: String(index * 100 + turn), local_address: ADDRESSES(edge.source), local_port: 30000 + ((index * 13 + turn) % 30000),
    peer_address: ADDRESSES(edge.target), peer_port: edge.ports[0] ?? 0, host: network.nodes.get(edge.source)?.host ?? "", client: edge.source, server: edge.target,
    comm: network.nodes.get(edge.source)?.label ?? "", pid: 1000 + index, bytes_sent: edge.sent_bps * 40, bytes_received: edge.received_bps * 40, rtt_us: edge.rtt_us,
    retransmits: edge.retransmits, opened_at: new Date(network.timeMs - 60_000 * (turn + 1)).toISOString(), ...(edge.failed > 0 ? { failure: "refused" } : {}),
  })));
}

const spoken = (edge: EdgeFact): object => ({
  ...edge, bytes_sent: edge.sent_bps * 300, bytes_received: edge.received_bps * 300,
  reasons: Object.fromEntries(edge.reasons.split(", ").filter(Boolean).map((one) => [one.split(" ×")[0], Number(one.split(" ×")[1])])),
});

/** The body for a path below `api/v1/`; undefined is 404. */
export function answer(network: Network, path: string, query: URLSearchParams): object | undefined {
  const filter = query.get("filter") ?? "";
  const edges = [...network.edges.values()].filter((edge) => (edge.source + edge.target).includes(filter) || (network.nodes.get(edge.source)?.label ?? "").includes(filter));
  if (path === "hosts") return { hosts: network.hosts };
  if (path === "connections") {
    const all = connections(network, edges);
    return { connections: all.slice(0, Number(query.get("limit") ?? 1000)), matching: all.length, total: all.length };
  }
  if (path === "listeners") return { listeners: listeners(network) };
  const id = decodeURIComponent(path.slice(6));
  if (path.startsWith("nodes/")) {
    const node = network.nodes.get(id);
    const inbound = [...network.edges.values()].filter((edge) => edge.target === id);
    const outbound = [...network.edges.values()].filter((edge) => edge.source === id);
    return node && { node, inbound: inbound.map(spoken), outbound: outbound.map(spoken), connections: connections(network, [...inbound, ...outbound]), listeners: listeners(network).filter((one) => one.node === id) };
  }
  const edge = path.startsWith("edges/") ? network.edges.get(id) : undefined;
  return edge && { edge: spoken(edge), connections: connections(network, [edge]) };
}

function listeners(network: Network): { node: string }[] {
  return [...network.nodes.values()].flatMap((node) => node.listeners.map((one) => ({
    host: node.host, node: node.id, process: node.label, pid: Number(node.detail.slice(4)), ...one,
    reach: one.address === "127.0.0.1" ? "loopback" : "all", queue_length: one.clients > 7 ? 100 : 0, queue_limit: 128,
  })));
}

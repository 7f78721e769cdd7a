/** The columns of the tables: pairs, nodes, connections. */
import type { ConnectionFact, EdgeFact, NodeFact } from "../protocol/facts";
import { bytes, count, duration, endpoint, micros, percent, rate } from "../store/units";
import { kindWord, listenerText, numberOf, problemOf, stateText, textOf } from "../store/words";
import type { Column } from "./order";

const NARROW = "minmax(4.5rem, 0.7fr)";
const RATE = "minmax(5.5rem, 0.8fr)";
const WIDE = "minmax(9rem, 2fr)";
/** A name of fifteen letters, which is what a kernel keeps, and a pid. */
const END = "minmax(11.5rem, 2fr)";

const retransmitted = (edge: EdgeFact): number => (
  edge.segments > 0 ? edge.retransmits / edge.segments : Number.NaN
);

/** `label` names a node by its id. */
export function pairColumns(label: (id: string) => string): Column<EdgeFact>[] {
  return [
    { id: "client", title: "Client", width: END, text: (edge) => label(edge.source) },
    { id: "server", title: "Server", width: END, text: (edge) => label(edge.target) },
    { id: "ports", title: "Ports", width: NARROW, text: (edge) => edge.ports.join(" "), value: (edge) => edge.ports[0] ?? Number.NaN },
    { id: "health", title: "Health", width: "minmax(7rem, 1.3fr)", text: (edge) => problemOf(edge) || edge.health, value: (edge) => ["fine", "degraded", "failing"].indexOf(edge.health), look: (edge) => edge.health },
    { id: "activity", title: "Activity", width: NARROW, text: (edge) => edge.activity },
    { id: "open", title: "Open", width: NARROW, numeric: true, text: (edge) => count(edge.open), value: (edge) => edge.open },
    { id: "opened", title: "Opened", width: NARROW, numeric: true, text: (edge) => count(edge.opened), value: (edge) => edge.opened, hint: "opened within the window" },
    { id: "failed", title: "Failed", width: NARROW, numeric: true, text: (edge) => count(edge.failed), value: (edge) => edge.failed, look: (edge) => (edge.failed > 0 ? "failing" : "") },
    { id: "sent", title: "Sent", width: RATE, numeric: true, text: (edge) => rate(edge.sent_bps), value: (edge) => edge.sent_bps, hint: "from client to server" },
    { id: "received", title: "Received", width: RATE, numeric: true, text: (edge) => rate(edge.received_bps), value: (edge) => edge.received_bps, hint: "from server to client" },
    { id: "rtt", title: "Round trip", width: RATE, numeric: true, text: (edge) => (edge.rtt_us > 0 ? micros(edge.rtt_us) : ""), value: (edge) => edge.rtt_us || Number.NaN },
    { id: "again", title: "Sent again", width: RATE, numeric: true, text: (edge) => (edge.segments > 0 ? percent(retransmitted(edge)) : ""), value: retransmitted, hint: "share of segments that were sent again" },
  ];
}

export const NODE_COLUMNS: readonly Column<NodeFact>[] = [
  { id: "name", title: "Name", width: WIDE, text: (node) => node.label },
  { id: "detail", title: "Detail", width: "minmax(6rem, 1fr)", text: (node) => node.detail },
  { id: "kind", title: "Kind", width: "minmax(5rem, 0.8fr)", text: (node) => kindWord(node.kind) },
  { id: "where", title: "Where", width: "minmax(6rem, 1fr)", text: (node) => (node.outside ? "outside" : node.host || node.box) },
  { id: "listens", title: "Listens on", width: "minmax(8rem, 1.4fr)", text: (node) => node.listeners.map(listenerText).join(" ") },
  { id: "problems", title: "Problems", width: NARROW, numeric: true, text: (node) => count(node.problems), value: (node) => node.problems, look: (node) => (node.problems > 0 ? "failing" : "") },
  { id: "open", title: "Open", width: NARROW, numeric: true, text: (node) => count(node.open), value: (node) => node.open },
  { id: "failed", title: "Failed", width: NARROW, numeric: true, text: (node) => count(node.failed), value: (node) => node.failed },
  { id: "sent", title: "Sent", width: RATE, numeric: true, text: (node) => rate(node.sent_bps), value: (node) => node.sent_bps },
  { id: "received", title: "Received", width: RATE, numeric: true, text: (node) => rate(node.received_bps), value: (node) => node.received_bps },
];

const ends = (side: "local" | "peer") => (one: ConnectionFact): string => {
  const address = textOf(one, `${side}_address`);
  return address === "" ? "" : endpoint(address, numberOf(one, `${side}_port`) || 0);
};
const number = (column: string, show: (value: number) => string) => ({
  text: (one: ConnectionFact): string => (
    Number.isNaN(numberOf(one, column)) ? "" : show(numberOf(one, column))
  ),
  value: (one: ConnectionFact): number => numberOf(one, column),
});

/** Seconds that a connection was open until `nowMs`, or until it was closed; NaN if not known. */
function age(one: ConnectionFact, nowMs: number): number {
  const closed = Date.parse(textOf(one, "closed_at"));
  return ((Number.isNaN(closed) ? nowMs : closed) - Date.parse(textOf(one, "opened_at"))) / 1000;
}

/** `nowMs` is the time of the server. */
export function connectionColumns(nowMs: number): Column<ConnectionFact>[] {
  return [
    { id: "process", title: "Process", width: "minmax(7rem, 1.2fr)", text: (one) => (textOf(one, "process") || textOf(one, "comm")) + (one["own"] === true ? " (connscope's own)" : "") },
    { id: "pid", title: "Pid", width: NARROW, numeric: true, ...number("pid", String) },
    { id: "host", title: "Host", width: "minmax(5rem, 0.9fr)", text: (one) => textOf(one, "host") },
    { id: "role", title: "Role", width: NARROW, text: (one) => textOf(one, "role") },
    { id: "local", title: "Local", width: WIDE, text: ends("local") },
    { id: "peer", title: "Peer", width: WIDE, text: ends("peer") },
    { id: "state", title: "State", width: "minmax(6rem, 1fr)", text: stateText, look: (one) => (one["failure"] ? "failing" : "") },
    { id: "sent", title: "Sent", width: RATE, numeric: true, ...number("bytes_sent", bytes) },
    { id: "received", title: "Received", width: RATE, numeric: true, ...number("bytes_received", bytes) },
    { id: "rtt", title: "Round trip", width: RATE, numeric: true, ...number("rtt_us", micros) },
    { id: "again", title: "Sent again", width: RATE, numeric: true, ...number("retransmits", count), hint: "segments" },
    { id: "age", title: "Age", width: NARROW, numeric: true, text: (one) => (Number.isNaN(age(one, nowMs)) ? "" : duration(age(one, nowMs))), value: (one) => age(one, nowMs) },
  ];
}

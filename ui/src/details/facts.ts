/** Edges and nodes as HTTP tells them: what is not known is absent, here it gets its neutral value. */
import type { EdgeFact, NodeFact } from "../protocol/facts";
import { reasonsText } from "../store/words";

type Raw<T> = Partial<Omit<T, "id" | "reasons">> & { id: string; reasons?: unknown };

const COUNTS = { open: 0, opened: 0, closed: 0, failed: 0, sent_bps: 0, received_bps: 0 };

export function readEdge(raw: Raw<EdgeFact>): EdgeFact {
  return {
    ...COUNTS, source: "", target: "", ports: [], role_known: false, ends: 1, retransmits: 0,
    segments: 0, rtt_us: 0, health: "fine", activity: "idle", ...raw,
    reasons: reasonsText(raw.reasons),
  };
}

export function readNode(raw: Raw<NodeFact>): NodeFact {
  return {
    ...COUNTS, kind: "", label: raw.id, detail: "", host: "", box: "", outside: false, problems: 0,
    listeners: [], ...raw,
  };
}

export type RawEdge = Raw<EdgeFact> & { bytes_sent?: number; bytes_received?: number };
export type RawNode = Raw<NodeFact>;

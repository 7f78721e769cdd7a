/** Messages of the feed: text in, typed rows out; what is not understood is an error, never a guess. */
import type { HostFact, Totals, ViewRequest } from "./facts";

type Port = [protocol: number, address: number, port: number, clients: number];
export type NodeRow = [
  n: number, id: number, kind: number, label: number, detail: number, host: number, box: number,
  outside: number, listeners: Port[],
];
export type NodeMetrics = [
  n: number, open: number, opened: number, closed: number, failed: number,
  sentBps: number, receivedBps: number, problems: number,
];
export type EdgeRow = [
  e: number, id: number, source: number, target: number, roleKnown: number, ends: number,
  ports: number[],
];
export type EdgeMetrics = [
  e: number, open: number, opened: number, closed: number, failed: number,
  sentBps: number, receivedBps: number, retransmits: number, segments: number, rttUs: number,
  health: number, activity: number, reasons: number,
];

export interface Welcome {
  t: "welcome";
  protocol: number;
  epoch: string;
  version: string;
  time_ms: number;
}

interface Rows {
  sequence: number;
  time_ms: number;
  strings: [number, string][];
  nodes: NodeRow[];
  edges: EdgeRow[];
  node_metrics: NodeMetrics[];
  edge_metrics: EdgeMetrics[];
}

export interface Snapshot extends Rows {
  t: "snapshot";
  view: ViewRequest;
  totals: Totals;
  hosts: HostFact[];
}

export interface Delta extends Rows {
  t: "delta";
  nodes_gone: number[];
  edges_gone: number[];
  totals?: Totals;
  hosts?: HostFact[];
}

export interface Notice {
  t: "notice";
  level: string;
  text: string;
}

export interface Bye {
  t: "bye";
  reason: string;
}

export type ServerMessage = Welcome | Snapshot | Delta | Notice | Bye;

/** The server said what this page does not understand. */
export class MalformedMessage extends Error {}

const LISTS = ["strings", "nodes", "edges", "node_metrics", "edge_metrics"] as const;

/**
 * Reads one message. Lists that are absent become empty: a delta leaves out what did not change.
 * Raises MalformedMessage for text that is not JSON, or has no such lists; null for a type of
 * message that this page does not know.
 */
export function readMessage(text: string): ServerMessage | null {
  const message = parsed(text);
  switch (message["t"]) {
    case "snapshot":
      return { ...rows(message), hosts: list(message, "hosts") } as unknown as Snapshot;
    case "delta": {
      const gone = {
        nodes_gone: list(message, "nodes_gone"),
        edges_gone: list(message, "edges_gone"),
      };
      return { ...rows(message), ...gone } as unknown as Delta;
    }
    case "welcome":
    case "notice":
    case "bye":
      return message as unknown as ServerMessage;
    default:
      return null;
  }
}

function parsed(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedMessage("the server sent what is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedMessage("the server sent what is not an object");
  }
  return value as Record<string, unknown>;
}

function rows(message: Record<string, unknown>): Record<string, unknown> {
  if (typeof message["sequence"] !== "number") {
    throw new MalformedMessage(`a ${String(message["t"])} without sequence`);
  }
  const lists = LISTS.map((name) => [name, list(message, name)]);
  return { ...message, ...Object.fromEntries(lists) };
}

function list(message: Record<string, unknown>, name: string): unknown[] {
  const value = message[name] ?? [];
  if (!Array.isArray(value)) throw new MalformedMessage(`${name} is not a list`);
  return value;
}

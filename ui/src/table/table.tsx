/** Everything of the map as a table: same filter, same selection. */
import { useMemo } from "preact/hooks";
import type { VNode } from "preact";

import { Empty } from "../parts/empty";
import { Toolbar } from "../parts/toolbar";
import type { ConnectionFact } from "../protocol/facts";
import { go, select } from "../session/actions";
import { usePolled } from "../session/polled";
import { applied, place, selection, shown } from "../session/state";
import { TABLES } from "../store/address";
import { count } from "../store/units";
import { labelOfId, textOf } from "../store/words";
import { NODE_COLUMNS, connectionColumns, pairColumns } from "./columns";
import { Grid } from "./grid";

const MOST_CONNECTIONS = 5000;

export function Table(): VNode {
  const kind = place.value.table;
  return (
    <section class="screen" aria-label="Table">
      <Toolbar>
        <div class="segments" role="group" aria-label="Rows">
          {TABLES.map((one) => (
            <button type="button" key={one} aria-pressed={one === kind} onClick={() => go({ table: one })}>{one}</button>
          ))}
        </div>
      </Toolbar>
      {kind === "pairs" ? <Pairs /> : kind === "nodes" ? <Nodes /> : <Connections />}
    </section>
  );
}

function Pairs(): VNode {
  const { edges, nodes } = shown.value;
  const label = (id: string): string => {
    const node = nodes.get(id);
    if (!node) return labelOfId(id);
    return node.detail && node.kind === "process" ? `${node.label} · ${node.detail}` : node.label;
  };
  const columns = useMemo(() => pairColumns(label), [nodes]);
  if (edges.size === 0) return <Empty what="table" />;
  const selected = selection.value?.kind === "edge" ? { selected: selection.value.id } : {};
  return (
    <Grid name="Pairs" columns={columns} rows={[...edges.values()]} id={(edge) => edge.id}
      start={{ column: "sent", descending: true }} {...selected} select={(edge) => select("edge", edge.id)} />
  );
}

function Nodes(): VNode {
  const { nodes } = shown.value;
  if (nodes.size === 0) return <Empty what="table" />;
  const selected = selection.value?.kind === "node" ? { selected: selection.value.id } : {};
  return (
    <Grid name="Nodes" columns={NODE_COLUMNS} rows={[...nodes.values()]} id={(node) => node.id}
      start={{ column: "sent", descending: true }} {...selected} select={(node) => select("node", node.id)} />
  );
}

interface Connections {
  connections: ConnectionFact[];
  matching: number;
  total: number;
}

const idOf = (one: ConnectionFact): string => (
  `${textOf(one, "host")}/${textOf(one, "connection_id")}/${textOf(one, "role")}`
);

function Connections(): VNode {
  const { data, error } = usePolled<Connections>("connections", { filter: applied.value, own: place.value.own, limit: MOST_CONNECTIONS });
  const columns = connectionColumns(shown.value.timeMs);
  if (!data) return <div class="blank">{error ? <p role="alert">{error}</p> : <p class="muted">Asking…</p>}</div>;
  if (data.connections.length === 0) return <Empty what="table" />;
  return (
    <>
      {error && <p class="strip bad" role="alert">{error}</p>}
      {data.matching > data.connections.length && (
        <p class="strip">{count(data.connections.length)} of {count(data.matching)} connections. A filter says which.</p>
      )}
      <Grid name="Connections" columns={columns} rows={data.connections} id={idOf} start={{ column: "sent", descending: true }} />
    </>
  );
}

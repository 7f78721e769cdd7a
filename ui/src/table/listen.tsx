/** Who listens where, and who can reach it: the exposure of each host. */
import type { VNode } from "preact";

import { Toolbar } from "../parts/toolbar";
import type { ListenerFact } from "../protocol/facts";
import { select } from "../session/actions";
import { usePolled } from "../session/polled";
import { applied, shown } from "../session/state";
import { count, counted, endpoint } from "../store/units";
import { REACH } from "../store/words";
import { Grid } from "./grid";
import type { Column } from "./order";

const WIDEST_FIRST = ["loopback", "private", "public", "all"];

const COLUMNS: readonly Column<ListenerFact>[] = [
  { id: "process", title: "Process", width: "minmax(9rem, 1.5fr)", text: (one) => one.process ?? "" },
  { id: "pid", title: "Pid", width: "minmax(4.5rem, 0.6fr)", numeric: true, text: (one) => String(one.pid ?? ""), value: (one) => one.pid ?? Number.NaN },
  { id: "host", title: "Host", width: "minmax(6rem, 1fr)", text: (one) => one.host },
  { id: "address", title: "Bound to", width: "minmax(10rem, 1.6fr)", text: (one) => endpoint(one.address, one.port) },
  { id: "port", title: "Port", width: "minmax(5rem, 0.7fr)", numeric: true, text: (one) => `${one.port}/${one.protocol}`, value: (one) => one.port },
  { id: "reach", title: "Who can reach it", width: "minmax(8rem, 1.2fr)", text: (one) => REACH[one.reach] ?? one.reach, value: (one) => WIDEST_FIRST.indexOf(one.reach), look: (one) => (one.reach === "all" || one.reach === "public" ? "exposed" : "") },
  { id: "clients", title: "Clients now", width: "minmax(6rem, 1fr)", numeric: true, text: (one) => (one.clients === 0 ? "none" : count(one.clients)), value: (one) => one.clients, look: (one) => (one.clients === 0 ? "muted" : "") },
  { id: "queue", title: "Queue", width: "minmax(6rem, 0.9fr)", numeric: true, text: (one) => (one.queue_limit === undefined ? "" : `${count(one.queue_length ?? 0)} of ${count(one.queue_limit)}`), value: (one) => one.queue_length ?? Number.NaN, look: (one) => ((one.queue_length ?? 0) * 2 > (one.queue_limit ?? Infinity) ? "degraded" : ""), hint: "connections that wait to be accepted" },
];

const idOf = (one: ListenerFact): string => (
  `${one.host}/${one.protocol}/${one.address}/${one.port}/${one.pid ?? ""}/${one.node}`
);

export function Listen(): VNode {
  const filter = applied.value;
  const { data, error } = usePolled<{ listeners: ListenerFact[] }>("listeners", { filter });
  const open = data?.listeners.filter((one) => one.reach === "all" || one.reach === "public").length ?? 0;
  return (
    <section class="screen" aria-label="Listeners">
      <Toolbar choices={false}>
        {data && <span><b>{counted(data.listeners.length, "listener")}</b>, <b class={open > 0 ? "exposed" : ""}>{count(open)}</b> on all interfaces</span>}
      </Toolbar>
      {error && <p class="strip bad" role="alert">{error}</p>}
      {data && data.listeners.length > 0 && (
        <Grid name="Listeners" columns={COLUMNS} rows={data.listeners} id={idOf} start={{ column: "reach", descending: true }}
          select={(one) => { if (shown.value.nodes.has(one.node) || one.node) select("node", one.node); }} />
      )}
      {data && data.listeners.length === 0 && (
        <div class="blank"><h2>Nothing listens</h2><p>{filter ? "No listener matches the filter." : "No host reports a listening socket."}</p></div>
      )}
      {!data && !error && <div class="blank"><p class="muted">Asking…</p></div>}
    </section>
  );
}

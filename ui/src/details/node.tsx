/** Details of a node: what it is, what it listens on, who talks to it and to whom it talks. */
import type { VNode } from "preact";

import type { ConnectionFact, EdgeFact, ListenerFact, NodeFact } from "../protocol/facts";
import { go, select } from "../session/actions";
import * as atlas from "../map/atlas";
import { usePolled } from "../session/polled";
import { applied, place, shown } from "../session/state";
import { showOnMap } from "../map/chart";
import { count, counted, rate } from "../store/units";
import { REACH, kindWord, labelOfId, listenerText, problemOf } from "../store/words";
import { readEdge, readNode } from "./facts";
import type { RawEdge, RawNode } from "./facts";
import { Connections, Figure, NodeLink } from "./parts";

interface Answer {
  node: RawNode;
  inbound: RawEdge[];
  outbound: RawEdge[];
  connections: ConnectionFact[];
  listeners: ListenerFact[];
}

export function NodeDetails({ id }: { id: string }): VNode {
  const { group, own } = place.value;
  const { data, error } = usePolled<Answer>(`nodes/${encodeURIComponent(id)}`, { group, filter: applied.value, own });
  const live = shown.value.nodes.get(id);
  const node = live ?? (data ? readNode(data.node) : null);
  const edges = [...shown.value.edges.values()];
  const inbound = data?.inbound.map(readEdge) ?? edges.filter((edge) => edge.target === id);
  const outbound = data?.outbound.map(readEdge) ?? edges.filter((edge) => edge.source === id);
  return (
    <>
      <header>
        <p class="path">{node ? [node.outside ? "outside" : node.host, kindWord(node.kind)].filter(Boolean).join(" › ") : ""}</p>
        <h2>{node?.label ?? labelOfId(id)}</h2>
        {node?.detail && <p class="muted">{node.detail}</p>}
      </header>
      {!live && shown.value.timeMs > 0 && <p class="strip">Not on the map now: it is gone, or the filter or the limit leaves it out.</p>}
      {error && !data && <p class="strip bad" role="alert">{error}</p>}
      {node && <Figures node={node} />}
      <Tools id={id} shown={live !== undefined} />
      <Problems edges={[...inbound, ...outbound]} />
      <Listeners node={node} listeners={data?.listeners ?? null} />
      <Peers name="Inbound" edges={inbound} peer={(edge) => edge.source} />
      <Peers name="Outbound" edges={outbound} peer={(edge) => edge.target} />
      <Connections rows={data?.connections ?? []} />
    </>
  );
}

function Figures({ node }: { node: NodeFact }): VNode {
  return (
    <dl class="figures">
      <Figure name="sent">{rate(node.sent_bps)}</Figure>
      <Figure name="received">{rate(node.received_bps)}</Figure>
      <Figure name="open">{count(node.open)}</Figure>
      <Figure name="opened">{count(node.opened)}</Figure>
      <Figure name="closed">{count(node.closed)}</Figure>
      <Figure name="failed" look={node.failed > 0 ? "failing" : ""}>{count(node.failed)}</Figure>
    </dl>
  );
}

function Tools({ id, shown: there }: { id: string; shown: boolean }): VNode {
  const pinned = atlas.scene.value.byId.get(id)?.pinned ?? false;
  const unpin = (): void => atlas.pin(shown.value, place.value.metric, id, null, true);
  return (
    <div class="actions">
      {there && place.value.screen !== "map" && <button type="button" onClick={() => showOnMap("node", id)}>Show on the map</button>}
      {pinned && <button type="button" onClick={unpin}>Unpin</button>}
      <button type="button" onClick={() => go({ screen: "table", table: "connections" }, true)}>Connections</button>
    </div>
  );
}

function Problems({ edges }: { edges: readonly EdgeFact[] }): VNode | null {
  const bad = edges.filter((edge) => edge.health !== "fine");
  if (bad.length === 0) return null;
  return (
    <section>
      <h3>Problems <span class="muted">{bad.length}</span></h3>
      <ul class="problems">
        {bad.slice(0, 8).map((edge) => (
          <li key={edge.id} class={edge.health}>
            <button type="button" class="link" onClick={() => select("edge", edge.id)}>{problemOf(edge)}</button>
            <span class="muted"> {edge.ports.length > 0 ? `port ${edge.ports.slice(0, 3).join(", ")}` : ""}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Listeners({ node, listeners }: { node: NodeFact | null; listeners: ListenerFact[] | null }): VNode | null {
  const rows = listeners ?? node?.listeners ?? [];
  if (rows.length === 0) return null;
  return (
    <section>
      <h3>Listens on</h3>
      <ul class="listens">
        {rows.map((one) => (
          <li key={listenerText(one)}>
            <code>{listenerText(one)}</code>
            <Reach reach={"reach" in one ? String(one.reach) : ""} />
            <span class="muted">{one.clients === 0 ? "no clients" : counted(one.clients, "client")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Reach({ reach }: { reach: string }): VNode | null {
  if (!reach) return null;
  return <span class={reach === "all" || reach === "public" ? "exposed" : "muted"}>{REACH[reach] ?? reach}</span>;
}

function Peers({ name, edges, peer }: { name: string; edges: readonly EdgeFact[]; peer(edge: EdgeFact): string }): VNode | null {
  if (edges.length === 0) return null;
  const sorted = [...edges].sort((a, b) => (
    b.sent_bps + b.received_bps - a.sent_bps - a.received_bps || (a.id < b.id ? -1 : 1)
  ));
  return (
    <section>
      <h3>{name} <span class="muted">{edges.length}</span></h3>
      <table>
        <thead><tr><th scope="col">Peer</th><th scope="col">Port</th><th scope="col" class="number">Open</th><th scope="col" class="number">Sent</th><th scope="col" class="number">Received</th></tr></thead>
        <tbody>
          {sorted.slice(0, 40).map((edge) => (
            <tr key={edge.id}>
              <td><NodeLink id={peer(edge)} /></td>
              <td><button type="button" class={`link ${edge.health}`} title="Details of this edge" onClick={() => select("edge", edge.id)}>{edge.ports.slice(0, 2).join(", ") || "any"}{edge.ports.length > 2 ? "…" : ""}</button></td>
              <td class="number">{count(edge.open)}</td>
              <td class="number">{rate(edge.sent_bps)}</td>
              <td class="number">{rate(edge.received_bps)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > 40 && <p class="muted">and {sorted.length - 40} more</p>}
    </section>
  );
}

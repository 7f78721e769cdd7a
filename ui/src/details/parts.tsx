/** Pieces that details are made of: figures, links to nodes, lists of connections. */
import type { ComponentChildren, VNode } from "preact";

import type { ConnectionFact } from "../protocol/facts";
import { go, select } from "../session/actions";
import { shown } from "../session/state";
import { bytes, counted, endpoint, micros } from "../store/units";
import { labelOfId, numberOf, stateText, textOf } from "../store/words";

const FIRST = 30;

export function Figure({ name, children, look = "" }: { name: string; children: ComponentChildren; look?: string }): VNode {
  return <div class="figure"><dt>{name}</dt><dd class={look}>{children}</dd></div>;
}

export function nameOf(id: string): string {
  return shown.value.nodes.get(id)?.label ?? labelOfId(id);
}

/** The name of a node; a press selects it. */
export function NodeLink({ id }: { id: string }): VNode {
  const detail = shown.value.nodes.get(id)?.detail;
  return (
    <button type="button" class="link" onClick={() => select("node", id)} title={id}>
      {nameOf(id)}{detail && <span class="muted"> {detail}</span>}
    </button>
  );
}

export function Connections({ rows }: { rows: readonly ConnectionFact[] }): VNode | null {
  if (rows.length === 0) return null;
  return (
    <section>
      <h3>Connections <span class="muted">{rows.length}</span></h3>
      <div class="scroll" tabIndex={0} role="group" aria-label="Connections">
        <table>
          <thead><tr><th scope="col">Local</th><th scope="col">Peer</th><th scope="col">State</th><th scope="col" class="number">Sent</th><th scope="col" class="number">Received</th><th scope="col" class="number">Trip</th></tr></thead>
          <tbody>{rows.slice(0, FIRST).map((one) => <Connection key={textOf(one, "connection_id") + textOf(one, "role")} one={one} />)}</tbody>
        </table>
      </div>
      {rows.length > FIRST && (
        <button type="button" class="link" onClick={() => go({ screen: "table", table: "connections" }, true)}>
          {counted(rows.length - FIRST, "more connection")} in the table
        </button>
      )}
    </section>
  );
}

function Connection({ one }: { one: ConnectionFact }): VNode {
  const amount = (column: string): string => (
    Number.isNaN(numberOf(one, column)) ? "–" : bytes(numberOf(one, column))
  );
  const rtt = numberOf(one, "rtt_us");
  return (
    <tr>
      <td>{endpoint(textOf(one, "local_address"), numberOf(one, "local_port") || 0)}</td>
      <td>{endpoint(textOf(one, "peer_address"), numberOf(one, "peer_port") || 0)}</td>
      <td class={one["failure"] ? "failing" : ""}>{stateText(one) || "–"}{one["own"] === true && <span class="muted"> connscope's own</span>}</td>
      <td class="number">{amount("bytes_sent")}</td>
      <td class="number">{amount("bytes_received")}</td>
      <td class="number">{Number.isNaN(rtt) ? "–" : micros(rtt)}</td>
    </tr>
  );
}

/** Details of an edge: both ends, how much, how well, and why it fails. */
import type { VNode } from "preact";

import type { ConnectionFact, EdgeFact } from "../protocol/facts";
import { usePolled } from "../session/polled";
import { showOnMap } from "../map/chart";
import { applied, place, shown } from "../session/state";
import { bytes, count, micros, percent, rate } from "../store/units";
import { explainReasons, portsText, problemOf } from "../store/words";
import { readEdge } from "./facts";
import type { RawEdge } from "./facts";
import { Connections, Figure, NodeLink, nameOf } from "./parts";

interface Answer {
  edge: RawEdge;
  connections: ConnectionFact[];
}

export function EdgeDetails({ id }: { id: string }): VNode {
  const { group, own } = place.value;
  const { data, error } = usePolled<Answer>(`edges/${encodeURIComponent(id)}`, { group, filter: applied.value, own });
  const live = shown.value.edges.get(id);
  const edge = live ?? (data ? readEdge(data.edge) : null);
  if (!edge) {
    return <><header><h2>An edge</h2></header><p class="strip">{error || "It is gone, or the filter or the limit leaves it out."}</p></>;
  }
  return (
    <>
      <header>
        <p class="path">{edge.role_known ? "client → server" : "who connected is not known"}</p>
        <h2>{nameOf(edge.source)} {edge.role_known ? "→" : "–"} {nameOf(edge.target)}</h2>
        <p class="muted">{portsText(edge.ports, 8)} · {edge.activity} · seen from {edge.ends === 1 ? "one end" : "both ends"}</p>
      </header>
      {error && <p class="strip bad" role="alert">{error}</p>}
      <Why edge={edge} />
      <Figures edge={edge} {...(data ? { totals: data.edge } : {})} />
      {place.value.screen !== "map" && live && <div class="actions"><button type="button" onClick={() => showOnMap("edge", id)}>Show on the map</button></div>}
      <section>
        <h3>Ends</h3>
        <table><tbody>
          <tr><th scope="row">{edge.role_known ? "Client" : "One"}</th><td><NodeLink id={edge.source} /></td></tr>
          <tr><th scope="row">{edge.role_known ? "Server" : "Other"}</th><td><NodeLink id={edge.target} /></td></tr>
        </tbody></table>
      </section>
      <Connections rows={data?.connections ?? []} />
    </>
  );
}

/** Why it is not fine, in sentences. */
function Why({ edge }: { edge: EdgeFact }): VNode | null {
  if (edge.health === "fine") return null;
  const sentences = explainReasons(edge.reasons);
  return (
    <section class={`why ${edge.health}-box`}>
      <h3 class={edge.health}>{edge.health}: {problemOf(edge)}</h3>
      {sentences.map((sentence) => <p key={sentence}>{sentence}.</p>)}
      {sentences.length === 0 && edge.segments > 0 && <p>{percent(edge.retransmits / edge.segments)} of the segments were sent again.</p>}
    </section>
  );
}

function Figures({ edge, totals }: { edge: EdgeFact; totals?: RawEdge }): VNode {
  const share = edge.segments > 0 ? percent(edge.retransmits / edge.segments) : "–";
  return (
    <dl class="figures">
      <Figure name="sent">{rate(edge.sent_bps)}</Figure>
      <Figure name="received">{rate(edge.received_bps)}</Figure>
      <Figure name="round trip">{edge.rtt_us > 0 ? micros(edge.rtt_us) : "–"}</Figure>
      <Figure name="open">{count(edge.open)}</Figure>
      <Figure name="opened">{count(edge.opened)}</Figure>
      <Figure name="failed" look={edge.failed > 0 ? "failing" : ""}>{count(edge.failed)}</Figure>
      <Figure name="sent again">{share}</Figure>
      {totals?.bytes_sent !== undefined && <Figure name="total sent">{bytes(totals.bytes_sent)}</Figure>}
      {totals?.bytes_received !== undefined && <Figure name="total received">{bytes(totals.bytes_received)}</Figure>}
    </dl>
  );
}

/** The card beside the pointer: what is there, in a few lines. */
import { useLayoutEffect, useRef } from "preact/hooks";
import type { VNode } from "preact";

import type { Point } from "../layout/district";
import type { Target } from "../scene/pick";
import type { EdgeFact, NodeFact } from "../protocol/facts";
import { shown } from "../session/state";
import { count, counted, micros, percent, rate } from "../store/units";
import { kindWord, labelOfId, listenerText, portsText, problemOf } from "../store/words";

export interface Hover {
  target: Target;
  at: Point;
}

export function Card({ target, at }: Hover): VNode | null {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    const around = element?.parentElement;
    if (!element || !around) return;
    const x = at.x + 16 + element.offsetWidth > around.clientWidth ? at.x - element.offsetWidth - 12 : at.x + 16;
    const y = Math.min(at.y + 12, around.clientHeight - element.offsetHeight - 8);
    element.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  });
  const node = target.kind === "node" ? shown.value.nodes.get(target.id) : undefined;
  const edge = target.kind === "edge" ? shown.value.edges.get(target.id) : undefined;
  if (!node && !edge) return null;
  return <div ref={box} class="card" aria-hidden="true">{node ? <NodeLines node={node} /> : edge && <EdgeLines edge={edge} />}</div>;
}

function NodeLines({ node }: { node: NodeFact }): VNode {
  return (
    <>
      <strong>{node.label}</strong>
      <span class="muted">{[kindWord(node.kind), node.detail, node.outside ? "outside" : node.host].filter(Boolean).join(" · ")}</span>
      <span>{counted(node.open, "connection")}, ↑ {rate(node.sent_bps)}, ↓ {rate(node.received_bps)}</span>
      {node.listeners.length > 0 && <span>listens on {node.listeners.slice(0, 3).map(listenerText).join(", ")}{node.listeners.length > 3 ? "…" : ""}</span>}
      {node.problems > 0 && <span class="failing">{counted(node.problems, "problem")}</span>}
    </>
  );
}

function EdgeLines({ edge }: { edge: EdgeFact }): VNode {
  const label = (id: string): string => shown.value.nodes.get(id)?.label ?? labelOfId(id);
  const share = edge.segments > 0 ? edge.retransmits / edge.segments : 0;
  const problem = problemOf(edge);
  return (
    <>
      <strong>{label(edge.source)} {edge.role_known ? "→" : "–"} {label(edge.target)}</strong>
      <span class="muted">{portsText(edge.ports, 4)} · {edge.activity}{edge.ends === 1 ? " · seen from one end" : ""}</span>
      <span>{count(edge.open)} open, ↑ {rate(edge.sent_bps)}, ↓ {rate(edge.received_bps)}</span>
      <span>{edge.rtt_us > 0 ? `${micros(edge.rtt_us)}, ` : ""}{percent(share)} sent again</span>
      {problem && <span class={edge.health}>{problem}</span>}
    </>
  );
}

/** What is shown and how: grouping, metric, and how much of all that is. */
import type { ComponentChildren, VNode } from "preact";

import { GROUPS, METRICS } from "../protocol/facts";
import { go } from "../session/actions";
import { place, shown } from "../session/state";
import { METRIC_NAMES } from "../store/metric";
import { DEFAULT_WINDOW_S } from "../store/model";
import { kindWord } from "../store/words";
import { count, counted, rate } from "../store/units";

export function Toolbar({ children }: { children?: ComponentChildren }): VNode {
  const { group, metric } = place.value;
  return (
    <div class="toolbar">
      <Choice name="Group by" value={group} options={GROUPS.map((one) => [one, kindWord(one)])}
        choose={(value) => go({ group: value }, true)} />
      <Choice name="Metric" value={metric} options={METRICS.map((one) => [one, METRIC_NAMES[one]])}
        choose={(value) => go({ metric: value }, true)} />
      {children}
      <Amount />
    </div>
  );
}

interface ChoiceProps<T extends string> {
  name: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  choose(value: T): void;
}

function Choice<T extends string>({ name, value, options, choose }: ChoiceProps<T>): VNode {
  return (
    <label class="choice"><span>{name}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value as T)}>
        {options.map(([one, text]) => <option key={one} value={one}>{text}</option>)}
      </select>
    </label>
  );
}

/** How much is shown, of how much: never silently less than all. */
function Amount(): VNode {
  const { totals, view } = shown.value;
  const window = view?.window_s ?? DEFAULT_WINDOW_S;
  const cut = totals.shown_nodes < totals.nodes;
  const hidden = totals.total_connections - totals.connections;
  const by = METRIC_NAMES[view?.metric ?? place.value.metric];
  return (
    <div class="amount">
      <span class={cut ? "cut" : ""}>
        {cut
          ? <>top <b>{count(totals.shown_nodes)}</b> of {counted(totals.nodes, "node")} by {by}</>
          : <><b>{count(totals.nodes)}</b> {totals.nodes === 1 ? "node" : "nodes"}</>}
      </span>
      <span><b>{count(totals.connections)}</b> {totals.connections === 1 ? "connection" : "connections"}{hidden > 0 ? `, ${count(hidden)} hidden by the filter` : ""}</span>
      <span><b>{rate(totals.sent_bps + totals.received_bps)}</b></span>
      <span>{count(totals.opened)} opened, <span class={totals.failed > 0 ? "failing" : ""}>{count(totals.failed)} failed</span> in {window} s</span>
    </div>
  );
}

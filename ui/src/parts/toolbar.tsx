/** What is shown and how: grouping, metric, and how much of all that is. */
import type { ComponentChildren, VNode } from "preact";

import { GROUPS, METRICS } from "../protocol/facts";
import { go } from "../session/actions";
import { place, shown } from "../session/state";
import { METRIC_NAMES } from "../store/metric";
import { DEFAULT_WINDOW_S } from "../store/model";
import { kindWord } from "../store/words";
import { count, counted, rate } from "../store/units";

interface ToolbarProps {
  children?: ComponentChildren;
  /** Whether grouping and metric change what is on this screen. */
  choices?: boolean;
}

export function Toolbar({ children, choices = true }: ToolbarProps): VNode {
  return (
    <div class="toolbar">
      {choices && <Choices />}
      {children}
      <Amount />
    </div>
  );
}

function Choices(): VNode {
  const { group, metric } = place.value;
  return (
    <>
      <Choice name="Group by" value={group} options={GROUPS.map((one) => [one, kindWord(one)])}
        choose={(value) => go({ group: value }, true)} />
      <Choice name="Metric" value={metric} options={METRICS.map((one) => [one, METRIC_NAMES[one]])}
        choose={(value) => go({ metric: value }, true)} />
    </>
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
  const hidden = totals.total_connections - totals.connections - (totals.own_hidden ?? 0);
  const by = METRIC_NAMES[view?.metric ?? place.value.metric];
  return (
    <div class="amount">
      <span class={cut ? "cut" : ""}>
        {cut
          ? <>top <b>{count(totals.shown_nodes)}</b> of {counted(totals.nodes, "node")} by {by}</>
          : <><b>{count(totals.nodes)}</b> {totals.nodes === 1 ? "node" : "nodes"}</>}
      </span>
      <span><b>{count(totals.connections)}</b> {totals.connections === 1 ? "connection" : "connections"}{hidden > 0 ? `, ${count(hidden)} hidden by the filter` : ""}</span>
      <OwnConnections />
      <span><b>{rate(totals.sent_bps + totals.received_bps)}</b></span>
      <span>{count(totals.opened)} opened, <span class={totals.failed > 0 ? "failing" : ""}>{count(totals.failed)} failed</span> in {window} s</span>
    </div>
  );
}

/** connscope's own connections: hidden at first, never silently. */
function OwnConnections(): VNode | null {
  const { totals } = shown.value;
  const hidden = totals.own_hidden ?? 0;
  const here = (totals.own ?? 0) - hidden;
  if (hidden + here === 0) return null;
  const next = hidden > 0 ? "show" : "hide";
  // A filter with is:own in it decides alone.
  const decides = place.value.own === (hidden > 0 ? "hide" : "show");
  return (
    <span class="own" title="The page's connection to its server, and that of an agent">
      <b>{count(hidden + here)}</b> of connscope itself {hidden > 0 ? "hidden" : "shown"}
      {decides && <> <button type="button" class="link" aria-label={`${next} connscope's own connections`}
        onClick={() => go({ own: next }, true)}>{next}</button></>}
    </span>
  );
}

/** The hosts: how each is captured, what that promises, and what it can not. */
import type { VNode } from "preact";

import { Behind, Completeness, SILENT_S } from "../panels/health";
import type { HostFact } from "../protocol/facts";
import { shown } from "../session/state";
import { counted, duration } from "../store/units";

export function Hosts(): VNode {
  const { hosts } = shown.value;
  if (hosts.length === 0) {
    return (
      <section class="screen" aria-label="Hosts">
        <div class="blank"><h2>No host reports yet</h2>
          <p>An agent reports with <code>connscope agent</code>; <code>connscope doctor</code> says what it can do on its machine.</p></div>
      </section>
    );
  }
  return (
    <section class="screen" aria-label="Hosts">
      <div class="hosts" tabIndex={0} role="group" aria-label="Hosts">
        {hosts.map((host) => <One key={host.host} host={host} />)}
      </div>
    </section>
  );
}

function One({ host }: { host: HostFact }): VNode {
  return (
    <article class="host">
      <header><h2>{host.name || host.host}</h2><span class={`tier tier-${host.tier}`}>{host.tier}</span></header>
      <dl>
        <dt>complete</dt><dd><Completeness host={host} /></dd>
        <dt>lost</dt><dd class={host.lost > 0 ? "degraded" : ""}>{host.lost > 0 ? "▲ " : ""}{counted(host.lost, "row")}{(host.missed ?? 0) > 0 && `, of these ${counted(host.missed ?? 0, "report")} that never came`}</dd>
        <dt>last report</dt><dd class={host.silent_s > SILENT_S ? "degraded" : ""}>{host.silent_s > SILENT_S ? "▲ " : ""}{duration(host.silent_s)} ago <Behind hosts={[host]} /></dd>
        <dt>sees</dt><dd>{counted(host.connections, "connection")}, {counted(host.listeners, "listener")}</dd>
      </dl>
      <ul class="groups" aria-label="What is known">
        {Object.entries(host.groups ?? {}).map(([group, how]) => <li key={group}>{group} <b class={how === "exact" ? "" : "muted"}>{how}</b></li>)}
      </ul>
      {(host.limits ?? []).map((limit) => <p key={limit} class="limit">{limit}</p>)}
    </article>
  );
}

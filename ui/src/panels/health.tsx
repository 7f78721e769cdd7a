/** Always in sight: how each host is captured, how complete that is, and what was lost. */
import type { VNode } from "preact";

import type { HostFact } from "../protocol/facts";
import { go } from "../session/actions";
import { shown } from "../session/state";
import { counted, duration, percent } from "../store/units";
import { behindText, lostText } from "../store/words";

const FEW = 3;
/** A host that reported within this is not silent. */
export const SILENT_S = 15;

export function Health(): VNode {
  const { hosts, totals } = shown.value;
  const missed = hosts.reduce((sum, host) => sum + (host.missed ?? 0), 0);
  const lost = hosts.reduce((sum, host) => sum + host.lost, 0) || totals.lost;
  return (
    <footer class="health" aria-label="Capture">
      {hosts.length === 0 && <span class="muted">No host reports yet</span>}
      {hosts.length <= FEW ? hosts.map((host) => <One key={host.host} host={host} />) : <Many hosts={hosts} />}
      <span class={`health-lost ${lost > 0 ? "degraded" : ""}`} title="Rows that did not fit somewhere on their way, and reports that did not come while later ones did">
        {lost > 0 ? "▲ " : ""}{lostText(lost, missed)}
      </span>
      <button type="button" class="link" onClick={() => go({ screen: "hosts" }, true)}>{counted(hosts.length, "host")}</button>
    </footer>
  );
}

function One({ host }: { host: HostFact }): VNode {
  return (
    <span class="health-host">
      <b>{host.name || host.host}</b>
      <span class={`tier tier-${host.tier}`}>{host.tier}</span>
      <Completeness host={host} />
      {host.silent_s > SILENT_S && <span class="degraded">▲ silent for {duration(host.silent_s)}</span>}
      <Behind hosts={[host]} />
    </span>
  );
}

/** How late what is shown of these hosts is; nothing if it is of now. */
export function Behind({ hosts }: { hosts: readonly HostFact[] }): VNode | null {
  const text = behindText(hosts);
  return text === "" ? null : <span class="degraded" title="What was open then is not shown; what ended is counted as it arrives">▲ {text}</span>;
}

/** The audit's sentence, else the share. */
export function Completeness({ host }: { host: HostFact }): VNode {
  const share = host.completeness;
  if (share === undefined && !host.audit) return <span class="muted">completeness not known</span>;
  const whole = share === undefined || share >= 1;
  return (
    <span class={share === undefined ? "muted" : whole ? "" : "degraded"} title={host.audit}>
      {whole ? "" : "▲ "}{host.audit || percent(share ?? 0)}
    </span>
  );
}

function Many({ hosts }: { hosts: readonly HostFact[] }): VNode {
  const tiers = new Map<string, number>();
  for (const host of hosts) tiers.set(host.tier, (tiers.get(host.tier) ?? 0) + 1);
  const known = hosts.flatMap((host) => (host.completeness === undefined ? [] : [host]));
  const worst = known.reduce<HostFact | null>((least, host) => (
    !least || (host.completeness ?? 1) < (least.completeness ?? 1) ? host : least
  ), null);
  const silent = hosts.filter((host) => host.silent_s > SILENT_S).length;
  return (
    <>
      {[...tiers].map(([tier, number]) => <span key={tier} class="health-host"><span class={`tier tier-${tier}`}>{tier}</span>{counted(number, "host")}</span>)}
      {worst && <span class={(worst.completeness ?? 1) < 1 ? "degraded" : ""}>{(worst.completeness ?? 1) < 1 ? `▲ ${worst.name || worst.host} ${percent(worst.completeness ?? 0)} complete` : "all complete"}</span>}
      {silent > 0 && <span class="degraded">▲ {counted(silent, "host")} silent</span>}
      <Behind hosts={hosts} />
    </>
  );
}

/** Why nothing is there: the reason that the server computed, and what to do. */
import type { VNode } from "preact";

import { go } from "../session/actions";
import { link, place, shown, tick, waiting } from "../session/state";
import { DEFAULT_WINDOW_S } from "../store/model";
import { count } from "../store/units";
import { Icon } from "./icon";
import type { IconName } from "./icon";

const SLOW_MS = 3000;
const openedAt = Date.now();

export function Empty({ what }: { what: IconName }): VNode | null {
  const { totals, timeMs } = shown.value;
  if (timeMs === 0) return <FirstWait />;
  if (waiting.value && !place.value.filter) return null;
  const filtered = place.value.filter !== "" && totals.total_connections > 0;
  const reason = totals.empty || (filtered
    ? `The filter hides all ${count(totals.total_connections)} connections.`
    : `No connections in the last ${shown.value.view?.window_s ?? DEFAULT_WINDOW_S} s.`);
  return (
    <div class="blank">
      <Icon name={what} />
      <h2>{filtered ? "Nothing matches" : "Nothing to show"}</h2>
      <p>{reason}</p>
      {(totals.own_hidden ?? 0) > 0 && <button type="button" onClick={() => go({ own: "show" }, true)}>Show connscope's own</button>}
      {filtered && <button type="button" onClick={() => go({ filter: "" }, true)}>Clear the filter</button>}
    </div>
  );
}

/** Nothing at first: a spinner that is seen for a blink disturbs more than it tells. */
function FirstWait(): VNode | null {
  if (tick.value - openedAt < SLOW_MS || link.value.state === "lost") return null;
  return (
    <div class="blank">
      <h2>Connecting</h2>
      <p>to {location.host}</p>
    </div>
  );
}

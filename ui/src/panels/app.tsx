/** The page as a whole: bar, rail, one screen, details, health. */
import { Component } from "preact";
import type { ComponentChildren, VNode } from "preact";

import { Details } from "../details/details";
import { retry } from "../session/actions";
import { ASKING_S } from "../session/fallback";
import { link, place, shown, spoken, tick, waiting } from "../session/state";
import type { Screen } from "../store/address";
import { clock } from "../store/units";
import { Hosts } from "../table/hosts";
import { Listen } from "../table/listen";
import { Table } from "../table/table";
import { Bar } from "./bar";
import { Health } from "./health";
import { Help } from "./help";
import { MapScreen } from "../map/map";
import { Rail } from "./rail";
import { Outdated, Locked } from "./gates";

const SCREENS: Record<Screen, () => VNode> = {
  map: MapScreen, table: Table, listen: Listen, hosts: Hosts,
};

export function App(): VNode {
  const { state } = link.value;
  if (state === "locked") return <Locked />;
  if (state === "outdated") return <Outdated />;
  const Shown = SCREENS[place.value.screen];
  return (
    <div class={`page ${state === "lost" ? "stale" : ""}`}>
      <Bar />
      <Rail />
      <main id="main" tabIndex={-1}>
        <LinkStrip />
        <Pane name={place.value.screen}><Shown /></Pane>
      </main>
      <Pane name="details"><Details /></Pane>
      <Health />
      <Help />
      <div class="spoken" role="status" aria-live="polite">{spoken.value}</div>
    </div>
  );
}

/** What stands between the viewer and live data; nothing while all is well. */
function LinkStrip(): VNode | null {
  const now = link.value;
  if (now.state === "lost") {
    const seconds = Math.max(0, Math.ceil((now.retryAt - tick.value) / 1000));
    const from = shown.value.timeMs > 0 ? `Data from ${clock(shown.value.timeMs)}. ` : "";
    return (
      <div class="strip bad">
        <strong>Connection lost.</strong>
        <span>{now.reason ? `${now.reason}. ` : ""}{from}{seconds > 0 ? `Retry in ${seconds} s.` : "Trying…"}</span>
        <button type="button" onClick={retry}>Retry now</button>
      </div>
    );
  }
  if (now.state === "live" && now.asking) {
    return <p class="strip">Something between this page and the server lets no WebSocket through: it asks every {ASKING_S} s instead.</p>;
  }
  const busy = now.state === "connecting" || waiting.value;
  return <div class={`progress ${busy ? "busy" : ""}`} aria-hidden="true" />;
}

interface PaneProps {
  name: string;
  children: ComponentChildren;
}

/** A pane that fails says so; the others go on. */
class Pane extends Component<PaneProps, { error: string; name: string }> {
  override state = { error: "", name: this.props.name };

  static override getDerivedStateFromProps(props: PaneProps, state: { name: string }): object | null {
    return props.name === state.name ? null : { error: "", name: props.name };
  }

  override componentDidCatch(error: unknown): void {
    this.setState({ error: error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error) });
  }

  override render({ name, children }: PaneProps): ComponentChildren {
    if (!this.state.error) return children;
    return (
      <section class="blank" role="alert">
        <h2>The {name} pane failed</h2>
        <p>The others go on. These details help to mend it:</p>
        <pre tabIndex={0}>{this.state.error}</pre>
        <button type="button" onClick={() => this.setState({ error: "" })}>Try again</button>
      </section>
    );
  }
}

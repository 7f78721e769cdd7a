/** The bar on top: query, live or paused, theme, help. */
import type { VNode } from "preact";

import { pause } from "../session/actions";
import { helpShown, link, missed, paused, place, shown } from "../session/state";
import { nextTheme } from "../session/theme";
import { clock, counted } from "../store/units";
import { Icon } from "../parts/icon";
import { Query } from "./query";

const THEME_WORDS = { system: "as the system", light: "light", dark: "dark" } as const;

export function Bar(): VNode {
  const { theme } = place.value;
  return (
    <header class="bar">
      <a class="skip" href="#main">To the content</a>
      <h1 class="brand"><Mark />connscope</h1>
      <Query />
      <Live />
      <button type="button" class="plain" onClick={nextTheme} title={`Colours: ${THEME_WORDS[theme]}`}
        aria-label={`Colours: ${THEME_WORDS[theme]}. Change`}>
        <Icon name={theme} />
      </button>
      <button type="button" class="plain" title="Help (?)" aria-label="Help" aria-haspopup="dialog"
        onClick={() => { helpShown.value = true; }}>
        <Icon name="help" />
      </button>
    </header>
  );
}

function Mark(): VNode {
  return (
    <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true" class="brand-mark" fill="none">
      <path d="M4 12 12 4" stroke="currentColor" stroke-width="1.8" />
      <circle cx="4" cy="12" r="3" fill="currentColor" />
      <circle cx="12" cy="4" r="3" fill="none" stroke="currentColor" stroke-width="1.8" />
    </svg>
  );
}

function Live(): VNode {
  const time = shown.value.timeMs > 0 ? clock(shown.value.timeMs) : "";
  if (paused.value) {
    return (
      <button type="button" class="live paused" onClick={pause} title="Back to now (Space)">
        <Icon name="play" />Paused at {time}<span class="missed">{counted(missed.value, "change")} missed</span>
      </button>
    );
  }
  const lost = link.value.state === "lost";
  return (
    <button type="button" class={`live ${lost ? "off" : ""}`} onClick={pause} title="Pause (Space)"
      disabled={shown.value.timeMs === 0}>
      <span class="lamp" aria-hidden="true" />{lost ? "Lost" : link.value.state === "live" ? "Live" : "Connecting"}
      <time>{time}</time><Icon name="pause" />
    </button>
  );
}

/** Light or dark: as the system has it, until a button says otherwise. */
import { effect, signal } from "@preact/signals";

import { THEMES } from "../store/address";
import { go } from "./actions";
import { place } from "./state";

const dark = matchMedia("(prefers-color-scheme: dark)");
const forced = matchMedia("(forced-colors: active)");
export const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Counts changes of colours; whoever draws on a canvas reads it. */
export const coloursChanged = signal(0);

/** Keeps the attribute that CSS looks at in step with the state. */
export function followTheme(): void {
  const apply = (): void => {
    const { theme } = place.value;
    const wanted = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
    document.documentElement.dataset["theme"] = wanted;
    coloursChanged.value += 1;
  };
  let before = "";
  effect(() => {
    const { theme } = place.value;
    if (theme !== before) {
      before = theme;
      queueMicrotask(apply);
    }
  });
  dark.addEventListener("change", apply);
  forced.addEventListener("change", apply);
}

export function nextTheme(): void {
  const index = THEMES.indexOf(place.value.theme);
  go({ theme: THEMES[(index + 1) % THEMES.length] ?? "system" });
}

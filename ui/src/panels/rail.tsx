/** The screens, one key each. */
import type { VNode } from "preact";

import { go } from "../session/actions";
import { place } from "../session/state";
import type { Screen } from "../store/address";
import { Icon } from "../parts/icon";

const ITEMS: readonly (readonly [screen: Screen, name: string, key: string])[] = [
  ["map", "Map", "m"], ["table", "Table", "t"], ["listen", "Listen", "l"], ["hosts", "Hosts", "o"],
];

export function Rail(): VNode {
  return (
    <nav class="rail" aria-label="Screens">
      {ITEMS.map(([screen, name, key]) => (
        <button type="button" key={screen} title={`${name} (${key})`}
          aria-current={place.value.screen === screen ? "page" : undefined}
          onClick={() => go({ screen }, true)}>
          <Icon name={screen} />{name}
        </button>
      ))}
    </nav>
  );
}

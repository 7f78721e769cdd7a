/** The panel on the right: what is selected. */
import { useEffect, useRef } from "preact/hooks";
import type { VNode } from "preact";

import { select } from "../session/actions";
import { selection } from "../session/state";
import { Icon } from "../parts/icon";
import { EdgeDetails } from "./edge";
import { NodeDetails } from "./node";

export function Details(): VNode | null {
  const chosen = selection.value;
  const panel = useRef<HTMLElement>(null);
  const key = chosen ? `${chosen.kind}:${chosen.id}` : "";
  useEffect(() => {
    // Whoever came by keyboard goes on reading here; Esc leads back to the mark.
    const from = document.activeElement;
    if (key && from?.closest(".mirror-layer") && from.matches(":focus-visible")) panel.current?.focus();
  }, [key]);
  if (!chosen) return null;
  return (
    <aside ref={panel} id="details" aria-label="Details" tabIndex={-1}>
      <button type="button" class="plain close" aria-label="Close the details" title="Close (Esc)" onClick={() => select(null)}>
        <Icon name="close" />
      </button>
      {chosen.kind === "node" ? <NodeDetails key={key} id={chosen.id} /> : <EdgeDetails key={key} id={chosen.id} />}
    </aside>
  );
}

/** Keys, the language of the query, and what the map's signs mean. */
import { useEffect, useRef } from "preact/hooks";
import type { VNode } from "preact";

import { KEYS } from "../session/keys";
import { go } from "../session/actions";
import { helpShown, version } from "../session/state";
import { Icon } from "../parts/icon";
import { Shape } from "../map/legend";

const EXAMPLES: readonly (readonly [query: string, shows: string])[] = [
  ["nginx", "nginx in any name, port or address"],
  ["port:443 -is:loopback", "port 443, not within a host"],
  ["remote.ip:10.0.0.0/8 dir:out", "opened from here into that network"],
  ["is:failed", "connects that did not succeed"],
  ["is:external dir:out", "outbound to the Internet"],
  ["retrans>5% tx>=1MB", "much traffic, much of it sent again"],
  ["is:listening local.ip:0.0.0.0,::", "listeners on all interfaces"],
  ["proc:nginx or proc:curl", "one of them holds"],
];

const SHAPES: readonly (readonly [kind: string, outside: boolean, name: string])[] = [
  ["process", false, "process"], ["executable", false, "program, all its processes"],
  ["host", false, "host"], ["user", false, "user"], ["namespace", false, "network namespace"],
  ["port", false, "port"], ["cidr", false, "network"], ["address", true, "address outside"],
];

export function Help(): VNode | null {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (helpShown.value && !element.open) element.showModal();
    if (!helpShown.value && element.open) element.close();
  }, [helpShown.value]);
  const close = (): void => { helpShown.value = false; };
  return (
    <dialog ref={dialog} class="help" aria-label="Help" onClose={close}
      onClick={(event) => { if (event.target === dialog.current) close(); }}>
      <header><h2>Help</h2>
        <button type="button" class="plain" aria-label="Close" onClick={close}><Icon name="close" /></button>
      </header>
      <div class="columns">
        <section><h3>Keys</h3>
          <dl>{KEYS.map(([key, does]) => <div key={key}><dt>{key.split(/ +/).map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{does}</dd></div>)}</dl>
        </section>
        <section><h3>Query</h3>
          <ul class="examples">{EXAMPLES.map(([query, shows]) => (
            <li key={query}><button type="button" class="link" onClick={() => { close(); go({ filter: query }, true); }}><code>{query}</code></button><span>{shows}</span></li>
          ))}</ul>
          <h3>Signs</h3>
          <ul class="shapes">{SHAPES.map(([kind, outside, name]) => <li key={name}><Shape kind={kind} outside={outside} />{name}</li>)}</ul>
          <p class="muted">An arrow points from who connected to who accepted; open, if only one end is
            seen; a dot, if nobody knows. A dot in a mark: it listens; filled: it has clients.</p>
        </section>
      </div>
      <p class="muted">connscope {version.value}</p>
    </dialog>
  );
}

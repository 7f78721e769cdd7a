/** The box of the query: what is typed, what may follow, and what is wrong with it. */
import { useRef, useState } from "preact/hooks";
import type { VNode } from "preact";

import { go } from "../session/actions";
import { live, notice, place } from "../session/state";
import { offersFor, valuesOf } from "../store/completion";
import type { Offer } from "../store/completion";
import type { Picture } from "../store/model";
import { Icon } from "../parts/icon";

/** The last picture without a filter: while a word is typed, the map has less and less of its values. */
let whole: Picture | null = null;

/** Where the caret is, behind a word that was begun; `asked`: also where none is. */
function offersAt(input: HTMLInputElement, asked = false): Offer[] {
  const now = live.peek();
  if (!whole || now.view?.filter === "") whole = now;
  const caret = input.selectionEnd ?? input.value.length;
  const begun = /[^\s()]$/.test(input.value.slice(0, caret));
  return asked || begun ? offersFor(input.value, caret, valuesOf(whole)) : [];
}

export function Query(): VNode {
  const { filter } = place.value;
  const said = notice.value;
  const box = useRef<HTMLInputElement>(null);
  const [offers, setOffers] = useState<readonly Offer[]>([]);
  const [active, setActive] = useState(-1);
  const show = (next: readonly Offer[]): void => { setOffers(next); setActive(-1); };
  const take = (offer: Offer): void => {
    const input = box.current;
    if (!input) return;
    go({ filter: offer.query });
    input.value = offer.query;
    input.setSelectionRange(offer.caret, offer.caret);
    show(offersAt(input));
  };
  const key = (event: KeyboardEvent): void => {
    const input = event.currentTarget as HTMLInputElement;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const chosen = offers[active];
    if (step !== 0 && offers.length === 0) show(offersAt(input, true));
    else if (step !== 0) setActive((active + step + offers.length + (active < 0 && step < 0 ? 1 : 0)) % offers.length);
    else if (event.key === "Escape" && offers.length > 0) show([]);
    else if ((event.key === "Enter" || event.key === "Tab") && chosen) take(chosen);
    else {
      // The caret goes elsewhere: what was offered is not for there.
      if (/^(Enter|Arrow.*|Home|End)$/.test(event.key)) show([]);
      return;
    }
    event.preventDefault();
  };
  return (
    <div class="query" role="search">
      <Icon name="search" />
      <input ref={box} id="query" type="text" value={filter} spellcheck={false} autocomplete="off"
        autocapitalize="off" placeholder="Filter: port:443 proc:nginx -is:loopback is:failed"
        role="combobox" aria-autocomplete="list" aria-expanded={offers.length > 0} aria-controls="query-offers"
        aria-activedescendant={active < 0 ? undefined : `offer-${active}`}
        aria-label="Filter" aria-describedby={said ? "query-notice" : undefined}
        aria-invalid={said?.level === "error"} onKeyDown={key} onBlur={() => show([])} onClick={() => show([])}
        onInput={(event) => { go({ filter: event.currentTarget.value }); show(offersAt(event.currentTarget)); }} />
      {filter
        ? <button type="button" class="plain small" aria-label="Clear the filter" onClick={() => go({ filter: "" })}><Icon name="close" /></button>
        : <kbd aria-hidden="true">/</kbd>}
      <ul id="query-offers" role="listbox" aria-label="What may follow" class={offers.length > 0 ? "offers" : "offers none"}>
        {offers.map((offer, index) => (
          <li key={offer.text} id={`offer-${index}`} role="option" aria-selected={index === active}
            onMouseDown={(event) => { event.preventDefault(); take(offer); }}>
            <code>{offer.text}</code><span>{offer.hint}</span>
          </li>
        ))}
      </ul>
      {said && (
        <div id="query-notice" class={`query-notice ${said.level}`}>
          <span>{said.text}</span>
          <button type="button" class="plain small" aria-label="Dismiss" onClick={() => { notice.value = null; }}><Icon name="close" /></button>
        </div>
      )}
    </div>
  );
}

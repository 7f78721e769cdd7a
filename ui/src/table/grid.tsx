/** A table of any length: only rows in sight are in the page; keyboard, sort, selection, copy. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";

import { Icon } from "../parts/icon";
import { announce } from "../session/actions";
import { counted } from "../store/units";
import { asText, Order } from "./order";
import type { Column, Sorting } from "./order";
import { ROW, useRowsInSight } from "./rows_in_sight";

export interface GridProps<T> {
  name: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  id(row: T): string;
  start: Sorting;
  selected?: string;
  select?(row: T): void;
}

export function Grid<T>({ name, columns, rows, id, start, selected, select }: GridProps<T>): VNode {
  const order = useRef(new Order<T>(id));
  const [sorting, setSorting] = useState(start);
  const [active, setActive] = useState("");
  const sorted = order.current.of(rows, columns, sorting, performance.now());
  const at = Math.max(0, sorted.findIndex((row) => id(row) === active));
  const sight = useRowsInSight(sorted.length, at);
  const { box, first, last } = sight;
  const template = columns.map((column) => column.width).join(" ");
  useEffect(() => { box.current?.style.setProperty("--columns", template); }, [template]);

  const key = (event: KeyboardEvent): void => {
    if ((event.target as HTMLElement).closest("[role=columnheader]")) return;
    const to = destination(event.key, at, sorted.length, sight.page);
    const row = sorted[to ?? at];
    if (!row) return;
    if (to !== null) {
      setActive(id(row));
      sight.focusRow(to);
    } else if (event.key === "Enter" && select) select(row);
    else if (isCopy(event)) copy([row], columns);
    else return;
    event.preventDefault();
  };
  const sort = (next: Sorting): void => {
    order.current.forget();
    setSorting(next);
  };
  const tabbed = at >= first && at < last ? at : first;

  return (
    <div class="grid-frame">
      <div ref={box} class="grid" role="grid" aria-label={name} aria-rowcount={sorted.length + 1}
        aria-colcount={columns.length} onKeyDown={key}
        onScroll={(event) => sight.scrolled(event.currentTarget.scrollTop)}>
        <Head columns={columns} sorting={sorting} sort={sort} />
        <Spacer rows={first} />
        {sorted.slice(first, last).map((row, index) => (
          <Row key={id(row)} row={row} columns={columns} index={first + index}
            selected={selected === id(row)} tabbed={first + index === tabbed}
            selectable={select !== undefined}
            open={() => { setActive(id(row)); select?.(row); }} />
        ))}
        <Spacer rows={sorted.length - last} />
      </div>
      <button type="button" class="copy" onClick={() => copy(sorted, columns)}
        disabled={sorted.length === 0} title="Copy all rows, with tabs between columns">
        <Icon name="copy" />Copy {counted(sorted.length, "row")}
      </button>
    </div>
  );
}

/** The row that a key leads to from row `at`; null if it leads nowhere. */
function destination(key: string, at: number, count: number, page: number): number | null {
  const steps: Record<string, number> = {
    ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: count,
  };
  const to = steps[key];
  return to === undefined ? null : Math.max(0, Math.min(count - 1, to));
}

/** Ctrl-C, unless text is marked: that is the browser's. */
function isCopy(event: KeyboardEvent): boolean {
  return event.key === "c" && (event.ctrlKey || event.metaKey) && !getSelection()?.toString();
}

function copy<T>(rows: readonly T[], columns: readonly Column<T>[]): void {
  // Browsers have no clipboard for pages that are neither local nor HTTPS.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  const copied = clipboard?.writeText(asText(rows, columns)) ?? Promise.reject(new Error("none"));
  void copied.then(
    () => announce(`${counted(rows.length, "row")} copied`),
    () => announce("the browser does not let us copy"),
  );
}

interface HeadProps<T> {
  columns: readonly Column<T>[];
  sorting: Sorting;
  sort(next: Sorting): void;
}

function Head<T>({ columns, sorting, sort }: HeadProps<T>): VNode {
  return (
    <div role="row" aria-rowindex={1} class="grid-head">
      {columns.map(({ id, title, hint, numeric }) => {
        const sorted = sorting.column === id;
        const direction = sorting.descending ? "descending" : "ascending";
        return (
          <div role="columnheader" key={id} class={numeric ? "number" : ""}
            aria-sort={sorted ? direction : "none"}>
            <button type="button" title={hint}
              onClick={() => sort({ column: id, descending: !sorted || !sorting.descending })}>
              {title}
              {sorted && <span class="arrow" aria-hidden="true">{sorting.descending ? "▼" : "▲"}</span>}
            </button>
          </div>
        );
      })}
    </div>
  );
}

/** Stands for rows that are out of sight. */
function Spacer({ rows }: { rows: number }): VNode {
  return <div role="presentation" style={{ height: `${rows * ROW}px` }} />;
}

interface RowProps<T> {
  row: T;
  columns: readonly Column<T>[];
  index: number;
  selected: boolean;
  tabbed: boolean;
  selectable: boolean;
  open(): void;
}

function Row<T>({ row, columns, index, selected, tabbed, selectable, open }: RowProps<T>): VNode {
  return (
    <div role="row" aria-rowindex={index + 2} aria-selected={selected} tabIndex={tabbed ? 0 : -1}
      class={selectable ? "selectable" : ""} onClick={open}>
      {columns.map((column, place) => {
        const text = column.text(row);
        const classes = [column.numeric ? "number" : "", column.look?.(row) ?? ""].join(" ").trim();
        const role = place === 0 ? "rowheader" : "gridcell";
        return <div role={role} key={column.id} class={classes} title={text}>{text || "–"}</div>;
      })}
    </div>
  );
}

/** A table of any length: only rows in sight are in the page; keyboard, sort, selection, copy. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";

import { Icon } from "../panels/icon";
import { announce } from "../session/actions";
import { counted } from "../store/units";
import { asText, Order } from "./order";
import type { Column, Sorting } from "./order";

const ROW = 30;
const OVERSCAN = 8;

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
  const box = useRef<HTMLDivElement>(null);
  const wanted = useRef(false);
  const order = useRef(new Order<T>(id));
  const [sorting, setSorting] = useState(start);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [active, setActive] = useState("");
  const sorted = order.current.of(rows, columns, sorting, performance.now());

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const template = columns.map((column) => column.width).join(" ");
  useEffect(() => { box.current?.style.setProperty("--columns", template); }, [template]);

  const first = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
  const last = Math.min(sorted.length, Math.ceil((top + height) / ROW) + OVERSCAN);
  const at = Math.max(0, sorted.findIndex((row) => id(row) === active));

  // The row that the keyboard goes to is made by this render, or by the one after the scroll.
  useLayoutEffect(() => {
    const row = wanted.current ? box.current?.querySelector<HTMLElement>(`[aria-rowindex="${at + 2}"]`) : null;
    if (!row) return;
    wanted.current = false;
    row.focus({ preventScroll: true });
  });

  const move = (to: number): void => {
    const index = Math.max(0, Math.min(sorted.length - 1, to));
    const row = sorted[index];
    const element = box.current;
    if (!row || !element) return;
    setActive(id(row));
    const y = index * ROW;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + 2 * ROW > element.scrollTop + element.clientHeight) element.scrollTop = y + 2 * ROW - element.clientHeight;
    wanted.current = true;
  };
  const copy = (some: readonly T[]): void => {
    void navigator.clipboard.writeText(asText(some, columns)).then(
      () => announce(`${counted(some.length, "row")} copied`),
      () => announce("the browser does not let us copy"),
    );
  };
  const key = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(height / ROW) - 2);
    const steps: Record<string, number> = {
      ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0,
      End: sorted.length - 1,
    };
    const to = steps[event.key];
    const row = sorted[at];
    if ((event.target as HTMLElement).closest("[role=columnheader]")) return;
    if (to !== undefined) move(to);
    else if (event.key === "Enter" && row && select) select(row);
    else if (event.key === "c" && (event.ctrlKey || event.metaKey) && row && !getSelection()?.toString()) copy([row]);
    else return;
    event.preventDefault();
  };
  const sortBy = (column: string): void => {
    const descending = sorting.column === column ? !sorting.descending : true;
    order.current.forget();
    setSorting({ column, descending });
  };

  return (
    <div class="grid-frame">
      <div ref={box} class="grid" role="grid" aria-label={name} aria-rowcount={sorted.length + 1}
        aria-colcount={columns.length} onKeyDown={key} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
        <div role="row" aria-rowindex={1} class="grid-head">
          {columns.map((column) => (
            <div role="columnheader" key={column.id} class={column.numeric ? "number" : ""}
              aria-sort={sorting.column === column.id ? (sorting.descending ? "descending" : "ascending") : "none"}>
              <button type="button" onClick={() => sortBy(column.id)} title={column.hint}>
                {column.title}<span class="arrow" aria-hidden="true">{sorting.column === column.id ? (sorting.descending ? "▼" : "▲") : ""}</span>
              </button>
            </div>
          ))}
        </div>
        <Spacer rows={first} />
        {sorted.slice(first, last).map((row, index) => (
          <Row key={id(row)} row={row} columns={columns} index={first + index} selected={selected === id(row)}
            tabbed={first + index === at || (index === 0 && (at < first || at >= last))}
            open={() => { setActive(id(row)); select?.(row); }} selectable={select !== undefined} />
        ))}
        <Spacer rows={sorted.length - last} />
      </div>
      <button type="button" class="copy" onClick={() => copy(sorted)} disabled={sorted.length === 0}
        title="Copy all rows, with tabs between columns"><Icon name="copy" />Copy {counted(sorted.length, "row")}</button>
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
        return <div role={place === 0 ? "rowheader" : "gridcell"} key={column.id} class={classes} title={text}>{text || "–"}</div>;
      })}
    </div>
  );
}

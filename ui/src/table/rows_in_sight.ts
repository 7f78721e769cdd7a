/** Which rows of a long list are in sight, and where the keyboard is among them. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";

/** Height of a row in pixels, as in grid.css. */
export const ROW = 30;
const OVERSCAN = 8;

export interface RowsInSight {
  box: RefObject<HTMLDivElement | null>;
  first: number;
  last: number;
  /** Rows that fit at once. */
  page: number;
  scrolled(top: number): void;
  /** Puts the keyboard on a row, and the row in sight. */
  focusRow(index: number): void;
}

/** `current` is the row that the keyboard is on, of `count`. */
export function useRowsInSight(count: number, current: number): RowsInSight {
  const box = useRef<HTMLDivElement>(null);
  const wanted = useRef(false);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // The row that the keyboard goes to is made by this render, or by the one after the scroll.
  useLayoutEffect(() => {
    if (!wanted.current) return;
    const row = box.current?.querySelector<HTMLElement>(`[aria-rowindex="${current + 2}"]`);
    if (!row) return;
    wanted.current = false;
    row.focus({ preventScroll: true });
  });
  return {
    box,
    first: Math.max(0, Math.floor(top / ROW) - OVERSCAN),
    last: Math.min(count, Math.ceil((top + height) / ROW) + OVERSCAN),
    page: Math.max(1, Math.floor(height / ROW) - 2),
    scrolled: setTop,
    focusRow: (index) => {
      wanted.current = true;
      if (box.current) scrollTo(box.current, index * ROW);
    },
  };
}

function scrollTo(element: HTMLElement, y: number): void {
  const lowest = y + 2 * ROW - element.clientHeight;
  if (y < element.scrollTop) element.scrollTop = y;
  else if (lowest > element.scrollTop) element.scrollTop = lowest;
}

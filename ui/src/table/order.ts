/** Columns of a table and the order of its rows, which stays for a while though values change. */

export interface Column<T> {
  id: string;
  title: string;
  hint?: string;
  /** A track of CSS grid: `minmax(8rem, 2fr)`. */
  width: string;
  numeric?: boolean;
  text(row: T): string;
  /** What it is sorted by, where that is not the text; NaN is not known. */
  value?(row: T): number;
  /** A class of its cells. */
  look?(row: T): string;
}

export interface Sorting {
  column: string;
  descending: boolean;
}

/** Rows change their order no faster, so that a row can be read and hit. */
const KEPT_MS = 3000;

export class Order<T> {
  #ranks = new Map<string, number>();
  #sortedAt = -Infinity;

  constructor(private readonly id: (row: T) => string) {}

  /** Sort anew at the next call. */
  forget(): void {
    this.#sortedAt = -Infinity;
  }

  /** The rows in order. Those that came since the last sort are at the end. */
  of(rows: readonly T[], columns: readonly Column<T>[], sorting: Sorting, nowMs: number): T[] {
    if (nowMs - this.#sortedAt < KEPT_MS && this.#ranks.size > 0) {
      const rank = (row: T): number => this.#ranks.get(this.id(row)) ?? Infinity;
      return [...rows].sort((a, b) => {
        const [one, other] = [rank(a), rank(b)];
        return one === other ? 0 : one - other;
      });
    }
    const sorted = sort(rows, columns, sorting, this.id);
    this.#sortedAt = nowMs;
    this.#ranks = new Map(sorted.map((row, index) => [this.id(row), index]));
    return sorted;
  }
}

/** Sorted by a column; what is not known comes last either way, equals are in the order of ids. */
export function sort<T>(
  rows: readonly T[], columns: readonly Column<T>[], sorting: Sorting, id: (row: T) => string,
): T[] {
  const column = columns.find((one) => one.id === sorting.column);
  if (!column) return [...rows];
  const sign = sorting.descending ? -1 : 1;
  const keyed = rows.map((row) => (
    { row, id: id(row), value: column.value?.(row), text: column.value ? "" : column.text(row) }
  ));
  keyed.sort((a, b) => {
    if (a.value !== undefined && b.value !== undefined) {
      const known = Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
      const compared = known || sign * (a.value - b.value);
      if (compared) return compared;
    } else if (a.text !== b.text) {
      const known = Number(a.text === "") - Number(b.text === "");
      return known || sign * (a.text < b.text ? -1 : 1);
    }
    return a.id < b.id ? -1 : 1;
  });
  return keyed.map((one) => one.row);
}

/** Rows as text with tabs; a cell that a spreadsheet would take for a formula gets an apostrophe. */
export function asText<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const safe = (text: string): string => {
    const flat = text.replace(/[\t\r\n]+/g, " ");
    return /^[=+\-@]/.test(flat) ? `'${flat}` : flat;
  };
  const lines = rows.map((row) => columns.map((column) => safe(column.text(row))).join("\t"));
  return [columns.map((column) => column.title).join("\t"), ...lines].join("\n");
}

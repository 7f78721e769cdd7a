/** The state of the page in its address, so that what is seen can be sent as a link. */
import { GROUPS, METRICS, OWN } from "../protocol/facts";
import type { Group, Metric, Own } from "../protocol/facts";

export const SCREENS = ["map", "table", "listen", "hosts"] as const;
export type Screen = (typeof SCREENS)[number];
export const TABLES = ["pairs", "nodes", "connections"] as const;
export type TableKind = (typeof TABLES)[number];
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export interface Place {
  screen: Screen;
  group: Group;
  filter: string;
  metric: Metric;
  /** `node:ID`, `edge:ID` or nothing. */
  selection: string;
  table: TableKind;
  theme: Theme;
  limit: number;
  /** Seconds; 0: the longest of the server. */
  window_s: number;
  /** What becomes of connscope's own connections. */
  own: Own;
}

export const START: Place = {
  screen: "map", group: "process", filter: "", metric: "throughput", selection: "",
  table: "pairs", theme: "system", limit: 300, window_s: 0, own: "hide",
};

/** Reads a query string; what is not known or not allowed is as at the start. */
export function readPlace(query: string): Place {
  const given = new URLSearchParams(query);
  const word = <T extends string>(name: string, words: readonly T[], otherwise: T): T =>
    words.find((one) => one === given.get(name)) ?? otherwise;
  const number = (name: string, least: number, most: number, otherwise: number): number => {
    const value = Number(given.get(name) ?? Number.NaN);
    return Number.isInteger(value) && value >= least && value <= most ? value : otherwise;
  };
  return {
    screen: word("view", SCREENS, START.screen),
    group: word("group", GROUPS, START.group),
    filter: given.get("filter") ?? "",
    metric: word("metric", METRICS, START.metric),
    selection: given.get("select") ?? "",
    table: word("rows", TABLES, START.table),
    theme: word("theme", THEMES, START.theme),
    limit: number("limit", 1, 5000, START.limit),
    window_s: number("window", 1, 3600, START.window_s),
    own: word("own", OWN, START.own),
  };
}

/** Writes the query string, without what is as at the start: `?view=table&filter=port%3A443`. */
export function writePlace(place: Place): string {
  const names: Record<keyof Place, string> = {
    screen: "view", group: "group", filter: "filter", metric: "metric", selection: "select",
    table: "rows", theme: "theme", limit: "limit", window_s: "window",
    own: "own",
  };
  const query = new URLSearchParams();
  for (const key of Object.keys(names) as (keyof Place)[]) {
    if (place[key] !== START[key]) query.set(names[key], String(place[key]));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

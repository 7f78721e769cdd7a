/** Who is connected to whom, in an order that depends on ids only. */

export interface Link {
  source: string;
  target: string;
}

export type Links = ReadonlyMap<string, readonly string[]>;

/** Neighbours by id, each once and sorted; a link to itself is none. */
export function linksOf(edges: Iterable<Link>): Links {
  const sets = new Map<string, Set<string>>();
  const add = (from: string, to: string): void => {
    const set = sets.get(from);
    if (set) set.add(to);
    else sets.set(from, new Set([to]));
  };
  for (const { source, target } of edges) {
    if (source === target) continue;
    add(source, target);
    add(target, source);
  }
  const links = new Map<string, readonly string[]>();
  for (const [id, set] of sets) links.set(id, [...set].sort());
  return links;
}

/** Ids by number of neighbours, most first, then by id. */
export function byDegree(ids: Iterable<string>, links: Links): string[] {
  const degree = (id: string): number => links.get(id)?.length ?? 0;
  return [...ids].sort((a, b) => degree(b) - degree(a) || (a < b ? -1 : 1));
}

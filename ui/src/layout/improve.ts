/** Shortens the lines of a first layout: nodes change slots within their district, before anybody looks. */
import type { Point, Slot } from "./district";
import type { Place } from "./layout";
import type { Links } from "./links";

const ROUNDS = 4;
/** How many slots near the wanted place are tried. */
const TRIED = 9;

/** A node with its neighbours in reach: rounds look nothing up by id. */
interface Body {
  place: Place;
  at: Point;
  neighbours: readonly Body[];
  /** It or a neighbour has moved since it was tried. */
  stale: boolean;
}

type Bodies = ReadonlyMap<string, Body>;

/** Moves nodes of `places` between slots of their own district while that shortens their lines. */
export function improve(places: ReadonlyMap<string, Place>, links: Links): void {
  const bodies = bodiesOf(places, links);
  const linked = [...bodies].filter(([id]) => links.has(id)).sort(([a], [b]) => (a < b ? -1 : 1));
  for (let round = 0; round < ROUNDS; round += 1) {
    let moved = false;
    for (const [id, body] of linked) {
      if (!body.stale) continue;
      body.stale = false;
      moved = tryOne(id, body, bodies) || moved;
    }
    if (!moved) return;
  }
}

function bodiesOf(places: ReadonlyMap<string, Place>, links: Links): Bodies {
  const bodies = new Map<string, Body>();
  for (const [id, place] of places) {
    bodies.set(id, { place, at: place.district.at(place.slot), neighbours: [], stale: true });
  }
  for (const [id, body] of bodies) {
    body.neighbours = (links.get(id) ?? []).flatMap((other) => bodies.get(other) ?? []);
  }
  return bodies;
}

function tryOne(id: string, body: Body, bodies: Bodies): boolean {
  const wanted = meanOf(body.neighbours);
  if (!wanted) return false;
  const { district } = body.place;
  const here = body.at;
  const now = lengthFrom(body, here);
  let best: { slot: Slot; other: string | undefined } | null = null;
  let bestGain = 1;
  for (const slot of district.nearest(wanted, TRIED)) {
    const other = district.owner(slot);
    if (other === id) continue;
    const there = district.at(slot);
    let gain = now - lengthFrom(body, there);
    const neighbour = other === undefined ? undefined : bodies.get(other);
    if (neighbour) gain += lengthFrom(neighbour, there) - lengthFrom(neighbour, here);
    if (gain > bestGain) {
      best = { slot, other };
      bestGain = gain;
    }
  }
  if (best) exchange(id, body, best.slot, best.other, bodies);
  return best !== null;
}

function exchange(id: string, body: Body, slot: Slot, other: string | undefined, bodies: Bodies): void {
  const { district, slot: before } = body.place;
  const neighbour = other === undefined ? undefined : bodies.get(other);
  district.free(before);
  if (other !== undefined && neighbour) put(other, neighbour, before);
  put(id, body, slot);
}

function put(id: string, body: Body, slot: Slot): void {
  const { district } = body.place;
  body.place.slot = slot;
  body.at = district.at(slot);
  district.own(slot, id);
  body.stale = true;
  for (const neighbour of body.neighbours) neighbour.stale = true;
}

function lengthFrom(body: Body, { x, y }: Point): number {
  let length = 0;
  for (const { at } of body.neighbours) length += Math.sqrt((at.x - x) ** 2 + (at.y - y) ** 2);
  return length;
}

function meanOf(bodies: readonly Body[]): Point | null {
  let [x, y] = [0, 0];
  for (const { at } of bodies) {
    x += at.x;
    y += at.y;
  }
  return bodies.length === 0 ? null : { x: x / bodies.length, y: y / bodies.length };
}

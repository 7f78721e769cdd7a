/** Shortens the lines of a first layout: nodes change slots within their district, before anybody looks. */
import type { District, Point, Slot } from "./district";
import type { Place } from "./layout";
import type { Links } from "./links";

const ROUNDS = 4;
/** How many slots near the wanted place are tried. */
const TRIED = 9;

/** Moves nodes of `places` between slots of their own district while that shortens their lines. */
export function improve(places: Map<string, Place>, links: Links): void {
  const ids = [...places.keys()].filter((id) => links.has(id)).sort();
  for (let round = 0; round < ROUNDS; round += 1) {
    let moved = false;
    for (const id of ids) moved = tryOne(id, places, links) || moved;
    if (!moved) return;
  }
}

function tryOne(id: string, places: Map<string, Place>, links: Links): boolean {
  const place = places.get(id);
  const wanted = meanOf(links.get(id) ?? [], places);
  if (!place || !wanted) return false;
  const here = place.district.at(place.slot);
  const now = lengthFrom(id, here, places, links);
  let best: { slot: Slot; other: string | undefined } | null = null;
  let bestGain = 1;
  for (const slot of nearest(place.district, wanted)) {
    const there = place.district.at(slot);
    const other = place.district.owner(slot);
    if (other === id) continue;
    let gain = now - lengthFrom(id, there, places, links);
    if (other !== undefined) {
      gain += lengthFrom(other, there, places, links) - lengthFrom(other, here, places, links);
    }
    if (gain > bestGain) {
      best = { slot, other };
      bestGain = gain;
    }
  }
  if (best) exchange(id, place, best.slot, best.other, places);
  return best !== null;
}

function exchange(
  id: string, place: Place, slot: Slot, other: string | undefined, places: Map<string, Place>,
): void {
  const { district } = place;
  const before = place.slot;
  const neighbour = other === undefined ? undefined : places.get(other);
  if (other !== undefined && neighbour) {
    neighbour.slot = before;
    district.own(before, other);
  } else {
    district.free(before);
  }
  place.slot = slot;
  district.own(slot, id);
}

function nearest(district: District, to: Point): Slot[] {
  const found: { slot: Slot; distance: number }[] = [];
  for (const slot of district.slots()) {
    const at = district.at(slot);
    const distance = (at.x - to.x) ** 2 + (at.y - to.y) ** 2;
    const last = found[found.length - 1];
    if (found.length === TRIED && last && distance >= last.distance) continue;
    const index = found.findIndex((one) => distance < one.distance);
    found.splice(index < 0 ? found.length : index, 0, { slot, distance });
    if (found.length > TRIED) found.pop();
  }
  return found.map((one) => one.slot);
}

function lengthFrom(id: string, at: Point, places: Map<string, Place>, links: Links): number {
  let length = 0;
  for (const other of links.get(id) ?? []) {
    const place = places.get(other);
    if (!place) continue;
    const there = place.district.at(place.slot);
    length += Math.hypot(there.x - at.x, there.y - at.y);
  }
  return length;
}

function meanOf(ids: readonly string[], places: Map<string, Place>): Point | null {
  let [x, y, placed] = [0, 0, 0];
  for (const id of ids) {
    const place = places.get(id);
    if (!place) continue;
    const at = place.district.at(place.slot);
    x += at.x;
    y += at.y;
    placed += 1;
  }
  return placed === 0 ? null : { x: x / placed, y: y / placed };
}

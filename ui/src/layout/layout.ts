/**
 * Districts and slots: each box has a district, each node owns a slot of it.
 *
 * What stays never moves: a newcomer takes the free slot nearest to the mean of its placed
 * neighbours, a district grows only where there is room, and if there is none its box gets a second
 * one. What is gone keeps its slot for a while. The same ids in the same order of changes give the
 * same places.
 */
import { District } from "./district";
import type { Point, Rectangle, Slot } from "./district";
import { improve } from "./improve";
import { byDegree, linksOf } from "./links";
import type { Link, Links } from "./links";
import { GAP, pack } from "./packing";
import type { Pull } from "./packing";

/** How long a slot is kept for a node that is gone. */
export const RETENTION_MS = 300_000;
/** How many slots of a district may wait for nodes that are gone, before newcomers take them. */
const WAITING_LEAST = 8;
const WAITING_SHARE = 0.3;

export interface Member {
  id: string;
  box: string;
}

export interface Place {
  district: District;
  slot: Slot;
  /** Milliseconds; null while the node is there. */
  goneAt: number | null;
  /** It left by itself, not because the view changed: it is drawn while it fades. */
  fades: boolean;
}

export interface DistrictView {
  box: string;
  part: number;
  rectangle: Rectangle;
}

export class Layout {
  #places = new Map<string, Place>();
  #districts: District[] = [];
  #pins = new Map<string, Point>();

  /** A layout of its own with the same pins: what `tidy` makes of the nodes that are there. */
  static tidied(members: readonly Member[], edges: Iterable<Link>, before: Layout): Layout {
    const layout = new Layout();
    layout.#pins = new Map(before.#pins);
    layout.update(members, edges, 0, false);
    return layout;
  }

  /** Where a node is: its pin, or its slot. */
  at(id: string): Point | undefined {
    const pin = this.#pins.get(id);
    if (pin) return pin;
    const place = this.#places.get(id);
    return place?.district.at(place.slot);
  }

  /** Nodes that left by themselves, with the moment they did. */
  *gone(): Generator<{ id: string; at: Point; goneAt: number }> {
    for (const [id, place] of this.#places) {
      const at = this.at(id);
      if (at && place.goneAt !== null && place.fades) yield { id, at, goneAt: place.goneAt };
    }
  }

  districts(): DistrictView[] {
    return this.#districts.map((one) => (
      { box: one.box, part: one.part, rectangle: one.rectangle() }
    ));
  }

  pins(): ReadonlyMap<string, Point> {
    return this.#pins;
  }

  pin(id: string, at: Point | null): void {
    if (at) this.#pins.set(id, { x: Math.round(at.x), y: Math.round(at.y) });
    else this.#pins.delete(id);
  }

  /**
   * Takes in which nodes are there at `nowMs`. No node that was there and is there moves.
   * `fades` says that what is missing left by itself, not because the view is another.
   */
  update(members: readonly Member[], edges: Iterable<Link>, nowMs: number, fades: boolean): void {
    const here = new Map(members.map((member) => [member.id, member.box]));
    this.#leave(here, nowMs, fades);
    this.#forget(nowMs);
    const fresh = members.filter((member) => !this.#places.has(member.id));
    if (fresh.length === 0) return;
    const first = this.#places.size === 0;
    const links = linksOf(edges);
    this.#settle(fresh, links, here);
    for (const id of byDegree(fresh.map((member) => member.id), links)) {
      this.#place(id, here.get(id) ?? "", links);
    }
    if (first) improve(this.#places, links);
  }

  #leave(here: ReadonlyMap<string, string>, nowMs: number, fades: boolean): void {
    for (const [id, place] of this.#places) {
      if (here.has(id)) place.goneAt = null;
      else if (place.goneAt === null) {
        place.goneAt = nowMs;
        place.fades = fades;
      }
    }
  }

  #forget(nowMs: number): void {
    for (const [id, place] of this.#places) {
      if (place.goneAt !== null && nowMs - place.goneAt > RETENTION_MS) this.#release(id, place);
    }
    if (this.#districts.some((district) => district.owned === 0)) {
      this.#districts = this.#districts.filter((district) => district.owned > 0);
    }
  }

  #release(id: string, place: Place): void {
    place.district.free(place.slot);
    this.#places.delete(id);
  }

  /** Gives a district to each box that has none, the one with the most members first. */
  #settle(fresh: readonly Member[], links: Links, boxes: ReadonlyMap<string, string>): void {
    const settled = new Set(this.#districts.map((district) => district.box));
    const newcomers = new Map<string, string[]>();
    for (const { id, box } of fresh) {
      if (settled.has(box)) continue;
      const ids = newcomers.get(box);
      if (ids) ids.push(id);
      else newcomers.set(box, [id]);
    }
    const order = [...newcomers].sort(([a, one], [b, other]) => (
      other.length - one.length || (a < b ? -1 : 1)
    ));
    for (const [box, ids] of order) this.#add(new District(box, 0, ids.length), ids, links, boxes);
  }

  #add(district: District, ids: readonly string[], links: Links, boxes: ReadonlyMap<string, string>): void {
    const weights = new Map<string, number>();
    for (const id of ids) {
      for (const other of links.get(id) ?? []) {
        const box = boxes.get(other);
        if (box !== undefined) weights.set(box, (weights.get(box) ?? 0) + 1);
      }
    }
    const pulls: Pull[] = [];
    for (const one of this.#districts) {
      const weight = weights.get(one.box) ?? 0;
      if (weight > 0) pulls.push({ ...one.middle(), weight });
    }
    pack(district, this.#districts, pulls);
    this.#districts.push(district);
  }

  #place(id: string, box: string, links: Links): void {
    const towards = this.#meanOf(links.get(id) ?? []);
    const own = this.#districts.filter((district) => district.box === box);
    const [district, slot] = this.#freeSlot(own, towards) ?? this.#makeRoom(box, own, towards);
    district.own(slot, id);
    this.#places.set(id, { district, slot, goneAt: null, fades: false });
  }

  #freeSlot(own: readonly District[], towards: Point | null): [District, Slot] | null {
    for (const district of own) {
      const slot = district.nearestFree(towards);
      if (slot) return [district, slot];
    }
    return null;
  }

  #makeRoom(box: string, own: readonly District[], towards: Point | null): [District, Slot] {
    for (const district of own) {
      if (!this.#evict(district)) district.grow(this.#districts, GAP / 2);
      const slot = district.nearestFree(towards);
      if (slot) return [district, slot];
    }
    const annex = new District(box, own.length, 0);
    const pulls = own.map((district) => ({ ...district.middle(), weight: 1 }));
    pack(annex, this.#districts, pulls);
    this.#districts.push(annex);
    return [annex, annex.nearestFree(towards) ?? { column: 0, row: 0 }];
  }

  /** Frees the slot that waits longest, if too many wait. */
  #evict(district: District): boolean {
    let waiting = 0;
    let oldest: [string, Place] | null = null;
    for (const id of district.owners()) {
      const place = this.#places.get(id);
      if (!place || place.goneAt === null) continue;
      waiting += 1;
      if (!oldest || place.goneAt < (oldest[1].goneAt ?? 0)) oldest = [id, place];
    }
    const allowed = Math.max(WAITING_LEAST, WAITING_SHARE * (district.owned - waiting));
    if (!oldest || waiting <= allowed) return false;
    this.#release(...oldest);
    return true;
  }

  #meanOf(ids: readonly string[]): Point | null {
    let [x, y, placed] = [0, 0, 0];
    for (const id of ids) {
      const at = this.at(id);
      if (!at) continue;
      x += at.x;
      y += at.y;
      placed += 1;
    }
    return placed === 0 ? null : { x: x / placed, y: y / placed };
  }
}

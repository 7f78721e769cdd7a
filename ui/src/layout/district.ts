/** A district: the rectangle of one box, with a hexagonal grid of slots that nodes own. */

/** World units between slots of a row, and between rows. */
export const SLOT_WIDTH = 116;
export const SLOT_HEIGHT = 96;
const PADDING = 10;
/** Room for the name of the box, above the slots. */
export const HEADER = 40;
const ASPECT = 1.5;
const FEWEST = 2;
/** Share of slots that are empty at first: room to come for newcomers. */
const SPARE = 0.3;

export interface Point {
  x: number;
  y: number;
}

export interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Slot {
  column: number;
  row: number;
}

export type Side = "left" | "right" | "top" | "bottom";

export function overlap(a: Rectangle, b: Rectangle, gap: number): boolean {
  return a.left < b.right + gap && b.left < a.right + gap
    && a.top < b.bottom + gap && b.top < a.bottom + gap;
}

/** A slot as one number: columns and rows stay far below 32,768. */
function keyOf(column: number, row: number): number {
  return (row << 16) ^ (column & 0xffff);
}

export class District {
  #left = 0;
  #right: number;
  #top = 0;
  #bottom: number;
  readonly #owners = new Map<number, string>();
  /** Where slot (0, 0) is. */
  origin: Point = { x: 0, y: 0 };

  /** `part` counts the districts of one box, from 0: a box has a second one if the first can not grow. */
  constructor(readonly box: string, readonly part: number, members: number) {
    const slots = Math.max(FEWEST, Math.ceil(members * (1 + SPARE)));
    const columns = Math.max(2, Math.round(Math.sqrt((slots * ASPECT * SLOT_HEIGHT) / SLOT_WIDTH)));
    this.#right = columns - 1;
    this.#bottom = Math.ceil(slots / columns) - 1;
  }

  rectangle(): Rectangle {
    return {
      left: this.origin.x + (this.#left - 0.5) * SLOT_WIDTH - PADDING,
      right: this.origin.x + (this.#right + 1) * SLOT_WIDTH + PADDING,
      top: this.origin.y + (this.#top - 0.5) * SLOT_HEIGHT - HEADER,
      bottom: this.origin.y + (this.#bottom + 0.5) * SLOT_HEIGHT + PADDING,
    };
  }

  /** Moves the district so that its corner is there; only before somebody sees it. */
  moveTo(left: number, top: number): void {
    const now = this.rectangle();
    this.origin = { x: this.origin.x + left - now.left, y: this.origin.y + top - now.top };
  }

  at(slot: Slot): Point {
    const shift = (slot.row & 1) === 0 ? 0 : SLOT_WIDTH / 2;
    return {
      x: this.origin.x + slot.column * SLOT_WIDTH + shift,
      y: this.origin.y + slot.row * SLOT_HEIGHT,
    };
  }

  owner({ column, row }: Slot): string | undefined {
    return this.#owners.get(keyOf(column, row));
  }

  own({ column, row }: Slot, id: string): void {
    this.#owners.set(keyOf(column, row), id);
  }

  free({ column, row }: Slot): void {
    this.#owners.delete(keyOf(column, row));
  }

  get owned(): number {
    return this.#owners.size;
  }

  owners(): IterableIterator<string> {
    return this.#owners.values();
  }

  /** All slots, row by row. */
  *slots(): Generator<Slot> {
    for (let row = this.#top; row <= this.#bottom; row += 1) {
      for (let column = this.#left; column <= this.#right; column += 1) yield { column, row };
    }
  }

  /** The free slot nearest to a point (the middle if there is none), or null if all are owned. */
  nearestFree(to: Point | null): Slot | null {
    return this.#nearest(to ?? this.middle(), 1, true)[0] ?? null;
  }

  /** The `most` slots nearest to a point, the nearest first. */
  nearest(to: Point, most: number): Slot[] {
    return this.#nearest(to, most, false);
  }

  /** In numbers and without a generator: a first layout asks this thousands of times. */
  #nearest(to: Point, most: number, free: boolean): Slot[] {
    const found: Slot[] = [];
    const distances: number[] = [];
    let farthest = Infinity;
    for (let row = this.#top; row <= this.#bottom; row += 1) {
      const dy = this.origin.y + row * SLOT_HEIGHT - to.y;
      if (dy * dy >= farthest) continue;
      const dx = this.origin.x + ((row & 1) === 0 ? 0 : SLOT_WIDTH / 2) - to.x;
      for (let column = this.#left; column <= this.#right; column += 1) {
        const distance = (dx + column * SLOT_WIDTH) ** 2 + dy * dy;
        if (distance >= farthest || (free && this.#owners.has(keyOf(column, row)))) continue;
        let index = Math.min(found.length, most - 1);
        for (; index > 0 && distance < (distances[index - 1] ?? 0); index -= 1) {
          distances[index] = distances[index - 1] ?? 0;
          found[index] = found[index - 1] ?? { column, row };
        }
        distances[index] = distance;
        found[index] = { column, row };
        if (found.length === most) farthest = distances[most - 1] ?? 0;
      }
    }
    return found;
  }

  middle(): Point {
    const { left, right, top, bottom } = this.rectangle();
    return { x: (left + right) / 2, y: (top + bottom) / 2 };
  }

  /** Adds a row or column where no other district is in the way; false if there is no such side. */
  grow(others: readonly District[], gap: number): boolean {
    const { left, right, top, bottom } = this.rectangle();
    const wide = (right - left) / (bottom - top) > ASPECT;
    const sides: Side[] = wide
      ? ["bottom", "top", "right", "left"]
      : ["right", "left", "bottom", "top"];
    for (const side of sides) {
      this.#extend(side, 1);
      const now = this.rectangle();
      if (!others.some((other) => other !== this && overlap(now, other.rectangle(), gap))) return true;
      this.#extend(side, -1);
    }
    return false;
  }

  #extend(side: Side, by: number): void {
    if (side === "left") this.#left -= by;
    else if (side === "right") this.#right += by;
    else if (side === "top") this.#top -= by;
    else this.#bottom += by;
  }
}

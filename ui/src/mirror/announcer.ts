/** What a screen reader is told without being asked: at most one sentence in five seconds. */

const LEAST_MS = 5000;

export class Announcer {
  #waiting = "";
  #saidAt = -Infinity;
  #timer: (() => void) | null = null;

  constructor(
    private readonly say: (text: string) => void,
    private readonly now: () => number,
    private readonly later: (act: () => void, ms: number) => () => void,
  ) {}

  /** Says it now, or when five seconds are over; the newest of what waits wins. */
  announce(text: string): void {
    this.#waiting = text;
    if (this.#timer) return;
    const wait = this.#saidAt + LEAST_MS - this.now();
    if (wait <= 0) this.#speak();
    else this.#timer = this.later(() => this.#speak(), wait);
  }

  #speak(): void {
    this.#timer = null;
    this.#saidAt = this.now();
    this.say(this.#waiting);
  }
}

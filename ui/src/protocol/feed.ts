/** The live feed: one WebSocket that comes back by itself, answers each sequence, and asks for a view. */
import { waitSeconds } from "./backoff";
import type { ViewRequest } from "./facts";
import { MalformedMessage, readMessage } from "./messages";
import type { Delta, Snapshot, Welcome } from "./messages";

/** Parts of WebSocket that the feed uses; tests pass their own. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export interface FeedListener {
  welcome(message: Welcome): void;
  rows(message: Snapshot | Delta): void;
  notice(level: string, text: string): void;
  /** The connection is gone; `retryAt` is in ms of `now`. */
  lost(reason: string, retryAt: number): void;
  /** An attempt begins. */
  connecting(): void;
}

export interface FeedDoors {
  open(): Socket;
  now(): number;
  random(): number;
  later(act: () => void, ms: number): () => void;
}

export class Feed {
  #socket: Socket | null = null;
  #failures = 0;
  #cancelRetry: (() => void) | null = null;
  #resume: { epoch: string; sequence: number } | null = null;
  #reason = "";
  #closed = false;
  #greeted = false;
  #view: ViewRequest;
  #interval: number;

  constructor(
    private readonly doors: FeedDoors,
    private readonly listener: FeedListener,
    view: ViewRequest,
    interval = 1,
  ) {
    this.#view = view;
    this.#interval = interval;
  }

  /** Opens the connection; also "retry now". */
  open(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#closed = false;
    this.#drop();
    this.listener.connecting();
    const socket = this.doors.open();
    this.#socket = socket;
    socket.onopen = () => this.#greet();
    socket.onmessage = (event) => this.#take(String(event.data));
    socket.onclose = () => this.#lose();
  }

  /** Opens the connection anew and takes nothing over: what is here does not fit any more. */
  restart(): void {
    this.#resume = null;
    this.open();
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#drop();
  }

  /** Asks for another view, or another rhythm (seconds), and remembers it for reconnects. */
  subscribe(view: ViewRequest, interval: number = this.#interval): void {
    this.#view = view;
    this.#interval = interval;
    if (this.#greeted) this.#send({ t: "subscribe", view, interval_s: interval });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#greeted = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #greet(): void {
    this.#greeted = true;
    const resume = this.#resume ? { resume: this.#resume } : {};
    this.#send({ t: "hello", protocol: 1, ...resume });
    this.#send({ t: "subscribe", view: this.#view, interval_s: this.#interval });
  }

  #take(text: string): void {
    try {
      const message = readMessage(text);
      if (!message) return;
      if (message.t === "welcome") this.#welcome(message);
      else if (message.t === "notice") this.listener.notice(message.level, message.text);
      else if (message.t === "bye") this.#reason = message.reason;
      else this.#apply(message);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#resume = null;
      this.#reason = error.message;
      this.#drop();
      this.#lose();
    }
  }

  #welcome(message: Welcome): void {
    this.#failures = 0;
    if (this.#resume?.epoch !== message.epoch) {
      this.#resume = { epoch: message.epoch, sequence: 0 };
    }
    this.listener.welcome(message);
  }

  #apply(message: Snapshot | Delta): void {
    this.listener.rows(message);
    if (this.#resume) this.#resume.sequence = message.sequence;
    this.#send({ t: "ack", sequence: message.sequence });
  }

  #lose(): void {
    this.#socket = null;
    this.#greeted = false;
    if (this.#closed) return;
    this.#failures += 1;
    const wait = waitSeconds(this.#failures, this.doors.random()) * 1000;
    this.#cancelRetry = this.doors.later(() => this.open(), wait);
    this.listener.lost(this.#reason, this.doors.now() + wait);
    this.#reason = "";
  }

  #send(message: object): void {
    this.#socket?.send(JSON.stringify(message));
  }
}

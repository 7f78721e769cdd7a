/** The dev feed: docs/api.md over a synthetic network, and the built page with its strict CSP. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

import type { ViewRequest } from "../src/protocol/facts";
import { answer } from "./answers";
import { Network } from "./network";
import type { NetworkOptions } from "./network";
import { Wire } from "./wire";

export const CSP = "default-src 'self'; style-src 'self'; connect-src 'self'";
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
};

export interface FeedOptions extends NetworkOptions {
  pages: string;
  token?: string;
  /** What the page's address begins with, such as `/tools/connscope`. */
  prefix?: string;
  /** 0: only `step` moves time. */
  intervalMs?: number;
}

interface Viewer {
  socket: WebSocket;
  wire: Wire;
  acked: boolean;
}

export class DevFeed {
  readonly network: Network;
  version = "0.1.0-dev";
  epoch = `dev-${process.pid}-${Date.now()}`;
  acks = 0;
  #server: Server;
  #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "connscope.v1" });
  #viewers = new Set<Viewer>();
  #timer: NodeJS.Timeout | undefined;
  #refuses = false;

  constructor(private readonly options: FeedOptions) {
    this.network = new Network(options);
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("upgrade", (request, socket, head) => {
      if (this.#refuses || !this.#permitted(request)) {
        socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#greet(opened));
    });
  }

  /** Listens on loopback; the address to open, with the token. */
  async open(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    const { intervalMs = 1000 } = this.options;
    if (intervalMs > 0) this.#timer = setInterval(() => this.step(), intervalMs);
    const address = this.#server.address();
    const bound = typeof address === "object" && address ? address.port : 0;
    const fragment = this.options.token ? `#t=${this.options.token}` : "";
    return `http://127.0.0.1:${bound}${this.options.prefix ?? ""}/${fragment}`;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const { socket } of this.#viewers) socket.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Moves time by a second and tells every viewer who acknowledged. */
  step(replaced?: number): void {
    this.network.step(replaced);
    for (const viewer of this.#viewers) {
      if (!viewer.acked) continue;
      viewer.acked = false;
      viewer.socket.send(JSON.stringify(viewer.wire.delta()));
    }
  }

  say(message: object): void {
    for (const { socket } of this.#viewers) socket.send(JSON.stringify(message));
  }

  /** Drops all viewers, and answers nobody until told otherwise. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
    if (refuses) for (const { socket } of this.#viewers) socket.terminate();
  }

  #greet(socket: WebSocket): void {
    let viewer: Viewer | null = null;
    const send = (message: object): void => socket.send(JSON.stringify(message));
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as { t: string; view: ViewRequest };
      if (message.t === "hello") send({ t: "welcome", protocol: 1, epoch: this.epoch, version: this.version, time_ms: this.network.timeMs });
      if (message.t === "ack" && viewer) {
        viewer.acked = true;
        this.acks += 1;
      }
      if (message.t !== "subscribe") return;
      if (message.view.filter.includes("(")) {
        send({ t: "notice", level: "error", text: `${message.view.filter}\n${" ".repeat(message.view.filter.indexOf("("))}^ a parenthesis is not closed` });
        return;
      }
      if (viewer) this.#viewers.delete(viewer);
      viewer = { socket, wire: new Wire(this.network, message.view), acked: false };
      this.#viewers.add(viewer);
      send(viewer.wire.snapshot());
    });
    socket.on("close", () => { if (viewer) this.#viewers.delete(viewer); });
  }

  #permitted(request: IncomingMessage): boolean {
    const { token } = this.options;
    return !token || (request.headers.cookie ?? "").includes(`connscope=${token}`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://localhost");
    const { prefix = "" } = this.options;
    if (!url.pathname.startsWith(`${prefix}/`)) return void response.writeHead(404).end();
    const path = url.pathname.slice(prefix.length + 1);
    if (this.#refuses) return void request.socket.destroy();
    if (path.startsWith("api/v1/")) return this.#api(path.slice(7), url, request, response);
    const file = join(this.options.pages, normalize(path || "index.html"));
    try {
      const body = await readFile(file);
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": CSP }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }

  async #api(path: string, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, body?: object): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(body ? JSON.stringify(body) : "");
    };
    if (path === "session") {
      let text = "";
      for await (const chunk of request) text += String(chunk);
      if ((JSON.parse(text) as { token: string }).token !== this.options.token) return say(401, { error: "not the token" });
      response.setHeader("set-cookie", `connscope=${this.options.token}; HttpOnly; SameSite=Strict; Path=/`);
      return say(204);
    }
    if (!this.#permitted(request)) return say(401, { error: "a token is needed: connscope status prints the address" });
    const body = answer(this.network, path, url.searchParams);
    say(body ? 200 : 404, body ?? { error: "not there (any more)" });
  }
}

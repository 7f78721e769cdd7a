/** connscope on this machine, as root, and programs that make traffic for it. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";

const TREE = resolve("..");
const PYTHON = join(TREE, ".venv/bin/python");
const CONNSCOPE = [PYTHON, "-B", join(TREE, ".venv/bin/connscope")];
const PATIENCE_MS = 30_000;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address ? address.port : 0;
}

/** A program, its lines, and its end. */
export class Program {
  readonly process: ChildProcess;
  #lines: Interface;
  #said = "";

  constructor(command: readonly string[]) {
    const [file = "", ...rest] = command;
    this.process = spawn(file, rest, { cwd: TREE, env: { ...process.env, PYTHONPATH: TREE, PYTHONDONTWRITEBYTECODE: "1" } });
    this.process.stderr?.on("data", (text) => { this.#said += String(text); });
    this.#lines = createInterface({ input: this.process.stdout ?? process.stdin });
  }

  /** The next line that has this in it. */
  line(part = ""): Promise<string> {
    return new Promise((done, fail) => {
      const give = (error: Error | null, text = ""): void => {
        clearTimeout(timer);
        this.#lines.off("line", look);
        this.process.off("exit", ended);
        if (error) fail(error);
        else done(text);
      };
      const look = (text: string): void => { if (text.includes(part)) give(null, text); };
      const ended = (): void => give(new Error(`it ended: ${this.#said}`));
      const timer = setTimeout(() => give(new Error(`no "${part}": ${this.#said}`)), PATIENCE_MS);
      this.#lines.on("line", look);
      this.process.on("exit", ended);
    });
  }

  /** Writes a line, and returns the answer. */
  ask(text: string): Promise<string> {
    const answer = this.line();
    this.process.stdin?.write(`${text}\n`);
    return answer;
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const over = new Promise((done) => this.process.once("exit", done));
    this.process.stdin?.end();
    this.process.kill(signal);
    await over;
  }
}

/** A connscope with places of its own, so that another one may run here. */
export class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), "connscope-live-"));
  readonly #programs: Program[] = [];

  /** `name`: what the machine calls itself, if not by its own name. */
  constructor(readonly port: number, private readonly name = "") {
    writeFileSync(join(this.folder, "config.toml"), [
      `server_port = ${port}`, `server_socket = "/run/connscope/live.sock"`, `spool_dir = "/run/connscope/spool"`, "",
    ].join("\n"));
    writeFileSync(join(this.folder, "token"), "the-token-of-the-tests-0123456789-abcdefgh\n", { mode: 0o600 });
  }

  /** Runs `connscope COMMAND…`. Its /run/connscope is its own: only one may run in each. */
  start(...command: string[]): Program {
    const own = "mount -t tmpfs -o mode=755 none /run/connscope && exec \"$@\"";
    const named = this.name ? `hostname ${this.name} && ` : "";
    return this.#keep(new Program([
      "unshare", "--mount", "--uts", "sh", "-c", `${named}mkdir -p /run/connscope && ${own}`, "sh",
      ...CONNSCOPE, ...command, "--config", join(this.folder, "config.toml"),
    ]));
  }

  /** Runs a Python program of this folder. */
  traffic(name: string): Program {
    return this.#keep(new Program([PYTHON, "-B", join(TREE, "ui/tests/live", name)]));
  }

  /** `connscope launch`; the address of its page. */
  async launch(...options: string[]): Promise<[Program, string]> {
    const program = this.start("launch", "--port", String(this.port), ...options);
    const said = await program.line("http://");
    return [program, said.slice(said.indexOf("http://"))];
  }

  async close(): Promise<void> {
    for (const program of this.#programs.reverse()) await program.end();
    rmSync(this.folder, { recursive: true });
  }

  #keep(program: Program): Program {
    this.#programs.push(program);
    return program;
  }
}

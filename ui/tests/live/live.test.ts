/** The page over connscope on this machine, as root: from connect() to the browser, and what fails. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Browser, BrowserContext, Page } from "playwright-core";

import { openBrowser } from "../../dev/browser";
import { GENEROUS } from "../budget";
import { Machine, freePort } from "./machine";
import type { Program } from "./machine";

type Made = [port: number, beganMs: number][];

/** ui.md's two seconds, for all but one of a hundred. */
const BUDGET_MS = GENEROUS * 2000;
const CONNECTIONS = 100;

let browser: Browser;
let machine: Machine;
let traffic: Program;
let address = "";
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  browser = await openBrowser();
  machine = new Machine(await freePort());
  traffic = machine.traffic("connects.py");
  [, address] = await machine.launch();
});
afterEach(async () => { while (contexts.length > 0) await contexts.pop()?.close(); });
afterAll(async () => {
  await machine.close();
  await browser.close();
});

async function open(query: string, at = address): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  contexts.push(context);
  const page = await context.newPage();
  const [base = "", fragment = ""] = at.split("#");
  await page.goto(`${base}${query}#${fragment}`);
  await page.waitForFunction(() => window.__test?.counts().timeMs > 0);
  return page;
}

const made = async (what: string): Promise<Made> => JSON.parse(await traffic.ask(what)) as Made;
const oneOf = async (what: string): Promise<number> => (await made(what))[0]?.[0] ?? 0;

/** Waits for a line that ends at this port, and returns its id. */
async function lineTo(page: Page, port: number): Promise<string> {
  const end = `port:tcp/${port}`;
  const found = await page.waitForFunction(
    (text) => window.__test.lines().find((id) => id.endsWith(`>${text}`)), end,
  );
  return String(await found.jsonValue());
}

async function select(page: Page, what: string): Promise<void> {
  const url = new URL(page.url());
  url.searchParams.set("select", what);
  await page.goto(url.href);
}

test("from connect() to its line on the map", async () => {
  const page = await open("?group=port&limit=2000");
  // Each frame, the moment in which a line is there for the first time.
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    (window as unknown as { seen: typeof seen }).seen = seen;
    const look = (): void => {
      for (const id of window.__test.lines()) seen[id.slice(id.indexOf(">") + 1)] ??= Date.now();
      requestAnimationFrame(look);
    };
    look();
  });
  const all = await made(String(CONNECTIONS));
  const last = `port:tcp/${all.at(-1)?.[0]}`;
  await page.waitForFunction((id) => id in (window as unknown as { seen: object }).seen, last);
  const seen = await page.evaluate(() => (window as unknown as { seen: Record<string, number> }).seen);
  const waits = all.map(([port, began]) => (seen[`port:tcp/${port}`] ?? Infinity) - began).sort((a, b) => a - b);
  const at = (share: number): number => waits[Math.ceil(share * waits.length) - 1] ?? Infinity;
  console.log(`connect() to line, ${waits.length}: p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms, most ${at(1).toFixed(0)} ms`);

  expect(waits.length).toBe(CONNECTIONS);
  expect(at(0.99)).toBeLessThan(BUDGET_MS);
  expect(at(1)).toBeLessThan(Infinity);
});

test("the details say who listens, who asks and what went over", async () => {
  const page = await open("?group=port&limit=2000");
  const port = await oneOf("1");
  const line = await lineTo(page, port);
  await select(page, `edge:${line}`);
  const details = page.locator("#details");

  await expect.poll(() => details.textContent()).toContain(String(port));
  await expect.poll(() => details.textContent()).toMatch(/python/);

  await select(page, `node:port:tcp/${port}`);

  await expect.poll(() => details.locator("h2").textContent()).toContain(String(port));
});

test("a filter of the real server leaves that line alone", async () => {
  const page = await open("?group=port&limit=2000");
  const port = await oneOf("1");
  await lineTo(page, port);
  await page.fill("#query", `port:${port}`);

  await expect.poll(() => page.evaluate(() => window.__test.lines().length)).toBe(1);
});

test.each([["host", "host:"], ["executable", "executable:"], ["port", "port:"]])("grouped by %s", async (group, start) => {
  const port = await oneOf("1");
  const page = await open(`?group=${group}&filter=port:${port}`);

  await expect.poll(async () => Object.keys(await page.evaluate(() => window.__test.positions())).filter((id) => id.startsWith(start)).length).toBeGreaterThan(0);
});

test("the page's own connection to connscope is counted, and shown only when asked for", async () => {
  const page = await open("?group=port&limit=2000");
  const own = page.locator(".own");
  const linesHere = (): Promise<number> => page.evaluate(
    (end) => window.__test.lines().filter((id) => id.endsWith(end)).length, `>port:tcp/${machine.port}`,
  );

  await expect.poll(() => own.textContent()).toMatch(/^[1-9]\d* of connscope itself hidden/);
  expect(await linesHere()).toBe(0);

  await own.getByRole("button").click();

  await expect.poll(linesHere).toBe(1);
});

test("is:own leaves connscope's own connections alone, -is:own all others", async () => {
  const port = await oneOf("1");
  const page = await open("?group=port&limit=2000&filter=is:own");
  await lineTo(page, machine.port);

  expect(await page.evaluate((end) => window.__test.lines().some((id) => id.endsWith(end)), `>port:tcp/${port}`)).toBe(false);

  await page.fill("#query", "-is:own");
  await lineTo(page, port);

  expect(await page.evaluate((end) => window.__test.lines().some((id) => id.endsWith(end)), `>port:tcp/${machine.port}`)).toBe(false);
});

test("a connect that fails is a failing line with its reason", async () => {
  const port = await oneOf("refused");
  const page = await open(`?group=executable&filter=port:${port}&view=table`);
  const row = page.getByRole("grid").locator("[aria-rowindex='2']");

  await expect.poll(() => row.textContent()).toContain("refused ×1");

  await row.click();

  await expect.poll(() => page.locator("#details").textContent()).toContain("nothing listens there");
});

test("keys alone lead to a real node's details, and axe-core has nothing to say", async () => {
  const port = await oneOf("1");
  const page = await open(`?group=executable&filter=port:${port}`);
  await page.waitForFunction(() => Object.keys(window.__test.positions()).length > 0);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.locator("#details h3").first().waitFor();

  expect(await page.evaluate(() => document.activeElement?.id)).toBe("details");

  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const found = await page.evaluate(async () => (
    await (window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }).axe.run()
  ).violations.map((one) => [one.id, one.nodes[0]?.html]));

  expect(found).toEqual([]);
});

test("killed and started with the same token: the page comes back by itself; with another: how to get in", async () => {
  const other = new Machine(await freePort());
  try {
    const options = ["server", "--port", String(other.port), "--token-file", `${other.folder}/token`, "--socket", ""];
    const server = other.start(...options);
    await server.line("http://");
    const token = readFileSync(`${other.folder}/token`, "utf8").trim();
    const page = await open("", `http://127.0.0.1:${other.port}/#t=${token}`);
    await server.end("SIGKILL");
    const strip = page.locator(".strip.bad");

    await expect.poll(() => strip.textContent()).toMatch(/Connection lost\..*Data from/);

    const again = other.start(...options);
    await again.line("http://");

    await expect.poll(() => strip.count(), { timeout: 40_000 }).toBe(0);

    await again.end("SIGKILL");
    await strip.waitFor();
    const stranger = other.start(...options.filter((_, index) => index !== 3 && index !== 4));
    await stranger.line("http://");

    await expect.poll(() => page.locator(".gate").textContent({ timeout: 40_000 })).toContain("connscope status");
  } finally {
    await other.close();
  }
});

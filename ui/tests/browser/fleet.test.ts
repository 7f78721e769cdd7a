/** Five thousand nodes through the real server: a hundred hosts that report, made up. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openBrowser } from "../../dev/browser";
import { GENEROUS } from "../budget";

const TREE = resolve("..");
const NODES = 5000;
/** From the address to all of them drawn, of a machine at rest. */
const BUDGET_MS = 8000;

let browser: Browser;
let fleet: ChildProcess;
let address = "";

beforeAll(async () => {
  browser = await openBrowser();
  fleet = spawn(`${TREE}/.venv/bin/python`, ["-B", resolve("tests/browser/fleet.py")], {
    cwd: TREE, env: { ...process.env, PYTHONPATH: TREE }, stdio: ["pipe", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: fleet.stdout ?? process.stdin })) {
    address = line;
    break;
  }
});
afterAll(async () => {
  await browser.close();
  const over = new Promise((done) => fleet.once("exit", done));
  fleet.stdin?.end();
  await over;
});

async function open(query: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" })).newPage();
  const complaints: string[] = [];
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.message));
  const [base = "", fragment = ""] = address.split("#");
  await page.goto(`${base}${query}#${fragment}`);
  await page.waitForFunction(() => window.__test?.counts().nodes > 0);
  return { page, complaints };
}

test("all are on the map, none over another, and nobody complains", async () => {
  const began = performance.now();
  const { page, complaints } = await open(`?limit=${NODES}`);
  await page.waitForFunction(() => window.__test.frameTimes().length > 0);
  const took = performance.now() - began;
  const places = Object.values(await page.evaluate(() => window.__test.positions()));
  const frames = await page.evaluate(() => window.__test.frameTimes());
  console.log(`${places.length} nodes: drawn after ${took.toFixed(0)} ms, of which a frame ${Math.max(...frames).toFixed(0)} ms`);
  const shot = process.env["SHOT"];
  if (shot) await page.screenshot({ path: shot });

  expect(places.length).toBe(NODES);
  expect(new Set(places.map(([x, y]) => `${x.toFixed(0)},${y.toFixed(0)}`)).size).toBe(NODES);
  expect(complaints).toEqual([]);
  expect(took).toBeLessThan(GENEROUS * BUDGET_MS);
});

test("by default the busiest 300 are drawn, the others are counted in words", async () => {
  const { page } = await open("");

  expect((await page.evaluate(() => window.__test.counts())).nodes).toBe(300);
  expect(await page.locator("body").textContent()).toMatch(/300.*5,000/);
});

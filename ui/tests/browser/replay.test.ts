/** The page over a recording of real traffic, by `connscope replay`, without any rights. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openBrowser } from "../../dev/browser";

const TREE = resolve("..");

let browser: Browser;
let replay: ChildProcess;
let address = "";

beforeAll(async () => {
  browser = await openBrowser();
  replay = spawn(`${TREE}/.venv/bin/python`, [
    "-B", `${TREE}/.venv/bin/connscope`, "replay", resolve("tests/fixtures/web.recording"), "--port", "0",
  ], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: replay.stdout ?? process.stdin })) {
    address = line.slice(line.indexOf("http://"));
    if (line.includes("http://")) break;
  }
});
afterAll(async () => {
  await browser.close();
  const over = new Promise((done) => replay.once("exit", done));
  replay.kill("SIGINT");
  await over;
});

async function open(query: string, sockets = true): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  if (!sockets) await context.routeWebSocket(/stream/, (socket) => socket.close());
  const page = await context.newPage();
  const [base = "", fragment = ""] = address.split("#");
  await page.goto(`${base}${query}#${fragment}`);
  await page.waitForFunction(() => window.__test?.counts().nodes > 0);
  return page;
}

const names = (page: Page): Promise<(string | null)[]> => (
  page.evaluate(() => [...document.querySelectorAll(".mirror-layer button")].map((one) => one.getAttribute("aria-label")?.split(",")[0] ?? null))
);

test("the recorded programs are on the map", async () => {
  const page = await open("?group=executable");

  await expect.poll(() => names(page)).toEqual(expect.arrayContaining(["nginx", "redis-server", "curl"]));
});

test("grouped by host everything of the machine is one node", async () => {
  const page = await open("?group=host");

  await expect.poll(() => names(page)).toContain("web-1");
});

test("a refused connect says what that means", async () => {
  const page = await open("?group=executable&filter=port:8080&view=table");
  const row = page.getByRole("grid").locator("[aria-rowindex='2']");
  await row.click();

  await expect.poll(() => page.locator("#details").textContent()).toContain("nothing listens there");
});

test("until the viewer moves the map, all of it is in sight", async () => {
  const page = await open("");
  const outside = (): Promise<number> => page.evaluate(() => {
    const map = document.querySelector(".mirror") as HTMLElement;
    return Object.values(window.__test.screen()).filter(([x, y]) => x < 0 || y < 0 || x > map.clientWidth || y > map.clientHeight).length;
  });
  const before = (await page.evaluate(() => window.__test.counts())).timeMs;
  await page.waitForFunction((then) => window.__test.counts().timeMs > then + 4000, before);

  await expect.poll(outside).toBe(0);
});

test("where no WebSocket gets through, the page says so and asks instead", async () => {
  const page = await open("?group=executable", false);
  const strip = page.locator(".strip");
  const time = async (): Promise<number> => (await page.evaluate(() => window.__test.counts())).timeMs;

  await expect.poll(() => strip.textContent()).toContain("lets no WebSocket through");
  await expect.poll(() => names(page)).toEqual(expect.arrayContaining(["nginx", "redis-server", "curl"]));

  const before = await time();

  await expect.poll(time).toBeGreaterThan(before);

  await page.fill("#query", "proc:nginx (");

  await expect.poll(() => page.locator("#query-notice").textContent()).toContain("never closed");

  await page.fill("#query", "proc:redis-server");

  await expect.poll(() => names(page)).not.toContain("curl");
  expect(await page.locator("#query-notice").count()).toBe(0);
});

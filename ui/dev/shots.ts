/** npm run shots -- FOLDER: pictures of every screen and state, to be looked at. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";

import { openBrowser } from "./browser";
import { DevFeed } from "./feed";

const folder = process.argv[2] ?? "build/shots";
mkdirSync(folder, { recursive: true });
const pages = resolve("../src/connscope/web");
const ONLY = process.argv[3] ?? "";

async function shot(
  browser: Browser, name: string, nodes: number, hosts: number, query: string,
  act: (page: Page, feed: DevFeed) => Promise<void> = async () => undefined,
  size = { width: 1440, height: 900 },
): Promise<void> {
  if (ONLY && !name.includes(ONLY)) return;
  const feed = new DevFeed({ nodes, hosts, pages, intervalMs: 0 });
  const address = await feed.open();
  const page = await browser.newPage({ viewport: size });
  page.on("console", (message) => { if (message.type() === "error") console.log(name, message.text()); });
  page.on("pageerror", (error) => console.log(name, error.message));
  await page.goto(address + query);
  await page.waitForTimeout(500);
  for (let turn = 0; turn < 3; turn += 1) {
    feed.step();
    await page.waitForTimeout(80);
  }
  await act(page, feed);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.close();
  await feed.close();
}

const node = async (page: Page, index: number): Promise<void> => {
  const places = Object.values(await page.evaluate(() => window.__test.screen()));
  const box = await page.locator(".mirror").boundingBox();
  const at = places[index];
  if (at && box) await page.mouse.click(box.x + at[0], box.y + at[1]);
};

const browser = await openBrowser();
for (const theme of ["light", "dark"]) {
  await shot(browser, `map-30-${theme}`, 30, 1, `?theme=${theme}`);
  await shot(browser, `map-300-${theme}`, 300, 4, `?theme=${theme}`);
  await shot(browser, `map-1000-${theme}`, 1000, 9, `?theme=${theme}&limit=1000`);
  await shot(browser, `table-${theme}`, 300, 4, `?theme=${theme}&view=table`);
  await shot(browser, `node-${theme}`, 60, 3, `?theme=${theme}`, (page) => node(page, 6));
  await shot(browser, `edge-${theme}`, 60, 3, `?theme=${theme}&view=table`, async (page) => {
    await page.getByRole("button", { name: "Health" }).click();
    await page.locator("[role=row][aria-rowindex='2']").click();
  });
  await shot(browser, `lost-${theme}`, 60, 3, `?theme=${theme}`, async (page, feed) => {
    feed.refuse(true);
    await page.waitForTimeout(1500);
  });
  await shot(browser, `empty-${theme}`, 0, 1, `?theme=${theme}`);
  await shot(browser, `filtered-${theme}`, 60, 3, `?theme=${theme}&filter=nothing-like-this`);
  await shot(browser, `listen-${theme}`, 60, 3, `?theme=${theme}&view=listen`);
  await shot(browser, `hosts-${theme}`, 60, 5, `?theme=${theme}&view=hosts`);
  await shot(browser, `help-${theme}`, 60, 3, `?theme=${theme}`, async (page) => page.keyboard.press("?"));
}
await shot(browser, "notice", 60, 3, "", async (page) => { await page.fill("#query", "port:443 ("); await page.waitForTimeout(600); });
await shot(browser, "paused", 60, 3, "", async (page, feed) => { await page.keyboard.press(" "); for (let turn = 0; turn < 4; turn += 1) { feed.step(3); await page.waitForTimeout(80); } });
await shot(browser, "hover", 60, 3, "", async (page) => {
  await node(page, 8);
  await page.keyboard.press("Escape");
});
await shot(browser, "narrow", 60, 3, "", undefined, { width: 420, height: 800 });
await browser.close();

/** A page of the built UI over its own dev feed; time stands still until a test moves it. */
import { resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

import { openBrowser } from "../../dev/browser";
import { DevFeed } from "../../dev/feed";
import type { FeedOptions } from "../../dev/feed";

export interface Rig {
  page: Page;
  feed: DevFeed;
  address: string;
  /** What the browser complained about: errors, refused by CSP. */
  complaints: string[];
}

let browser: Browser;
const closers: (() => Promise<void>)[] = [];

/** Registers the browser and the cleaning up; once in each file. */
export function useBrowser(): void {
  beforeAll(async () => { browser = await openBrowser(); });
  afterEach(async () => { while (closers.length > 0) await closers.pop()?.(); });
  afterAll(async () => { await browser.close(); });
}

export async function openPage(options: Partial<FeedOptions> = {}, query = "", wait = true): Promise<Rig> {
  const feed = new DevFeed({
    nodes: 60, hosts: 3, intervalMs: 0, pages: resolve("../src/connscope/web"), ...options,
  });
  const address = await feed.open();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.message));
  closers.push(async () => { await context.close(); await feed.close(); });
  const [base = "", fragment = ""] = address.split("#");
  await page.goto(`${base}${query}${fragment && `#${fragment}`}`);
  if (wait) await page.waitForFunction(() => window.__test?.counts().timeMs > 0);
  return { page, feed, address: base, complaints };
}

/** Moves the network by a second and waits until the page has taken it in. */
export async function step({ page, feed }: Rig, replaced?: number): Promise<void> {
  const { acks } = feed;
  await expect.poll(() => feed.acks).toBeGreaterThan(0);
  feed.step(replaced);
  await expect.poll(() => feed.acks, { interval: 5 }).toBeGreaterThan(acks);
  await page.evaluate(() => new Promise(requestAnimationFrame));
}

export const positions = (page: Page): Promise<Record<string, [number, number]>> => (
  page.evaluate(() => window.__test.positions())
);

/** The place of a node in pixels of the page. */
export async function placeOf(page: Page, id: string): Promise<{ x: number; y: number }> {
  const places = await page.evaluate(() => window.__test.screen());
  const box = await page.locator(".mirror").boundingBox();
  const [x, y] = places[id] ?? [0, 0];
  return { x: x + (box?.x ?? 0), y: y + (box?.y ?? 0) };
}

/** The id of the mark that has the keyboard. */
export const focusedId = (page: Page): Promise<string | undefined> => (
  page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset["id"])
);

/** What a map and a table may cost: ui.md's goals, times BUDGET_FACTOR. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { GENEROUS } from "../budget";
import { openPage, step, useBrowser } from "./rig";
import type { Rig } from "./rig";

useBrowser();

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Infinity;

async function measures(page: Page, name: string): Promise<number[]> {
  return page.evaluate((one) => performance.getEntriesByName(`connscope-${one}`).map(({ duration }) => duration), name);
}

test("painted within a second, with all of the map within one and a half", async () => {
  const { page } = await openPage({ nodes: 300 });
  const painted = await page.evaluate(() => performance.getEntriesByType("paint")[0]?.startTime ?? Infinity);
  const usable = await page.evaluate(() => (performance.getEntriesByName("connscope-snapshot")[0]?.startTime ?? Infinity) + (performance.getEntriesByName("connscope-snapshot")[0]?.duration ?? 0));
  console.log(`painted ${painted.toFixed(0)} ms, usable ${usable.toFixed(0)} ms`);

  expect(painted).toBeLessThan(GENEROUS * 1000);
  expect(usable).toBeLessThan(GENEROUS * 1500);
});

/** Milliseconds of the page's main thread, raster included: what else runs on this machine does not change them. */
async function threadOf(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * (metrics.find(({ name }) => name === "ThreadTime")?.value ?? 0);
  };
}

/** What each of some seconds costs, from the message to pixels. */
async function costsOfDeltas(rig: Rig, turns: number): Promise<number[]> {
  const thread = await threadOf(rig.page);
  await step(rig);
  const costs: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const before = await thread();
    await step(rig);
    costs.push(await thread() - before);
  }
  return costs;
}

test("a snapshot of 1,000 nodes, and deltas that become pixels", async () => {
  const rig = await openPage({ nodes: 1000, hosts: 8 }, "?limit=2000&filter=nothing-like-this");
  const { page } = rig;
  const thread = await threadOf(page);
  const clear = page.locator(".blank").getByRole("button", { name: "Clear the filter" });
  await clear.waitFor();
  const before = await thread();
  await clear.click();
  await page.waitForFunction(() => window.__test.counts().nodes === 1000);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  const snapshot = await thread() - before;
  const [ingest = 0] = (await measures(page, "snapshot")).slice(-1);
  const delta = median(await costsOfDeltas(rig, 7));
  console.log(`1,000 nodes: snapshot ${snapshot.toFixed(0)} ms to pixels, of which ingest ${ingest.toFixed(0)} ms by the clock; delta to pixels ${delta.toFixed(0)} ms`);

  expect(snapshot).toBeLessThan(GENEROUS * 150);
  // The goal is of the default, 300 of them drawn: all 1,000 have three times the marks.
  expect(delta).toBeLessThan(GENEROUS * 3 * 16);
});

test("deltas that become pixels where 300 of 1,000 nodes are drawn", async () => {
  const rig = await openPage({ nodes: 1000, hosts: 8 });
  const costs = await costsOfDeltas(rig, 15);
  console.log(`300 of 1,000 nodes: delta to pixels ${median(costs).toFixed(0)} ms, most ${Math.max(...costs).toFixed(0)} ms`);

  expect((await rig.page.evaluate(() => window.__test.counts())).nodes).toBe(300);
  expect(median(costs)).toBeLessThan(GENEROUS * 16);
});

test("a map of 2,000 nodes is dragged at thirty frames a second", async () => {
  const { page } = await openPage({ nodes: 2000, hosts: 8 }, "?limit=2000");
  const thread = await threadOf(page);
  const camera = await page.evaluate(() => window.__test.camera());
  const before = await thread();
  const gaps = await page.evaluate(async () => {
    const map = document.querySelector(".mirror") as HTMLElement;
    map.setPointerCapture = () => undefined;
    const box = map.getBoundingClientRect();
    const send = (type: string, x: number): boolean => (
      map.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: box.top + 3, pointerId: 1, button: 0 }))
    );
    send("pointerdown", 400);
    const found: number[] = [];
    let last = performance.now();
    for (let frame = 0; frame < 90; frame += 1) {
      send("pointermove", 400 + (frame < 60 ? frame : 120 - frame) * 6);
      await new Promise(requestAnimationFrame);
      found.push(performance.now() - last);
      last = performance.now();
    }
    send("pointerup", 400);
    return found;
  });
  const cost = (await thread() - before) / gaps.length;
  console.log(`2,000 nodes dragged: ${median(gaps).toFixed(0)} ms a frame, ${cost.toFixed(1)} ms of the main thread`);

  expect(await page.evaluate(() => window.__test.camera())).not.toEqual(camera);
  expect(cost).toBeLessThan(GENEROUS * 10);
  expect(median(gaps)).toBeLessThan(GENEROUS * 33);
});

test("150 seconds of changes leave no more memory behind than five megabytes", async () => {
  const rig = await openPage({ nodes: 300, hosts: 4 });
  const session = await rig.page.context().newCDPSession(rig.page);
  const heap = async (): Promise<number> => {
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize;
  };
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) await step(rig, 3);
  };
  await pass(30);
  const before = await heap();
  await pass(150);
  const grown = (await heap() - before) / 1e6;
  console.log(`after 150 changes the heap has grown by ${grown.toFixed(1)} MB`);

  expect(grown).toBeLessThan(5);
});

test("of 1,000 nodes 300 are drawn, the others are counted in words", async () => {
  const { page } = await openPage({ nodes: 1000, hosts: 8 });

  expect((await page.evaluate(() => window.__test.counts())).nodes).toBe(300);
  expect(await page.locator("body").textContent()).toMatch(/300.*1,000/);
});

test("a table of many rows is sorted and scrolled", async () => {
  const { page, feed } = await openPage({ nodes: 1500, hosts: 8 }, "?view=table&limit=5000");
  const grid = page.getByRole("grid");
  await grid.waitFor();
  const thread = await threadOf(page);
  const before = await thread();
  const cost = await page.evaluate(async () => {
    const frame = (): Promise<number> => new Promise(requestAnimationFrame);
    const head = [...document.querySelectorAll<HTMLElement>("[role=columnheader] button")].find((one) => one.textContent?.includes("Failed"));
    const began = performance.now();
    head?.click();
    await frame();
    await frame();
    const sorted = performance.now() - began;
    const scroller = [...document.querySelectorAll<HTMLElement>("*")].find((one) => one.scrollHeight > one.clientHeight + 5000);
    const gaps: number[] = [];
    let before = performance.now();
    for (let turn = 0; turn < 60 && scroller; turn += 1) {
      scroller.scrollTop += 400;
      await frame();
      gaps.push(performance.now() - before);
      before = performance.now();
    }
    return { sorted, gaps };
  });
  // Sorting is in it too, once.
  const frame = (await thread() - before) / cost.gaps.length;
  console.log(`${feed.network.edges.size} rows: sorted ${cost.sorted.toFixed(0)} ms, scroll ${median(cost.gaps).toFixed(0)} ms a frame, ${frame.toFixed(1)} ms of the main thread`);

  expect(cost.gaps.length).toBe(60);
  expect(cost.sorted).toBeLessThan(GENEROUS * 200);
  expect(frame).toBeLessThan(GENEROUS * 20);
});

test("a live map at rest takes a twentieth of a core", async () => {
  const rig = await openPage({ nodes: 300, intervalMs: 1000 });
  const thread = await threadOf(rig.page);
  const [{ acks }, before] = [rig.feed, await thread()];
  await expect.poll(() => rig.feed.acks).toBeGreaterThan(acks + 5);
  const share = (await thread() - before) / 6000;
  console.log(`at rest: ${(100 * share).toFixed(1)} % of a core`);

  expect(share).toBeLessThan(GENEROUS * 0.05);
});

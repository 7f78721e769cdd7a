/** What a map and a table may cost: ui.md's goals, times BUDGET_FACTOR. */
import { expect, test } from "vitest";

import { GENEROUS } from "../budget";
import { openPage, step, useBrowser } from "./rig";

useBrowser();

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Infinity;

async function measures(page: Awaited<ReturnType<typeof openPage>>["page"], name: string): Promise<number[]> {
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

test("a snapshot of 1,000 nodes, and deltas that become pixels", async () => {
  const rig = await openPage({ nodes: 1000, hosts: 8 }, "?limit=2000");
  for (let turn = 0; turn < 5; turn += 1) await step(rig);
  const snapshot = median(await measures(rig.page, "snapshot"));
  const delta = median(await measures(rig.page, "delta")) + median(await rig.page.evaluate(() => window.__test.frameTimes()));
  console.log(`1,000 nodes: snapshot ${snapshot.toFixed(0)} ms, delta to pixels ${delta.toFixed(0)} ms`);

  expect(snapshot).toBeLessThan(GENEROUS * 150);
  // The goal is of the default, 300 of them drawn: all 1,000 have three times the marks.
  expect(delta).toBeLessThan(GENEROUS * 3 * 16);
});

test("deltas that become pixels where 300 of 1,000 nodes are drawn", async () => {
  const rig = await openPage({ nodes: 1000, hosts: 8 });
  for (let turn = 0; turn < 7; turn += 1) await step(rig);
  const delta = median(await measures(rig.page, "delta")) + median(await rig.page.evaluate(() => window.__test.frameTimes()));
  console.log(`300 of 1,000 nodes: delta to pixels ${delta.toFixed(0)} ms`);

  expect((await rig.page.evaluate(() => window.__test.counts())).nodes).toBe(300);
  expect(delta).toBeLessThan(GENEROUS * 16);
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
  console.log(`${feed.network.edges.size} rows: sorted ${cost.sorted.toFixed(0)} ms, scroll ${median(cost.gaps).toFixed(0)} ms a frame`);

  expect(cost.gaps.length).toBe(60);
  expect(cost.sorted).toBeLessThan(GENEROUS * 200);
  expect(median(cost.gaps)).toBeLessThan(GENEROUS * 20);
});

test("a live map at rest takes a twentieth of a core", async () => {
  const rig = await openPage({ nodes: 300, intervalMs: 1000 });
  const session = await rig.page.context().newCDPSession(rig.page);
  await session.send("Performance.enable");
  const busy = async (): Promise<number> => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0;
  };
  const [{ acks }, before] = [rig.feed, await busy()];
  await expect.poll(() => rig.feed.acks).toBeGreaterThan(acks + 5);
  const share = (await busy() - before) / 6;
  console.log(`at rest: ${(100 * share).toFixed(1)} % of a core`);

  expect(share).toBeLessThan(GENEROUS * 0.05);
});

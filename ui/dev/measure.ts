/** npm run measure: what a map costs, in Chromium without a GPU; medians and 95th percentiles. */
import { resolve } from "node:path";

import { Layout } from "../src/layout/layout";
import { openBrowser } from "./browser";
import { DevFeed } from "./feed";
import { Network } from "./network";

function spread(values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  return `median ${at(0.5)} ms, p95 ${at(0.95)} ms (${sorted.length})`;
}

for (const nodes of [300, 1000, 2000]) {
  const network = new Network({ nodes, hosts: 8 });
  const first: number[] = [];
  const deltas: number[] = [];
  let layout = new Layout();
  for (let turn = 0; turn < 5; turn += 1) {
    layout = new Layout();
    const began = performance.now();
    layout.update([...network.nodes.values()], network.edges.values(), 0, true);
    first.push(performance.now() - began);
  }
  for (let turn = 1; turn <= 20; turn += 1) {
    network.step(Math.ceil(nodes / 100));
    const began = performance.now();
    layout.update([...network.nodes.values()], network.edges.values(), turn * 1000, true);
    deltas.push(performance.now() - began);
  }
  console.log(`layout ${nodes}/${network.edges.size}: first ${spread(first)}; delta ${spread(deltas)}`);
}

const browser = await openBrowser();
for (const nodes of [30, 300, 1000]) {
  const feed = new DevFeed({ nodes, hosts: 8, intervalMs: 0, pages: resolve("../src/connscope/web") });
  const address = await feed.open();
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${address}?limit=2000`);
  await page.waitForFunction(() => window.__test?.counts().timeMs > 0);
  const paint = await page.evaluate(() => performance.getEntriesByType("paint").map((one) => one.startTime).at(-1) ?? 0);
  for (let turn = 0; turn < 20; turn += 1) {
    const { acks } = feed;
    feed.step();
    while (feed.acks === acks) await page.waitForTimeout(10);
    await page.waitForTimeout(60);
  }
  const ingest = await page.evaluate(() => performance.getEntriesByType("measure").map((one) => [one.name, one.duration] as const));
  const redraw = await page.evaluate(() => window.__test.frameTimes());
  const panned = await page.evaluate(async () => {
    const map = document.querySelector(".mirror") as HTMLElement;
    const send = (type: string, x: number): boolean => map.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: 860, pointerId: 1, button: 0 }));
    map.setPointerCapture = () => undefined;
    send("pointerdown", 400);
    const gaps: number[] = [];
    let before = performance.now();
    for (let frame = 0; frame < 120; frame += 1) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      gaps.push(now - before);
      before = now;
      send("pointermove", 400 + (frame < 60 ? frame : 120 - frame) * 6);
    }
    send("pointerup", 400);
    return { gaps, draw: window.__test.frameTimes().slice(-100) };
  });
  const of = (name: string): number[] => ingest.filter(([one]) => one === `connscope-${name}`).map(([, ms]) => ms);
  console.log(`${nodes}/${feed.network.edges.size}: paint ${paint.toFixed(0)} ms; snapshot ${spread(of("snapshot"))}; delta to scene ${spread(of("delta"))}; draw ${spread(redraw)}; pan: draw ${spread(panned.draw)}, frame ${spread(panned.gaps)}`);
  await page.close();
  await feed.close();
}
await browser.close();

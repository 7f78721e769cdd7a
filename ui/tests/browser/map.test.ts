/** The map in a browser: places, selection, keyboard, pins. */
import { expect, test } from "vitest";

import { focusedId, openPage, placeOf, positions, step, useBrowser } from "./rig";

useBrowser();

test("no mark that stays moves in ten deltas, nor does the camera", async () => {
  const rig = await openPage({ nodes: 300 });
  const camera = await rig.page.evaluate(() => window.__test.camera());
  const first = await positions(rig.page);
  for (let turn = 0; turn < 10; turn += 1) await step(rig, 6);
  const last = await positions(rig.page);
  const stayed = Object.keys(first).filter((id) => id in last);

  expect(stayed.length).toBeLessThan(Object.keys(first).length);
  expect(Object.fromEntries(stayed.map((id) => [id, last[id]]))).toEqual(Object.fromEntries(stayed.map((id) => [id, first[id]])));
  expect(await rig.page.evaluate(() => window.__test.camera())).toEqual(camera);
});

test("a fresh browser has the same map", async () => {
  const one = await openPage({ nodes: 120 });
  const other = await openPage({ nodes: 120 });

  expect(await positions(other.page)).toEqual(await positions(one.page));
});

test("a click selects: details, address, and the same after a reload", async () => {
  const rig = await openPage();
  const node = [...rig.feed.network.nodes.values()].find((one) => !one.outside);
  const at = await placeOf(rig.page, node?.id ?? "");
  await rig.page.mouse.click(at.x, at.y);
  const heading = rig.page.locator("#details h2");

  await expect.poll(() => heading.textContent()).toBe(node?.label);
  expect(new URL(rig.page.url()).searchParams.get("select")).toBe(`node:${node?.id}`);

  await rig.page.reload();

  await expect.poll(() => heading.textContent()).toBe(node?.label);
});

test("the selected mark stays where it is on the screen while the details open", async () => {
  const rig = await openPage();
  const leftmost = Object.entries(await positions(rig.page)).sort(([, a], [, b]) => a[0] - b[0])[0]?.[0] ?? "";
  const before = await placeOf(rig.page, leftmost);
  await rig.page.mouse.click(before.x, before.y);
  await rig.page.locator("#details").waitFor();
  await rig.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const after = await placeOf(rig.page, leftmost);

  expect([Math.round(after.x), Math.round(after.y)]).toEqual([Math.round(before.x), Math.round(before.y)]);
});

test("keys alone: into the map, along it, into the details and back", async () => {
  const { page } = await openPage();
  await page.keyboard.press("ArrowRight");
  const first = await focusedId(page);
  await page.keyboard.press("ArrowRight");
  const second = await focusedId(page);

  expect([first, second].every(Boolean)).toBe(true);

  await page.keyboard.press("Enter");

  await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("details");

  await page.keyboard.press("Escape");

  await expect.poll(() => focusedId(page)).toBe(second);
  expect(await page.locator("#details").count()).toBe(0);
});

test("screens have keys, which never fire while something is typed", async () => {
  const { page } = await openPage();
  const screen = (): string | null => new URL(page.url()).searchParams.get("view");
  for (const [key, view] of [["t", "table"], ["l", "listen"], ["o", "hosts"], ["m", null]] as const) {
    await page.keyboard.press(key);

    await expect.poll(screen).toBe(view);
  }
  await page.keyboard.press("/");
  await page.keyboard.type("tlo?");

  expect(screen()).toBeNull();
  expect(await page.locator("#query").inputValue()).toBe("tlo?");
});

test("the mirror has a button for each mark, one of them in the tab order, at its place", async () => {
  const { page } = await openPage();
  const id = Object.keys(await positions(page))[3] ?? "";
  const box = await page.locator(`.mirror-layer button[data-id="${id}"]`).boundingBox();
  const at = await placeOf(page, id);

  expect(await page.locator(".mirror-layer button").count()).toBe(60);
  expect(await page.locator(".mirror-layer button[tabindex='0']").count()).toBe(1);
  expect(Math.abs((box?.x ?? 0) + (box?.width ?? 0) / 2 - at.x)).toBeLessThan(2);
  expect(await page.locator(`.mirror-layer button[data-id="${id}"]`).getAttribute("aria-label")).toMatch(/, .* (on|outside)/);
});

test("the keyboard is not lost when the mark that has it goes away", async () => {
  const rig = await openPage();
  const { page, feed } = rig;
  await page.keyboard.press("ArrowRight");
  const id = await focusedId(page);
  feed.network.nodes.delete(id ?? "");
  for (const edge of [...feed.network.edges.values()]) if (edge.source === id || edge.target === id) feed.network.edges.delete(edge.id);
  await step(rig, 0);

  await expect.poll(() => focusedId(page)).not.toBe(id);
  expect(await focusedId(page)).toBeTruthy();
});

test("a dragged node is pinned, also after a reload, until it is taken back", async () => {
  const rig = await openPage();
  const { page } = rig;
  const id = Object.keys(await positions(page))[5] ?? "";
  const slot = (await positions(page))[id];
  const at = await placeOf(page, id);
  await page.mouse.move(at.x, at.y);
  await page.mouse.down();
  await page.mouse.move(at.x + 60, at.y + 40, { steps: 4 });
  await page.mouse.up();
  const pinned = (await positions(page))[id];

  expect(pinned).not.toEqual(slot);

  await page.reload();

  await expect.poll(async () => (await positions(page))[id]).toEqual(pinned);

  await page.evaluate((node) => localStorage.setItem("connscope.pins.process", JSON.stringify({ [node]: ["x"] })), id);
  await page.reload();

  await expect.poll(async () => (await positions(page))[id]).toEqual(slot);
});

test("tidy can be taken back", async () => {
  const rig = await openPage({ nodes: 120 });
  for (let turn = 0; turn < 12; turn += 1) await step(rig, 10);
  const before = await positions(rig.page);
  await rig.page.keyboard.press("Shift+T");

  await expect.poll(() => positions(rig.page)).not.toEqual(before);

  await rig.page.keyboard.press("u");

  await expect.poll(() => positions(rig.page)).toEqual(before);
});

test("wheel and drag move the camera, 0 brings everything back", async () => {
  const { page } = await openPage();
  const camera = (): Promise<unknown> => page.evaluate(() => window.__test.camera());
  const fit = await camera();
  await page.mouse.move(760, 840);
  await page.mouse.wheel(0, -300);
  await page.mouse.down();
  await page.mouse.move(700, 800, { steps: 3 });
  await page.mouse.up();

  expect(await camera()).not.toEqual(fit);

  await page.keyboard.press("0");

  expect(await camera()).toEqual(fit);
});

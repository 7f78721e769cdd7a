/** The page in a browser: getting in, live and paused, lost, queries, tables, nothing unsafe. */
import { expect, test } from "vitest";

import { openPage, positions, step, useBrowser } from "./rig";

useBrowser();

test("the token of the fragment becomes a cookie, and is gone from the address", async () => {
  const { page, complaints } = await openPage({ token: "s3cret" });
  const [cookie] = await page.context().cookies();

  expect(page.url()).not.toContain("s3cret");
  expect([cookie?.httpOnly, cookie?.sameSite]).toEqual([true, "Strict"]);
  expect(await page.evaluate(() => document.cookie)).toBe("");

  await page.reload();
  await page.waitForFunction(() => window.__test.counts().nodes > 0);

  expect(complaints).toEqual([]);
});

test("without a token the page says how to get in", async () => {
  const { page, address } = await openPage({ token: "s3cret" });
  await page.context().clearCookies();
  await page.goto(address);
  const gate = page.locator(".gate");

  await expect.poll(() => gate.textContent()).toContain("connscope status");

  await page.goto(`${address}#t=wrong`);

  await expect.poll(() => gate.textContent()).toContain("The token is not the one");
});

test("it works behind a prefix, and the strict policy has nothing to complain about", async () => {
  const { page, complaints } = await openPage({ prefix: "/tools/connscope", token: "t" });
  for (const key of ["t", "l", "o", "m", "?"]) {
    await page.keyboard.press(key);
    await page.waitForTimeout(100);
  }

  expect(complaints).toEqual([]);
  expect(await page.locator("[style*='url'], script:not([src]), style").count()).toBe(0);
});

test("a name from outside is text, wherever it is shown", async () => {
  const rig = await openPage();
  const { network } = rig.feed;
  const [id, node] = [...network.nodes].find(([, one]) => one.listeners.length > 0) ?? [];
  if (!id || !node) throw new Error("nobody listens");
  const evil = "<img src=x onerror='window.hacked=1'>";
  network.nodes.set(id, { ...node, label: evil, detail: evil });
  await step(rig, 0);
  await rig.page.goto(`${rig.address}?select=${encodeURIComponent(`node:${id}`)}`);

  await expect.poll(() => rig.page.locator("#details h2").textContent()).toBe(evil);

  for (const key of ["t", "l", "m"]) await rig.page.keyboard.press(key);

  expect(await rig.page.evaluate(() => "hacked" in window)).toBe(false);
  expect(await rig.page.locator("img").count()).toBe(0);
});

test("paused: the picture stands, the stream goes on, what is missed is counted; resuming is now", async () => {
  const rig = await openPage();
  await step(rig);
  const before = await positions(rig.page);
  await rig.page.keyboard.press(" ");
  const { timeMs } = await rig.page.evaluate(() => window.__test.counts());
  for (let turn = 0; turn < 3; turn += 1) await step(rig, 3);

  expect(await positions(rig.page)).toEqual(before);
  expect((await rig.page.evaluate(() => window.__test.counts())).timeMs).toBe(timeMs);
  expect(await rig.page.locator(".missed").textContent()).toMatch(/^[1-9]\d* changes missed$/);

  await rig.page.keyboard.press(" ");

  expect((await rig.page.evaluate(() => window.__test.counts())).timeMs).toBe(timeMs + 3000);
});

test("lost: it says from when the data is, and comes back at once when asked to", async () => {
  const rig = await openPage();
  rig.feed.refuse(true);
  const strip = rig.page.locator(".strip.bad");

  await expect.poll(() => strip.textContent()).toMatch(/Connection lost\..*Data from \d\d:\d\d:\d\d\./);
  expect(Object.keys(await positions(rig.page)).length).toBe(60);

  // So long a wait that it is the press that brings it back.
  await expect.poll(() => strip.textContent()).toMatch(/Retry in ([5-9]|\d\d) s/);
  rig.feed.refuse(false);
  await rig.page.getByRole("button", { name: "Retry now" }).click();

  await expect.poll(() => strip.count(), { timeout: 4500 }).toBe(0);

  const before = await positions(rig.page);
  await step(rig);
  const after = await positions(rig.page);

  expect(Object.keys(before).filter((id) => id in after && `${after[id]}` !== `${before[id]}`)).toEqual([]);
});

test("an error of the query is under the box, the rows stay", async () => {
  const { page } = await openPage();
  await page.fill("#query", "port:443 (");

  await expect.poll(() => page.locator("#query-notice").textContent()).toContain("a parenthesis is not closed");
  expect(Object.keys(await positions(page)).length).toBe(60);

  await page.fill("#query", "redis");

  await expect.poll(() => page.evaluate(() => window.__test.counts().nodes)).toBeLessThan(60);
  expect(await page.locator("#query-notice").count()).toBe(0);
  expect(new URL(page.url()).searchParams.get("filter")).toBe("redis");
});

test("a filter keeps the places of those who stay, and of all when it is cleared", async () => {
  const { page } = await openPage();
  const all = await positions(page);
  await page.fill("#query", "redis");
  await expect.poll(async () => Object.keys(await positions(page)).length).toBeLessThan(60);
  const some = await positions(page);

  expect(Object.fromEntries(Object.keys(some).map((id) => [id, all[id]]))).toEqual(some);

  await page.getByRole("button", { name: "Clear the filter" }).click();

  await expect.poll(() => positions(page)).toEqual(all);
});

test("nothing to show has a reason, and a way out", async () => {
  const rig = await openPage({ nodes: 0 });

  await expect.poll(() => rig.page.locator(".blank").textContent()).toContain("saw 0 connections in 15 s");

  const other = await openPage({}, "?filter=nothing-like-this");
  await other.page.locator(".blank").getByRole("button", { name: "Clear the filter" }).click();

  await expect.poll(() => other.page.evaluate(() => window.__test.counts().nodes)).toBe(60);
});

test("the table has all rows of the map, few of them in the page, and the same selection", async () => {
  const { page, feed } = await openPage({ nodes: 300 }, "?view=table");
  const grid = page.getByRole("grid");
  await grid.waitFor();

  expect(await grid.getAttribute("aria-rowcount")).toBe(String(feed.network.edges.size + 1));
  expect(await grid.locator("[role=row]").count()).toBeLessThan(60);

  await grid.getByRole("button", { name: "Failed" }).click();

  expect(await grid.locator("[role=columnheader][aria-sort=descending]").textContent()).toContain("Failed");

  const most = Math.max(...[...feed.network.edges.values()].map((edge) => edge.failed));

  expect(await grid.locator("[aria-rowindex='2'] [role=gridcell]").nth(6).textContent()).toBe(String(most));

  await grid.locator("[aria-rowindex='2']").focus();
  await page.keyboard.press("End");

  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("aria-rowindex"))).toBe(String(feed.network.edges.size + 1));

  await page.keyboard.press("Enter");
  await page.locator("#details").waitFor();

  expect(new URL(page.url()).searchParams.get("select")).toMatch(/^edge:/);
});

test("completeness, tier and loss are in sight on every screen", async () => {
  const { page } = await openPage({ hosts: 3 });
  for (const key of ["m", "t", "l", "o"]) {
    await page.keyboard.press(key);
    const text = await page.locator(".health").textContent();

    expect(text).toContain("procfs");
    expect(text).toContain("saw 2,011 of 2,049");
    expect(text).toContain("38 lost");
  }
});

test("how late reports are, and which never came, is in sight on every screen until it is over", async () => {
  const rig = await openPage({ hosts: 2 });
  const { network } = rig.feed;
  const health = rig.page.locator(".health");
  network.hosts = network.hosts.map((host, index) => (index === 0 ? { ...host, behind_s: 12.4, missed: 3 } : host));
  await step(rig);
  for (const key of ["m", "t", "l", "o"]) {
    await rig.page.keyboard.press(key);

    await expect.poll(() => health.textContent()).toMatch(/host-1.*reports 12 s behind.*host-2.*of these 3 reports that never came/);
  }
  expect(await rig.page.locator(".host").first().textContent()).toContain("reports 12 s behind");

  network.hosts = network.hosts.map((host) => ({ ...host, behind_s: 0 }));
  await step(rig);

  await expect.poll(() => health.textContent()).not.toContain("behind");
});

test("another version of the server asks for a reload", async () => {
  const rig = await openPage();
  rig.feed.version = "0.2.0";
  rig.feed.refuse(true);
  await rig.page.locator(".strip.bad").waitFor();
  rig.feed.refuse(false);

  await expect.poll(() => rig.page.locator(".gate").textContent()).toContain("The server was updated");
});

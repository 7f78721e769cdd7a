/** The box of the query: what may follow is offered, by keyboard and pointer. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";

import { openPage, useBrowser } from "./rig";

useBrowser();

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const offersOf = (page: Page): Locator => page.getByRole("listbox", { name: "What may follow" }).getByRole("option");

test("a field and its value by keyboard alone", async () => {
  const { page, feed } = await openPage();
  const ports = [...feed.network.edges.values()].flatMap((edge) => edge.ports);
  const most = Math.max(...ports.map((port) => ports.filter((one) => one === port).length));
  const box = page.locator("#query");
  await page.keyboard.press("/");
  await page.keyboard.type("po");
  const offers = offersOf(page);

  await expect.poll(() => offers.first().textContent()).toContain("port:");

  await page.keyboard.press("ArrowDown");

  expect(await box.getAttribute("aria-activedescendant")).toBe(await offers.first().getAttribute("id"));

  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowDown");
  const best = (await offers.first().locator("code").textContent()) ?? "";

  expect(best).toMatch(/^port:\d+$/);
  expect(Number((await offers.first().locator("span").textContent())?.slice(1))).toBeGreaterThanOrEqual(most);

  await page.keyboard.press("Enter");

  expect(await box.inputValue()).toBe(`${best} `);
  expect(await offers.count()).toBe(0);
  expect(new URL(page.url()).searchParams.get("filter")).toBe(`${best} `);
});

test("values are those of the whole map, also while what is typed hides it", async () => {
  const { page } = await openPage();
  await page.fill("#query", "nothing-like-this");
  await expect.poll(() => page.evaluate(() => window.__test.counts().nodes)).toBe(0);
  await page.fill("#query", "proc:");

  await expect.poll(() => offersOf(page).count()).toBeGreaterThan(2);
});

test("a press takes an offer and leaves the keyboard in the box", async () => {
  const { page } = await openPage();
  await page.locator("#query").pressSequentially("is:fa");
  await offersOf(page).getByText("is:failed").click();

  expect(await page.locator("#query").inputValue()).toBe("is:failed ");
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("query");
});

test("Escape closes the offers first, then leaves the box", async () => {
  const { page } = await openPage();
  const focused = (): Promise<string | undefined> => page.evaluate(() => document.activeElement?.id);
  await page.keyboard.press("/");
  await page.keyboard.type("po");
  await offersOf(page).first().waitFor();
  await page.keyboard.press("Escape");

  expect([await offersOf(page).count(), await focused()]).toEqual([0, "query"]);

  await page.keyboard.press("Escape");

  expect(await focused()).not.toBe("query");
});

test("axe-core has nothing to say of the open list", async () => {
  const { page } = await openPage();
  await page.locator("#query").pressSequentially("po");
  await page.keyboard.press("ArrowDown");
  await page.locator("#query-offers [aria-selected=true]").waitFor();
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (
    await (window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }).axe.run()
  ).violations.map((one) => [one.id, one.nodes[0]?.html]));

  expect(found).toEqual([]);
});

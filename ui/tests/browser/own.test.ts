/** connscope's own connections: hidden at first, counted in sight, and a press brings them back. */
import { expect, test } from "vitest";

import { openPage, useBrowser } from "./rig";

useBrowser();

test("hidden ones are counted, and shown when asked for", async () => {
  const { page } = await openPage({ own: 2 });
  const own = page.locator(".own");

  await expect.poll(() => own.textContent()).toBe("2 of connscope itself hidden show");

  await own.getByRole("button").click();

  await expect.poll(() => own.textContent()).toBe("2 of connscope itself shown hide");
  expect(new URL(page.url()).searchParams.get("own")).toBe("show");
});

test("where there are none, nothing is said of them", async () => {
  const { page } = await openPage();

  expect(await page.locator(".own").count()).toBe(0);
});

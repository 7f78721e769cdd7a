/** npm run pictures, as root: the pictures of docs/images, of this machine and the traffic of tests/live/scene.py. */
import { resolve } from "node:path";

import { Machine, freePort } from "../tests/live/machine";
import { openBrowser } from "./browser";

/** Long enough that what was there before has left the window of the page. */
const SETTLED_MS = 20_000;
const QUERY = "filter=port:80,5432,6379,8000,8080";

const machine = new Machine(await freePort(), "web-1");
const browser = await openBrowser();
try {
  await machine.traffic("scene.py").line("runs");
  const [, address] = await machine.launch();
  const [base = "", fragment = ""] = address.split("#");
  for (const theme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.goto(`${base}?theme=${theme}&${QUERY}#${fragment}`);
    await page.waitForTimeout(SETTLED_MS);
    // Outlines of who has left fade for a while; a page that is opened anew has none.
    await page.reload();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: resolve(`../docs/images/map-${theme}.png`) });
    await context.close();
  }
} finally {
  await browser.close();
  await machine.close();
}

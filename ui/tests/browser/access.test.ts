/** axe-core has nothing to say on any screen, in either theme. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";

import { openPage, useBrowser } from "./rig";

useBrowser();

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

const SCREENS: readonly (readonly [name: string, query: string, key: string])[] = [
  ["map", "view=map", ""], ["table", "view=table", ""], ["nodes", "view=table&rows=nodes", ""],
  ["connections", "view=table&rows=connections", ""], ["listen", "view=listen", ""], ["hosts", "view=hosts", ""],
  ["help", "view=map", "?"], ["paused", "view=map", " "], ["details", "view=map&select=", ""],
];

for (const theme of ["light", "dark"]) {
  test.each(SCREENS)(`${theme} %s`, async (name, query, key) => {
    const rig = await openPage({ token: "t" }, `?theme=${theme}&${name === "details" ? "" : query}`);
    if (name === "details") {
      const failing = [...rig.feed.network.edges.values()].find((edge) => edge.health !== "fine") ?? [...rig.feed.network.edges.values()][0];
      const chosen = encodeURIComponent(`node:${failing?.source}`);
      await rig.page.goto(`${rig.address}?theme=${theme}&select=${chosen}`);
      await rig.page.locator("#details h3").first().waitFor();
    }
    if (key) await rig.page.keyboard.press(key);
    await rig.page.waitForTimeout(150);
    // By evaluate, not by a script tag: the page's policy refuses that, and so it should.
    await rig.page.evaluate(axe);
    const found = await rig.page.evaluate(async () => (
      await (window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }).axe.run()
    ).violations);

    expect(found.map((one) => [one.id, one.nodes[0]?.html, one.nodes[0]?.failureSummary])).toEqual([]);
  });
}

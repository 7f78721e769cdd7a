/** The browser that tests and screenshots use: CHROMIUM, or Debian's. */
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
  });
}

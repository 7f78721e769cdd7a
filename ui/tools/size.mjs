/** Fails if what the page loads first is more than 60 KiB of gzip. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET = 60 * 1024;
const root = new URL("../../src/connscope/web/", import.meta.url).pathname;

const files = readdirSync(root, { recursive: true })
  .map((name) => join(root, String(name)))
  .filter((path) => /\.(js|css|html)$/.test(path) && statSync(path).isFile())
  .sort();
let total = 0;
for (const path of files) {
  const size = gzipSync(readFileSync(path), { level: 9 }).length;
  total += size;
  console.log(`${(size / 1024).toFixed(1).padStart(6)} KiB gzip  ${path.slice(root.length)}`);
}
console.log(`${(total / 1024).toFixed(1).padStart(6)} KiB gzip  of ${BUDGET / 1024}`);
if (files.length === 0 || total > BUDGET) process.exit(1);

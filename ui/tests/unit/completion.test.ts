/** What is offered in the box of the query, and that it is the language of docs/filter.md. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";

import { Network } from "../../dev/network";
import { FIELDS, FLAGS, WORDS, offersFor, valuesOf } from "../../src/store/completion";
import type { Values } from "../../src/store/completion";
import { NOTHING } from "../../src/store/model";

const VALUES: Values = new Map([
  ["proc", new Map([["nginx", "×9"], ["redis-server", "×2"], ["tmux: server", "×1"]])],
  ["port", new Map([["443", "×12"], ["6379", "×3"], ["8443", "×1"]])],
  ["failed", new Map([["timeout", "×4"]])],
]);
const texts = (query: string, caret = query.length): string[] => offersFor(query, caret, VALUES).map(({ text }) => text);
const documented = (page: string, from: string, to: string): string[] => {
  const text = readFileSync(resolve(`../docs/${page}`), "utf8");
  return text.slice(text.indexOf(from), text.indexOf(to)).split("\n").filter((line) => line.startsWith("| `"));
};
const words = (line: string, cell: number): string[] => [...(line.split(/(?<!\\)\|/)[cell] ?? "").matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);

test("every field of docs/filter.md is offered, and no other", () => {
  const fields = documented("filter.md", "| field | column", "A column's name").flatMap((line) => words(line, 1));

  expect([...FIELDS.keys()].filter((name) => name !== "is").sort()).toEqual(fields.sort());
});

test("every flag of docs/filter.md is offered, and no other", () => {
  const flags = documented("filter.md", "## Flags", "## What is not").flatMap((line) => words(line, 1));

  expect([...FLAGS.keys()].map((flag) => `is:${flag}`).sort()).toEqual(flags.sort());
});

test.each([["state", "state"], ["failed", "failure"], ["kind", "kind"], ["closed_by", "closed_by"], ["evidence", "owner_evidence"], ["tier", "tier"], ["role", "role"], ["proto", "protocol"]])("the words of %s are those of a row", (field, column) => {
  const line = documented("row.md", "## Words", "\u0000").find((one) => words(one, 1)[0] === column) ?? "";
  const known = [...line.matchAll(/(\d+) `([^`]+)`/g)].filter(([, number]) => number !== "0").map(([, , word]) => word);

  expect([...WORDS.get(field) ?? []].sort()).toEqual(known.sort());
});

test("a word that was begun is offered fields, then values that have it", () => {
  expect(texts("po")).toEqual(["port:"]);
  expect(texts("re")).toEqual(["retrans", "remote.", "proc:redis-server"]);
});

test("values of a field come as often as they are on the map, those that begin so first", () => {
  expect(texts("port:")).toEqual(["port:443", "port:6379", "port:8443"]);
  expect(texts("-port:8")).toEqual(["port:8443"]);
  expect(texts("server.port:443")).toEqual(["server.port:8443"]);
});

test("what was seen comes before words that only might be", () => {
  expect(texts("failed:").slice(0, 2)).toEqual(["failed:timeout", "failed:refused"]);
  expect(texts("is:ex")).toEqual(["is:external"]);
});

test("of a list the next one is offered, none twice", () => {
  expect(texts("port:443,")).toEqual(["port:443,6379", "port:443,8443"]);
});

test("what the language would take apart is in quotes", () => {
  expect(texts("proc:tm")).toEqual(['proc:"tmux: server"']);
});

test("within quotes and behind an amount nothing is offered", () => {
  expect([texts('proc:"ng'), texts("rtt>20")]).toEqual([[], []]);
});

test("only fields that an end has follow an end", () => {
  expect(texts("client.p")).toEqual(["client.proc:", "client.port:", "client.pid:"]);
  expect(texts("nobody.p")).toEqual([]);
});

test("an offer changes the word at the caret and leaves the rest", () => {
  const query = "(dir:out por) -is:own";
  const [offer] = offersFor(query, "(dir:out por".length, VALUES);

  expect([offer?.query, offer?.caret]).toEqual(["(dir:out port:) -is:own", "(dir:out port:".length]);
});

test("a value is followed by one space", () => {
  const offers = ["proc:ng -is:own", "proc:ng"].map((query) => offersFor(query, "proc:ng".length, VALUES)[0]);

  expect(offers.map((offer) => [offer?.query, offer?.caret])).toEqual([["proc:nginx -is:own", 11], ["proc:nginx ", 11]]);
});

test("names, ports and reasons of a picture are values, the most frequent first", () => {
  const { nodes, edges } = new Network({ nodes: 200, hosts: 2 });
  const values = valuesOf({ ...NOTHING, nodes, edges });
  const names = [...nodes.values()].filter(({ kind }) => kind === "process").map(({ label }) => label);
  const most = Math.max(...names.map((name) => names.filter((other) => other === name).length));
  const [first] = values.get("proc") ?? [];

  expect(first?.[1]).toBe(`×${most}`);
  expect(new Set(values.get("proc")?.keys())).toEqual(new Set(names));
  expect(values.get("ip")?.size).toBe([...nodes.values()].filter(({ kind }) => kind === "address").length);
  expect([...values.get("failed")?.keys() ?? []]).toContain("refused");
});

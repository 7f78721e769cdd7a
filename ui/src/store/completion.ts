/** What may stand where the caret is: fields of docs/filter.md, and values that are on the map now. */
import type { Picture } from "./model";

export interface Offer {
  /** What is offered, as it would be written. */
  text: string;
  /** What it means, or where it was seen. */
  hint: string;
  /** The query with it, and the caret behind it. */
  query: string;
  caret: number;
}

/** What is offered if nothing says what is more likely. */
export const MOST_OFFERS = 8;

/** Fields and what they are, in the order in which they are offered. */
export const FIELDS: ReadonlyMap<string, string> = new Map([
  ["proc", "name of the process"], ["port", "port of either end"],
  ["ip", "address or network of either end"], ["is", "a flag"], ["dir", "in or out"],
  ["failed", "why a connect failed"], ["state", "state of TCP"], ["pid", "number of the process"],
  ["user", "number of the user"], ["proto", "tcp or udp"], ["family", "ipv4 or ipv6"],
  ["age", "since it opened"], ["tx", "bytes sent"], ["rx", "bytes received"], ["rtt", "round trip"],
  ["retrans", "sent again"], ["role", "client or server"], ["kind", "what was told of it last"],
  ["closed_by", "who ended it"], ["error", "errno of a failed connect"],
  ["connect", "time to connect"], ["rtt_var", "how much the round trip varies"],
  ["min_rtt", "shortest round trip"], ["unread", "bytes the program has not read"],
  ["unacked", "bytes without an answer"], ["segments_sent", "segments sent"],
  ["segments_received", "segments received"], ["queue", "of a listener: who waits"],
  ["queue_limit", "of a listener: who may wait"], ["netns", "number of the network namespace"],
  ["cgroup", "number of the cgroup"], ["inode", "number of the socket's inode"],
  ["id", "number of the connection"], ["socket", "number of the socket"],
  ["evidence", "how the owner is known"], ["tier", "how it was captured"],
]);

/** Fields that are compared, each with an example. */
const AMOUNTS: ReadonlyMap<string, string> = new Map([
  ["age", "2h"], ["tx", "10MB"], ["rx", "10MB"], ["rtt", "20ms"], ["retrans", "5%"], ["connect", "1s"],
  ["rtt_var", "5ms"], ["min_rtt", "20ms"], ["unread", "64KiB"], ["unacked", "64KiB"],
  ["segments_sent", "1000"], ["segments_received", "1000"], ["queue", "10"], ["queue_limit", "128"],
]);

export const FLAGS: ReadonlyMap<string, string> = new Map([
  ["failed", "the connect did not succeed"], ["external", "the other end is in the Internet"],
  ["private", "the other end is in a private network"], ["loopback", "an end is a loopback address"],
  ["listening", "a listener"], ["idle", "a UDP flow that went idle"], ["own", "connscope's own"],
]);

/** The words of fields that take words. */
export const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["dir", ["in", "out"]], ["role", ["client", "server"]], ["proto", ["tcp", "udp"]], ["family", ["ipv4", "ipv6"]],
  ["state", ["established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait", "last_ack", "listen", "closing"]],
  ["failed", ["refused", "timeout", "unreachable", "reset", "no_port", "denied", "abandoned", "unknown"]],
  ["kind", ["opened", "accepted", "failed", "closed", "listening", "unlistened", "idle", "snapshot", "lost"]],
  ["closed_by", ["local", "peer", "local_reset", "peer_reset", "timeout"]],
  ["evidence", ["connect", "accept", "listener", "close", "fd_table"]],
  ["tier", ["btf", "kprobe", "netlink", "procfs"]],
]);

/** What may stand before a field that an end has. */
export const ENDS = ["local", "remote", "client", "server"] as const;
const OF_AN_END = new Set(["proc", "pid", "user", "ip", "port"]);

/** Values by field, each with where it was seen. */
export type Values = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** What a picture has as values of fields: names, addresses, ports, reasons. */
export function valuesOf({ nodes, edges }: Picture): Values {
  const counts = new Map<string, Map<string, number>>();
  const see = (field: string, value: string, times = 1): void => {
    const values = counts.get(field) ?? new Map<string, number>();
    counts.set(field, values.set(value, (values.get(value) ?? 0) + times));
  };
  for (const { id, kind, label, listeners } of nodes.values()) {
    const rest = id.slice(kind.length + 1);
    if (kind === "process" || kind === "executable") { if (label !== "unattributed") see("proc", label); }
    else if (kind === "address" || kind === "cidr") see("ip", rest.replace(/@.*$/, ""));
    else if (kind === "port") see("port", rest.replace(/^.*\//, ""));
    else if (kind === "user") see("user", rest.replace(/^.*\//, ""));
    else if (kind === "namespace") see("netns", rest.replace(/^.*\//, ""));
    for (const { port } of listeners) see("port", String(port));
  }
  for (const { ports, reasons } of edges.values()) {
    for (const port of ports) see("port", String(port));
    for (const one of reasons.split(", ").filter(Boolean)) {
      const [reason = "", times = ""] = one.split(" ×");
      see("failed", reason, Number(times.replace(/,/g, "")) || 1);
    }
  }
  const seen = (number: number): string => `×${number}`;
  return new Map([...counts].map(([field, values]) => [field, new Map(
    [...values].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1)).map(([value, number]) => [value, seen(number)]),
  )]));
}

/** What is offered for the word that ends at the caret; nothing within quotes, or behind what is whole. */
export function offersFor(query: string, caret: number, values: Values): Offer[] {
  const before = query.slice(0, caret);
  // An even number of quotes: the caret is not within one.
  if (before.replace(/\\./g, "").split("\"").length % 2 === 0) return [];
  const word = /[^\s()]*$/.exec(before)?.[0].replace(/^-/, "") ?? "";
  const start = caret - word.length;
  const rest = /^[^\s()]*/.exec(query.slice(caret))?.[0].length ?? 0;
  const offer = (text: string, hint: string, more = ""): Offer => ({
    text, hint, query: query.slice(0, start) + text + more + query.slice(caret + rest).replace(/^ /, more === " " ? "" : " "),
    caret: start + text.length + more.length,
  });
  const parts = /^([a-z_]+\.)?([a-z_]+)(:|!=|=)(.*)$/.exec(word);
  const found = parts ? ofField(parts, values, offer) : [...fieldsLike(word, offer), ...valuesLike(word, values, offer)];
  return found.filter((one) => one.text !== word).slice(0, MOST_OFFERS);
}

type Make = (text: string, hint: string, more?: string) => Offer;

function ofField([, end = "", field = "", operator = "", typed = ""]: RegExpExecArray, values: Values, offer: Make): Offer[] {
  const listed = typed.slice(0, typed.lastIndexOf(",") + 1);
  const begun = typed.slice(listed.length).toLowerCase();
  const here = new Map(field === "is" ? FLAGS : values.get(field) ?? []);
  for (const one of WORDS.get(field) ?? []) if (!here.has(one)) here.set(one, "");
  const taken = new Set(listed.split(","));
  const texts = [...here].filter(([value]) => value.toLowerCase().includes(begun) && !taken.has(value));
  // What begins with it comes first; the order is kept else.
  const late = ([value]: [string, string]): number => (value.toLowerCase().startsWith(begun) ? 0 : 1);
  return texts.sort((a, b) => late(a) - late(b))
    .map(([value, hint]) => offer(`${end}${field}${operator}${listed}${quoted(value)}`, hint, " "));
}

function fieldsLike(word: string, offer: Make): Offer[] {
  const dot = word.indexOf(".") + 1;
  const [end, begun] = [word.slice(0, dot), word.slice(dot)];
  if (end !== "" && !ENDS.some((one) => `${one}.` === end)) return [];
  const fields = [...FIELDS].filter(([name]) => name.startsWith(begun) && (end === "" || OF_AN_END.has(name)));
  const ends = end === "" && word !== "" ? ENDS.filter((one) => one.startsWith(word)) : [];
  return [
    ...fields.map(([name, meaning]) => {
      const amount = AMOUNTS.get(name);
      if (amount) return offer(name, `${meaning}: ${name}>${amount}, ${name}<${amount}`);
      return offer(`${end}${name}:`, end === "" ? meaning : meaning.replace("either", "that"));
    }),
    ...ends.map((one) => offer(`${one}.`, `port, ip, proc of the ${one}${one === "local" || one === "remote" ? " end" : ""}`)),
  ];
}

/** A plain word may mean a value: `red` is offered `proc:redis-server`. */
function valuesLike(word: string, values: Values, offer: Make): Offer[] {
  if (word.length < 2) return [];
  const low = word.toLowerCase();
  return [...values].flatMap(([field, here]) => [...here]
    .filter(([value]) => value.toLowerCase().includes(low))
    .map(([value, hint]) => offer(`${field}:${quoted(value)}`, hint, " ")));
}

/** In quotes where the language would take it apart. */
function quoted(value: string): string {
  return /[\s()",*]|^$/.test(value) ? `"${value.replace(/(["\\])/g, "\\$1")}"` : value;
}

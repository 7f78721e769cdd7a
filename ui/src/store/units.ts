/** Numbers and names as people read them; each number has its unit. */

const STEPS = ["", "k", "M", "G", "T", "P"] as const;

function scaled(value: number): [number, string] {
  let rest = Math.abs(value);
  let step = 0;
  while (rest >= 999.5 && step < STEPS.length - 1) {
    rest /= 1000;
    step += 1;
  }
  return [value < 0 ? -rest : rest, STEPS[step] ?? ""];
}

function short(value: number): string {
  return Math.abs(value) >= 99.5 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
}

/** `2.1 MB`: units of 1000. */
export function bytes(value: number): string {
  const [rest, step] = scaled(value);
  return `${short(step === "" ? Math.round(rest) : rest)} ${step === "k" ? "k" : step}B`;
}

/** `2.1 MB/s`. */
export function rate(value: number): string {
  return `${bytes(value)}/s`;
}

/** `10,412`. By hand: the first use of a browser's own costs 50 ms, in the middle of the first map. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `14 connections`, `1 connection`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${Math.round(value) === 1 ? one : many}`;
}

/** `0.3 ms`, from microseconds. */
export function micros(value: number): string {
  if (value < 1000) return `${count(value)} µs`;
  if (value < 1_000_000) return `${short(value / 1000)} ms`;
  return `${short(value / 1_000_000)} s`;
}

/** `1.2 %` of a share from 0 to 1. Never rounded up to 100 %: what is missing must show. */
export function percent(share: number): string {
  if (share >= 1) return "100 %";
  const value = Math.floor(share * 1000) / 10;
  return `${Math.abs(value) >= 10 && Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** `12:04:31` of the viewer's clock, from milliseconds. */
export function clock(ms: number): string {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** `45 s`, `12 min`, `3 h`, `2 d`. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** At most `length` characters, cut in the middle: both ends of a name tell it apart. */
export function elided(text: string, length: number): string {
  if (text.length <= length) return text;
  const letters = Array.from(text);
  if (letters.length <= length) return text;
  const tail = Math.floor((length - 1) / 2);
  const head = length - 1 - tail;
  return `${letters.slice(0, head).join("")}…${letters.slice(letters.length - tail).join("")}`;
}

/** `10.0.0.1:443`, `[fd00::1]:443`. */
export function endpoint(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

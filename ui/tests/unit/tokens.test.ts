/** The colours, measured: contrast, and how far the three health colours are apart in any vision. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

type Rgb = [number, number, number];

/** Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB. */
const VISIONS: Record<string, number[][]> = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

function tokens(theme: "light" | "dark"): Record<string, string> {
  const css = readFileSync(new URL("../../src/style/tokens.css", import.meta.url), "utf8");
  const block = new RegExp(`:root\\[data-theme="${theme}"\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? "";
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((one) => [one[1], one[2]]));
}

function linear(hex: string): Rgb {
  const channel = (start: number): number => {
    const value = Number.parseInt(hex.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function contrast(a: string, b: string): number {
  const light = (hex: string): number => {
    const [r, g, blue] = linear(hex);
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [one, other] = [light(a), light(b)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

function lab(hex: string, vision: number[][]): Rgb {
  const rgb = linear(hex);
  const seen = vision.map((row) => Math.min(1, Math.max(0, row.reduce((sum, weight, index) => sum + weight * (rgb[index] ?? 0), 0))));
  const [r = 0, g = 0, b = 0] = seen;
  const f = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : (t * 24389 / 27 + 16) / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function difference(a: string, b: string, vision: number[][]): number {
  const [one, other] = [lab(a, vision), lab(b, vision)];
  return Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);
}

for (const theme of ["light", "dark"] as const) {
  const colours = tokens(theme);
  const of = (name: string): string => {
    const hex = colours[name];
    if (!hex) throw new Error(`no token ${name}`);
    return hex;
  };

  test.each([
    ["text", "surface"], ["text", "page"], ["text", "map"], ["text", "raised"], ["text", "hover"],
    ["text", "accent-tint"], ["text", "failing-tint"], ["text", "degraded-tint"],
    ["muted", "surface"], ["muted", "page"], ["muted", "map"], ["muted", "district"], ["muted", "hover"], ["muted", "accent-tint"],
    ["accent", "surface"], ["accent", "accent-tint"], ["accent", "raised"], ["accent", "hover"],
    ["failing", "surface"], ["failing", "map"], ["failing", "failing-tint"], ["failing", "hover"],
    ["degraded", "surface"], ["degraded", "map"], ["degraded", "hover"], ["degraded", "degraded-tint"],
  ])(`${theme}: %s on %s is text that can be read (4.5 : 1)`, (text, ground) => {
    expect(contrast(of(text), of(ground))).toBeGreaterThanOrEqual(4.5);
  });

  test.each([["edge", "map"], ["edge", "district"], ["mark-line", "district"], ["mark-line", "mark"]])(
    `${theme}: %s on %s is a line that can be seen (3 : 1)`, (line, ground) => {
      expect(contrast(of(line), of(ground))).toBeGreaterThanOrEqual(3);
    },
  );

  test.each(Object.keys(VISIONS))(`${theme}: fine, degraded and failing are apart in %s vision`, (vision) => {
    const matrix = VISIONS[vision] ?? [];
    const health = [of("edge"), of("degraded"), of("failing")];
    const pairs = [[0, 1], [0, 2], [1, 2]].map(([a = 0, b = 0]) => difference(health[a] ?? "", health[b] ?? "", matrix));

    expect(Math.min(...pairs)).toBeGreaterThanOrEqual(30);
  });
}

/** Numbers, names, addresses of the page, rows of tables: as people read them. */
import { describe, expect, test } from "vitest";

import { Network } from "../../dev/network";
import { START, readPlace, writePlace } from "../../src/store/address";
import { edgeValue, scaleOf, steadyScale, stepOf, stepsOf } from "../../src/store/metric";
import { bytes, clock, duration, elided, endpoint, micros, percent, rate } from "../../src/store/units";
import { behindText, describeEdge, describeNode, explainReasons, labelOfId, lostText, portsText, problemOf, reasonsText, stateText } from "../../src/store/words";
import { Order, asText, sort } from "../../src/table/order";

describe("units", () => {
  test.each([[0, "0 B"], [999, "999 B"], [1000, "1 kB"], [2_140_000, "2.1 MB"], [999_999, "1.0 MB"], [1.5e12, "1.5 TB"]])("%d bytes are %s", (value, text) => {
    expect(bytes(value)).toBe(text);
  });

  test("what is missing is never rounded away", () => {
    expect([percent(0.99999), percent(1), percent(0.031)]).toEqual(["99.9 %", "100 %", "3.1 %"]);
  });

  test("times have the unit that fits", () => {
    expect([micros(300), micros(1500), micros(2_000_000), duration(0.8), duration(40), duration(600), duration(90_000)])
      .toEqual(["300 µs", "1.5 ms", "2 s", "800 ms", "40 s", "10 min", "25 h"]);
  });

  test("long names are cut in the middle, by letters, not by bytes", () => {
    expect([elided("kafka-broker-with-a-long-name", 11), elided("short", 11), elided("😀😀😀😀😀", 3)]).toEqual(["kafka…-name", "short", "😀…😀"]);
  });

  test("an IPv6 address has brackets before a port", () => {
    expect([endpoint("10.0.0.1", 80), endpoint("fd00::1", 80)]).toEqual(["10.0.0.1:80", "[fd00::1]:80"]);
  });

  test("rates and clocks", () => {
    expect([rate(2100), clock(new Date(2026, 0, 1, 12, 4, 31).getTime())]).toEqual(["2.1 kB/s", "12:04:31"]);
  });
});

describe("words", () => {
  const network = new Network({ nodes: 30, hosts: 1 });
  const node = [...network.nodes.values()].find((one) => !one.outside);
  const edge = [...network.edges.values()][0];
  if (!node || !edge) throw new Error("an empty network");

  test("a node is described with its numbers", () => {
    const described = describeNode({ ...node, label: "redis-server", host: "host-1", open: 14, sent_bps: 2_000_000, received_bps: 100_000, problems: 1 });

    expect(described).toBe("redis-server, process on host-1, 14 connections, 2.1 MB/s, 1 problem");
  });

  test("an edge is described with its reason", () => {
    const failing = { ...edge, source: "a", target: "b", role_known: true, ports: [443], open: 2, sent_bps: 0, received_bps: 0, health: "failing" as const, reasons: "refused ×12" };

    expect(describeEdge(failing, (id) => id)).toBe("a to b port 443, 2 open, 0 B/s, failing: refused ×12");
  });

  test("degraded says what is wrong", () => {
    const degraded = { ...edge, health: "degraded" as const, reasons: "", failed: 0 };

    expect(problemOf({ ...degraded, segments: 1000, retransmits: 31 })).toBe("3.1 % sent again");
    expect(problemOf({ ...degraded, segments: 0, rtt_us: 120_000 })).toBe("slow, 120 ms");
    expect(problemOf({ ...degraded, health: "fine" })).toBe("");
  });

  test("reasons are sorted and explained", () => {
    expect(reasonsText({ reset: 1, refused: 12 })).toBe("refused ×12, reset ×1");
    expect(explainReasons("refused ×12, reset ×1")[0]).toMatch(/^12 connects refused: nothing listens there/);
    expect(explainReasons("reset ×1")[0]).toMatch(/^1 connect reset/);
  });

  test("a node of which only the id is known has a name", () => {
    expect(["process:h/b/12/3", "address:10.0.0.1", "executable:h/nginx", "port:tcp/443", "host:h"].map(labelOfId))
      .toEqual(["pid 12 on h", "10.0.0.1", "nginx on h", "tcp 443", "h"]);
  });

  test("ports are named, the rest is counted", () => {
    expect([portsText([], 2), portsText([443], 2), portsText([1, 2, 3, 4], 2)]).toEqual(["no port known", "port 443", "ports 1, 2 and 2 more"]);
  });
});

describe("doubt in words", () => {
  const [host] = new Network({ nodes: 1, hosts: 1 }).hosts;
  if (!host) throw new Error("no host");

  test("of one host how late it is, of many how many are", () => {
    const late = { ...host, behind_s: 12.4 };

    expect([behindText([host]), behindText([late]), behindText([host, late, host])])
      .toEqual(["", "reports 12 s behind", "1 of 3 hosts up to 12 s behind"]);
  });

  test("reports that never came are named beside what is lost", () => {
    expect([lostText(38, 0), lostText(1041, 3)]).toEqual(["38 lost", "1,041 lost, of these 3 reports that never came"]);
  });
});

describe("state of a connection", () => {
  test("is why it failed, else the state of TCP, else to whom UDP goes", () => {
    const states = [
      { protocol: "tcp", state: "close", failure: "refused" },
      { protocol: "tcp", state: "established" },
      { protocol: "udp", state: "established" },
      { protocol: "udp", state: "established", cast: "multicast" },
      { protocol: "udp", failure: "refused" },
      {},
    ].map(stateText);

    expect(states).toEqual(["refused", "established", "udp", "udp multicast", "refused", ""]);
  });
});

describe("address of the page", () => {
  test("what is seen comes back from the address", () => {
    const place = { ...START, screen: "table" as const, group: "cidr" as const, filter: "port:443 -is:loopback \"a&b\"", metric: "rtt" as const, selection: "node:process:h/b/1/2", theme: "dark" as const, limit: 1000 };

    expect(readPlace(writePlace(place))).toEqual(place);
  });

  test("the start has no query, and nonsense is the start", () => {
    expect(writePlace(START)).toBe("");
    expect(readPlace("?view=sea&group=&limit=1e9&metric=__proto__&window=-1")).toEqual(START);
  });
});

describe("metric", () => {
  test("five steps grow with the value", () => {
    const scale = scaleOf(10_000_000, 1000);
    const steps = [0, 500, 5000, 50_000, 500_000, 5_000_000, 10_000_000].map((value) => stepOf(value, scale));

    expect(steps).toEqual([...steps].sort());
    expect([steps[0], steps.at(-1)]).toEqual([0, 4]);
  });

  test("the legend names each limit once, also where all values are the same", () => {
    const named = [scaleOf(5_000_000, 5_000_000), scaleOf(3, 1), scaleOf(10_000_000, 1000)].map((scale) => (
      stepsOf(scale).slice(1).map((step) => scale.limits[step - 1])
    ));

    expect(named[2]).toHaveLength(4);
    for (const limits of named) expect(new Set(limits).size).toBe(limits.length);
  });

  test("one line alone is drawn as the most there is", () => {
    for (const value of [1, 3, 1234, 7_500_000]) expect(stepOf(value, scaleOf(value, value))).toBe(4);
  });

  test("widths stay while the largest value stays within a factor of three", () => {
    const scale = steadyScale([10, 1000], null);

    expect(steadyScale([10, 2900], scale)).toBe(scale);
    expect(steadyScale([10, 3100], scale)).not.toBe(scale);
    expect(steadyScale([], null).limits.every(Number.isFinite)).toBe(true);
  });

  test("throughput is both directions", () => {
    const edge = [...new Network({ nodes: 30, hosts: 1 }).edges.values()][0];
    if (!edge) throw new Error("an empty network");

    expect(edgeValue({ ...edge, sent_bps: 2, received_bps: 3 }, "throughput")).toBe(5);
  });
});

describe("tables", () => {
  interface Row { id: string; name: string; value: number }
  const columns = [
    { id: "name", title: "Name", width: "1fr", text: (row: Row) => row.name },
    { id: "value", title: "Value", width: "1fr", text: (row: Row) => String(row.value), value: (row: Row) => row.value },
  ];
  const rows: Row[] = [{ id: "a", name: "b", value: 2 }, { id: "b", name: "", value: Number.NaN }, { id: "c", name: "a", value: 10 }];
  const ids = (some: Row[]): string => some.map((row) => row.id).join("");
  const id = (row: Row): string => row.id;

  test("what is not known comes last, up and down", () => {
    expect(ids(sort(rows, columns, { column: "value", descending: true }, id))).toBe("cab");
    expect(ids(sort(rows, columns, { column: "value", descending: false }, id))).toBe("acb");
    expect(ids(sort(rows, columns, { column: "name", descending: false }, id))).toBe("cab");
  });

  test("rows keep their order for three seconds though values change, newcomers come last", () => {
    const order = new Order(id);
    const sorting = { column: "value", descending: true };
    order.of(rows, columns, sorting, 0);
    const changed = [{ id: "z", name: "z", value: 99 }, { id: "a", name: "b", value: 50 }, ...rows.slice(1)];

    expect(ids(order.of(changed, columns, sorting, 2000))).toBe("cabz");
    expect(ids(order.of(changed, columns, sorting, 3500))).toBe("zacb");
  });

  test("copied text has tabs, and no formula that a spreadsheet would run", () => {
    expect(asText([{ id: "x", name: "=cmd\tx", value: -1 }], columns)).toBe("Name\tValue\n'=cmd x\t'-1");
  });
});

/** The map with its tools, the card of what is under the pointer, and the reason if it is empty. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";

import { scene } from "./atlas";
import { Chart } from "./chart";
import { undo } from "../session/state";
import { Card } from "./card";
import type { Hover } from "./card";
import { Empty } from "../parts/empty";
import { Icon } from "../parts/icon";
import type { IconName } from "../parts/icon";
import { Legend } from "./legend";
import { Toolbar } from "../parts/toolbar";

export function MapScreen(): VNode {
  const root = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const layer = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | null>(null);
  const [hover, setHover] = useState<Hover | null>(null);
  useEffect(() => {
    if (!root.current || !canvas.current || !layer.current) return;
    const made = new Chart(root.current, canvas.current, layer.current, (target, at) => {
      setHover(target ? { target, at } : null);
    });
    chart.current = made;
    return () => made.close();
  }, []);
  const empty = scene.value.marks.length === 0;
  return (
    <section class="screen" aria-label="Map">
      <Toolbar />
      <div class="map">
        <div ref={root} class="mirror" role="application" aria-roledescription="map">
          <canvas ref={canvas} aria-hidden="true" />
          <div ref={layer} class="mirror-layer" />
        </div>
        {empty && <Empty what="map" />}
        {hover && <Card {...hover} />}
        <Tools chart={() => chart.current} />
        <Undo />
      </div>
      <Legend />
    </section>
  );
}

function Tools({ chart }: { chart: () => Chart | null }): VNode {
  const tools: [IconName, string, () => void][] = [
    ["tidy", "Tidy (T)", () => chart()?.tidy()],
    ["fit", "Fit (0)", () => chart()?.stage.fit()],
    ["plus", "Closer (+)", () => chart()?.stage.zoom(1.25)],
    ["minus", "Farther (-)", () => chart()?.stage.zoom(0.8)],
  ];
  return (
    <div class="tools" role="toolbar" aria-label="Map">
      {tools.map(([icon, name, act]) => (
        <button type="button" key={icon} title={name} aria-label={name} onClick={act}><Icon name={icon} /></button>
      ))}
    </div>
  );
}

function Undo(): VNode | null {
  const offered = undo.value;
  useEffect(() => {
    if (!offered) return;
    const timer = setTimeout(() => { if (undo.value === offered) undo.value = null; }, 8000);
    return () => clearTimeout(timer);
  }, [offered]);
  if (!offered) return null;
  return (
    <div class="toast" role="status">
      {offered.text}<button type="button" class="link" onClick={offered.act}>Undo</button>
    </div>
  );
}

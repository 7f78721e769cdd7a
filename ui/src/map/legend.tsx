/** What width, colour and dash mean, with the values of now. */
import { useEffect, useRef } from "preact/hooks";
import type { VNode } from "preact";

import { readPalette } from "../render/palette";
import { outline } from "../render/marks";
import { scene } from "./atlas";
import { place } from "../session/state";
import { coloursChanged } from "../session/theme";
import { METRIC_NAMES, WIDTHS, metricText, stepsOf } from "../store/metric";

const DASHES = [["active", ""], ["idle", "9 5"], ["closed", "1.5 4"]] as const;

export function Legend(): VNode {
  const { metric } = place.value;
  const { limits } = scene.value.scale;
  const steps = scene.value.lines.length > 0 ? stepsOf(scene.value.scale) : [];
  return (
    <div class="legend" aria-label="Legend" role="group">
      <span class="legend-part"><b>{METRIC_NAMES[metric]}</b>
        {steps.length === 0 && <span>no lines</span>}
        {steps.map((step) => (
          <span key={step} class="legend-item">
            <Sample width={WIDTHS[step] ?? 1} dash="" colour="edge" />
            {step === 0 ? `< ${metricText(limits[0], metric)}` : step === 4 ? `≥ ${metricText(limits[3], metric)}` : metricText(limits[step - 1] ?? 0, metric)}
          </span>
        ))}
      </span>
      <span class="legend-part">
        {(["fine", "degraded", "failing"] as const).map((health) => (
          <span key={health} class="legend-item"><Sample width={2.5} dash="" colour={health === "fine" ? "edge" : health} />{health}</span>
        ))}
      </span>
      <span class="legend-part">
        {DASHES.map(([activity, dash]) => (
          <span key={activity} class="legend-item"><Sample width={1.5} dash={dash} colour="edge" />{activity}</span>
        ))}
      </span>
    </div>
  );
}

function Sample({ width, dash, colour }: { width: number; dash: string; colour: string }): VNode {
  return (
    <svg width="26" height="10" aria-hidden="true" class={`stroke-${colour}`}>
      <line x1="0" y1="5" x2="26" y2="5" stroke-width={width} stroke-dasharray={dash} />
    </svg>
  );
}

/** The mark of a kind, drawn as on the map. */
export function Shape({ kind, outside }: { kind: string; outside: boolean }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colours = coloursChanged.value;
  useEffect(() => {
    const element = canvas.current;
    const pen = element?.getContext("2d");
    if (!element || !pen) return;
    const palette = readPalette(element);
    pen.setTransform(2, 0, 0, 2, 0, 0);
    pen.clearRect(0, 0, 26, 20);
    const draw = (x: number, y: number): void => {
      outline(pen, kind, outside, { x, y }, 8);
      pen.fillStyle = palette.mark;
      pen.fill();
      pen.strokeStyle = palette["mark-line"];
      pen.lineWidth = 1.3;
      pen.setLineDash(outside ? [3, 2] : []);
      pen.stroke();
    };
    if (kind === "executable") draw(15, 8);
    draw(12, 10);
  }, [kind, outside, colours]);
  return <canvas ref={canvas} class="shape" width="52" height="40" aria-hidden="true" />;
}

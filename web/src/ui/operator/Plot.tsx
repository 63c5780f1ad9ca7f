import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Line {
  label: string;
  values: number[];
  /** CSS custom property with the colour. */
  colour: "--accent" | "--series-2";
  fill?: boolean;
}

const HEIGHT = 164;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A live plot over the last minutes; redrawn in place, its size following its box. */
export function Plot({
  times,
  lines,
  format,
  theme,
  language,
}: {
  times: number[];
  lines: Line[];
  format: (value: number) => string;
  theme: string;
  language: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useRef<uPlot.AlignedData>([[]]);
  const write = useRef(format);
  write.current = format;
  data.current = [times.map((at) => at / 1000), ...lines.map((line) => line.values)];
  const shape = lines.map((line) => `${line.label}${line.colour}${line.fill ?? false}`).join("|");

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours, words and the number of lines make a new plot; values do not
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const [line, faint] = [colour("--line"), colour("--ink-2")];
    const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    const axis = { stroke: faint, font: "11px Inter, Noto Sans SC, Noto Sans CJK SC, sans-serif", ticks: { show: false } };
    const drawn = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        padding: [10, 4, 0, 4],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { size: 7 } },
        scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.15)] } },
        axes: [
          { ...axis, grid: { show: false }, size: 28, space: 64, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1000)) },
          {
            ...axis,
            side: 1,
            size: 58,
            grid: { stroke: line, width: 1 },
            space: 34,
            values: (_, ticks) => ticks.map((tick) => write.current(tick)),
          },
        ],
        series: [
          {},
          ...lines.map((each) => {
            const stroke = colour(each.colour);
            return { label: each.label, stroke, width: 2, points: { show: false }, ...(each.fill ? { fill: `${stroke}1c` } : {}) };
          }),
        ],
      },
      data.current,
      element,
    );
    plot.current = drawn;
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape, theme, language]);

  const last = times.at(-1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new last second is what makes new values
  useEffect(() => plot.current?.setData(data.current), [last, times.length]);
  return (
    <div
      ref={box}
      className="plot-box"
      role="img"
      aria-label={lines.map((line) => `${line.label} ${format(line.values.at(-1) ?? 0)}`).join(", ")}
    />
  );
}

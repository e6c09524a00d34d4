import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Columns, PageData } from '../page-data.ts';
import { gutter } from './canvas.ts';
import { Folded } from './folded.tsx';
import { drawScatter, type Scatter, scatterOf } from './scatter.ts';
import { Table } from './table.tsx';
import { color, onColors } from './theme.ts';
import type { View } from './view.ts';

interface ChartProps {
  readonly page: PageData;
  readonly columns: Columns;
  readonly view: View;
}

/** Latency of each operation, its quantiles, and the rate by outcome: on the timeline's own axis, cursor and faults. */
export function Charts({ page, columns, view }: ChartProps): VNode {
  const { rates } = page;
  const scatter = scatterOf(page, columns);
  const bucket = rates.bucketNs / 1e9;
  const times = rates.ok.map((_, i) => (i + 0.5) * bucket);
  return (
    <>
      <h3>Latency of each operation</h3>
      <p class="legend">
        <span class="key ok">● ok</span> <span class="key fail">✗ failed</span>{' '}
        <span class="key info">▲ outcome unknown</span>
        <span class="quiet"> milliseconds, logarithmic; shaded: a fault in force</span>
      </p>
      <Chart
        label="scatter of the latency of each operation over time"
        view={view}
        make={() => scatterOptions(scatter, page, view)}
        data={[[0, page.endNs / 1e9], scatter.range]}
      />
      <h3>Latency quantiles</h3>
      <p class="legend">
        <span class="key p50">— median</span> <span class="key p95">- - 95 %</span>{' '}
        <span class="key p99">··· 99 %</span>
        <span class="quiet"> milliseconds, of those that completed ok, each {bucket} s</span>
      </p>
      <Chart
        label="latency quantiles over time"
        view={view}
        make={() =>
          lineOptions(
            page,
            view,
            [
              ['median', 'ok', []],
              ['95 %', 'info', [7, 4]],
              ['99 %', 'bad', [2, 3]],
            ],
            true,
          )
        }
        data={[times, rates.p50.slice(), rates.p95.slice(), rates.p99.slice()]}
      />
      <h3>Rate by outcome</h3>
      <p class="legend">
        <span class="key p50">— ok</span> <span class="key fail">- - failed</span>{' '}
        <span class="key info">··· unknown</span>
        <span class="quiet"> operations each second</span>
      </p>
      <Chart
        label="operations each second by outcome over time"
        view={view}
        make={() =>
          lineOptions(
            page,
            view,
            [
              ['ok', 'ok', []],
              ['failed', 'fail', [7, 4]],
              ['unknown', 'info', [2, 3]],
            ],
            false,
          )
        }
        data={[times, ...[rates.ok, rates.fail, rates.info].map((counts) => counts.map((count) => count / bucket))]}
      />
      <Folded summary="These charts as a table">
        {() => (
          <Table
            columns={['from, s', 'ok', 'failed', 'unknown', 'median, ms', '95 %', '99 %', 'slowest']}
            rows={rates.ok.map((ok, i) => [
              (i * bucket).toFixed(1),
              String(ok),
              String(rates.fail[i] ?? 0),
              String(rates.info[i] ?? 0),
              ...[rates.p50, rates.p95, rates.p99, rates.max].map((quantile) => quantile[i]?.toFixed(2) ?? ''),
            ])}
          />
        )}
      </Folded>
    </>
  );
}

const lagMaxMs = 300;

interface UPlotProps {
  readonly label: string;
  readonly view: View;
  readonly make: () => Omit<uPlot.Options, 'width'>;
  readonly data: (number | null)[][];
}

function Chart({ label, view, make, data }: UPlotProps): VNode {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    let plot: uPlot | undefined;
    const build = (): void => {
      plot?.destroy();
      plot = new uPlot({ ...make(), width: element.clientWidth }, data as uPlot.AlignedData, element);
    };
    const follow = (): void => {
      const { from, to } = view.state;
      if (plot !== undefined && (plot.scales.x?.min !== from || plot.scales.x.max !== to))
        plot.setScale('x', { min: from, max: to });
    };
    const resize = (): void => {
      if (plot !== undefined && plot.width !== element.clientWidth)
        plot.setSize({ width: element.clientWidth, height });
    };
    const point = (): void => {
      if (plot === undefined) return;
      const left = view.cursor === undefined ? -10 : plot.valToPos(view.cursor, 'x');
      if (Math.abs((plot.cursor.left ?? -10) - left) > 0.5) plot.setCursor({ left, top: -10 }, false);
    };
    // A chart at a time, and when the page has nothing better to do: the timeline must follow a drag at once, the
    // charts may lag behind.
    let waiting = 0;
    const soon = (draw: () => void): void => {
      cancelIdleCallback(waiting);
      waiting = requestIdleCallback(draw, { timeout: lagMaxMs });
    };
    soon(build);
    const stops = [
      view.onChange(() => soon(plot === undefined ? build : follow)),
      view.onCursor(point),
      onColors(() => soon(build)),
    ];
    const observer = new ResizeObserver(resize);
    observer.observe(element);
    return () => {
      cancelIdleCallback(waiting);
      for (const stop of stops) stop();
      observer.disconnect();
      plot?.destroy();
    };
  }, []);
  return <div class="chart" ref={holder} role="img" aria-label={label} />;
}

const height = 190;

function common(
  page: PageData,
  view: View,
): Pick<uPlot.Options, 'height' | 'cursor' | 'legend' | 'padding'> & { bands: uPlot.Plugin } {
  return {
    height,
    legend: { show: false },
    padding: [8, 0, 0, 0],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      // Marking a stretch shows it everywhere.
    },
    bands: {
      hooks: {
        drawClear: (plot) => drawBands(plot, page),
        setCursor: (plot) => {
          const left = plot.cursor.left ?? -1;
          if (left >= 0 && plot.over.matches(':hover')) view.setCursor(plot.posToVal(left, 'x'));
        },
        setSelect: (plot) => {
          if (plot.select.width < 3) return;
          const from = plot.posToVal(plot.select.left, 'x');
          const to = plot.posToVal(plot.select.left + plot.select.width, 'x');
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          view.show(from, to);
        },
      },
    },
  };
}

function drawBands(plot: uPlot, page: PageData): void {
  const { left, top, width, height: tall } = plot.bbox;
  plot.ctx.save();
  plot.ctx.beginPath();
  plot.ctx.rect(left, top, width, tall);
  plot.ctx.clip();
  plot.ctx.fillStyle = color('band');
  for (const fault of page.faults) {
    const from = Math.max(left, plot.valToPos(fault.start / 1e9, 'x', true));
    const to =
      fault.end === undefined ? left + width : Math.min(left + width, plot.valToPos(fault.end / 1e9, 'x', true));
    if (to >= left && from <= left + width) plot.ctx.fillRect(from, top, Math.max(1, to - from), tall);
  }
  plot.ctx.restore();
}

function inSight({ state: { from, to } }: View): uPlot.Scale {
  return { time: false, min: from, max: to };
}

function axes(logarithmic: boolean): uPlot.Axis[] {
  const look = {
    stroke: color('quiet'),
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
    font: '11px ui-monospace, Menlo, monospace',
  };
  return [
    { ...look, space: 90, values: (_, ticks) => ticks.map((tick) => `${Math.round(tick * 1e6) / 1e6} s`) },
    {
      ...look,
      size: gutter,
      ...(logarithmic && {
        values: (_: uPlot, ticks: number[]) =>
          ticks.map((tick) => (Math.abs(Math.log10(tick) % 1) < 1e-6 ? String(tick) : '')),
      }),
    },
  ];
}

function lineOptions(
  page: PageData,
  view: View,
  series: readonly (readonly [label: string, color: string, dash: number[]])[],
  logarithmic: boolean,
): Omit<uPlot.Options, 'width'> {
  const { bands, ...rest } = common(page, view);
  return {
    ...rest,
    plugins: [bands],
    scales: {
      x: inSight(view),
      y: logarithmic ? { distr: 3 } : { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: axes(logarithmic),
    series: [
      {},
      ...series.map(([label, name, dash]) => ({
        label,
        stroke: color(name),
        width: 2,
        dash,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}

function scatterOptions(scatter: Scatter, page: PageData, view: View): Omit<uPlot.Options, 'width'> {
  const { bands, ...rest } = common(page, view);
  return {
    ...rest,
    plugins: [bands, { hooks: { draw: (plot) => drawScatter(plot, scatter) } }],
    scales: { x: inSight(view), y: { distr: 3, range: scatter.range } },
    axes: axes(true),
    // The points are drawn by hand; all that the chart is given are the ends of its axes.
    series: [{}, { paths: () => null, points: { show: false } }],
  };
}

import { describeFault } from '../fault-span.ts';
import type { PageData } from '../page-data.ts';
import { drawCursor, gutter, prepare } from './canvas.ts';
import { color } from './theme.ts';
import type { View } from './view.ts';

const rowHeight = 18;

/** The rows above the lanes: the time axis, a row a kind of fault, a row a node with its leaderships. */
export function drawContext(canvas: HTMLCanvasElement, page: PageData, view: View): void {
  const kinds = [...new Set(page.faults.map((fault) => fault.kind))].sort();
  const nodes = page.leaderships.length + page.downs.length > 0 ? page.nodes : [];
  const phases = page.phases.length > 0 ? 1 : 0;
  const height = 22 + (phases + kinds.length + nodes.length) * rowHeight + 6;
  canvas.style.height = `${height}px`;
  const width = canvas.parentElement?.clientWidth ?? 0;
  const context = prepare(canvas, width, height);
  if (context === undefined || width <= gutter) return;
  const { from, to } = view.state;
  const x = (seconds: number): number => gutter + ((seconds - from) / (to - from)) * (width - gutter);
  context.font = '11px ui-monospace, Menlo, Consolas, monospace';
  context.textBaseline = 'middle';
  drawAxis(context, view, page.timed ? ' s' : '', x, width, height);
  if (phases > 0) label(context, 'phase', 22);
  for (const { name, from: start, to: end } of page.phases) {
    bar(context, x(start / 1e9), x(end / 1e9), 22, width, color('quiet'), color('fail-fill'), [name]);
  }
  for (const [row, kind] of kinds.entries()) {
    const y = 22 + (phases + row) * rowHeight;
    label(context, `⚡ ${kind}`, y);
    for (const fault of page.faults) {
      if (fault.kind !== kind) continue;
      const left = x(fault.start / 1e9);
      const right = fault.end === undefined ? width : x(fault.end / 1e9);
      bar(context, left, right, y, width, color('fault'), color('band-strong'), [
        describeFault(fault).slice(kind.length + 1),
        fault.variant,
      ]);
    }
  }
  for (const [row, node] of nodes.entries()) {
    const y = 22 + (phases + kinds.length + row) * rowHeight;
    label(context, `node ${node}`, y);
    for (const led of page.leaderships) {
      if (led.node !== node) continue;
      bar(context, x(led.from / 1e9), x(led.to / 1e9), y, width, color('valid'), color('valid-fill'), [
        `★ leader, term ${led.term}`,
        `★ term ${led.term}`,
        `★${led.term}`,
      ]);
    }
    for (const down of page.downs) {
      if (down.node !== node) continue;
      const [stroke, fill] = down.ordered ? [color('fault'), color('band-strong')] : [color('bad'), color('bad-fill')];
      bar(
        context,
        x(down.from / 1e9),
        x(down.to / 1e9),
        y,
        width,
        stroke,
        fill,
        down.ordered ? ['† down', '†'] : ['† crashed', '†'],
      );
    }
  }
  drawCursor(context, view, x, height);
}

function label(context: CanvasRenderingContext2D, text: string, y: number): void {
  context.fillStyle = color('quiet');
  context.fillText(text, 8, y + rowHeight / 2, gutter - 14);
}

function bar(
  context: CanvasRenderingContext2D,
  left: number,
  right: number,
  y: number,
  width: number,
  stroke: string,
  fill: string,
  /** The first of these that there is room for is written on it. */
  texts: readonly string[],
): void {
  const from = Math.max(left, gutter);
  const to = Math.min(Math.max(right, left + 2), width);
  if (to <= gutter || from >= width) return;
  context.fillStyle = fill;
  context.fillRect(from, y + 2, to - from, rowHeight - 4);
  context.fillStyle = stroke;
  // The left edge marks the start; it is missing when the start is out of sight.
  if (left >= gutter) context.fillRect(from, y + 2, 2, rowHeight - 4);
  const room = Math.floor((to - from - 8) / 6.7);
  const text = texts.find(({ length }) => length <= room) ?? (room < 4 ? '' : `${texts[0]?.slice(0, room - 1)}…`);
  if (text === '') return;
  context.fillStyle = color('ink');
  context.fillText(text, from + 5, y + rowHeight / 2 + 1);
}

function drawAxis(
  context: CanvasRenderingContext2D,
  { state: { from, to } }: View,
  unit: string,
  x: (seconds: number) => number,
  width: number,
  height: number,
): void {
  const step = niceStep((to - from) / Math.max(2, (width - gutter) / 110));
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  for (let tick = Math.ceil(from / step) * step; tick <= to + step * 1e-6; tick += step) {
    const at = Math.round(x(tick));
    context.fillStyle = color('line');
    context.fillRect(at, 0, 1, height);
    context.fillStyle = color('quiet');
    const text = `${tick.toFixed(digits)}${unit}`;
    if (at + 60 < width) context.fillText(text, at + 4, 9);
  }
}

function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  for (const step of [1, 2, 5]) if (step * power >= least) return step * power;
  return 10 * power;
}

import { type Columns, never, outcomes, type PageData } from '../page-data.ts';
import { drawCursor, gutter, prepare } from './canvas.ts';
import { shortText } from './operation-text.ts';
import { color } from './theme.ts';
import { firstFrom, type Lane } from './timeline-rows.ts';
import type { View } from './view.ts';

export const laneHeight = 20;

interface Drawing {
  readonly canvas: HTMLCanvasElement;
  readonly top: number;
  readonly page: PageData;
  readonly columns: Columns;
  readonly view: View;
  readonly lanes: readonly Lane[];
  readonly involved: ReadonlySet<number>;
  readonly marked: ReadonlySet<number>;
}

/** The operations as bars, only those in sight. */
export function drawLanes({ canvas, top, page, columns, view, lanes, involved, marked }: Drawing): void {
  const width = canvas.parentElement?.clientWidth ?? 0;
  const height = canvas.clientHeight;
  const context = prepare(canvas, width, height);
  if (context === undefined || width <= gutter) return;
  const { from, to, pinned } = view.state;
  const scale = (width - gutter) / (to - from);
  const x = (seconds: number): number => gutter + (seconds - from) * scale;
  const unit = page.unitNs / 1e9;

  context.save();
  context.beginPath();
  context.rect(gutter, 0, width - gutter, height);
  context.clip();
  context.fillStyle = color('band');
  for (const fault of page.faults) {
    const left = x(fault.start / 1e9);
    const right = fault.end === undefined ? width : x(fault.end / 1e9);
    if (right > gutter && left < width) context.fillRect(left, 0, Math.max(1, right - left), height);
  }
  if (page.windows !== undefined) drawMissing(context, page.windows, x, width, height);
  context.restore();

  const ink = color('ink');
  const quiet = color('quiet');
  const fills = { ok: color('ok-fill'), fail: color('fail-fill'), info: color('info-fill') };
  const strokes = { ok: color('ok'), fail: color('fail'), info: color('info') };
  const bad = color('bad');
  const badFill = color('bad-fill');
  context.font = '11px ui-monospace, Menlo, Consolas, monospace';
  context.textBaseline = 'middle';
  const firstLane = Math.max(0, Math.floor(top / laneHeight));
  const lastLane = Math.min(lanes.length - 1, Math.floor((top + height) / laneHeight));
  for (let row = firstLane; row <= lastLane; row++) {
    const lane = lanes[row];
    if (lane === undefined) continue;
    const y = row * laneHeight - top;
    if (lane.name !== undefined) {
      context.fillStyle = color('line');
      context.fillRect(0, y, width, 1);
    }
    const sticky = row === firstLane && lane.name === undefined;
    if (lane.name !== undefined || sticky) {
      context.fillStyle = sticky ? quiet : ink;
      context.fillText(clip(lane.group, 17), 8, y + laneHeight / 2 + 1, gutter - 14);
    }
    context.save();
    context.beginPath();
    context.rect(gutter, y, width - gutter, laneHeight);
    context.clip();
    const begin = Math.max(0, firstFrom(columns, lane.operations, from / unit) - 1);
    const lastPixels = { ok: -1, fail: -1, info: -1 };
    if (lane.firstUnknown < begin) {
      // Of unknown outcome, and from before what is in sight: it may still happen here.
      context.globalAlpha = 0.35;
      context.fillStyle = strokes.info;
      context.fillRect(gutter, y + laneHeight - 3, width - gutter, 1);
      context.globalAlpha = 1;
    }
    for (let at = begin; at < lane.operations.length; at++) {
      const i = lane.operations[at] ?? 0;
      const start = (columns.start[i] ?? 0) * unit;
      if (start > to) break;
      const duration = columns.duration[i] ?? 0;
      const left = x(start);
      const right = duration === never ? left + 3 : x(start + duration * unit);
      const outcome = outcomes[columns.outcome[i] ?? 2] ?? 'info';
      const invoke = columns.invoke[i] ?? 0;
      const special = involved.has(invoke) || invoke === pinned;
      // Thousands on one pixel look like one: of each outcome plain ones are drawn once a pixel.
      const pixel = Math.floor(left);
      if (!special && pixel === lastPixels[outcome] && (duration === never || right - left < 1)) continue;
      lastPixels[outcome] = pixel;
      const wide = Math.max(right - left, special ? 3 : 1.5);
      if (outcome === 'info') {
        const fade = context.createLinearGradient(left, 0, width, 0);
        fade.addColorStop(0, strokes.info);
        fade.addColorStop(1, 'transparent');
        context.fillStyle = fade;
        context.globalAlpha = 0.6;
        context.fillRect(left, y + laneHeight - 4, width - left, 2);
        context.globalAlpha = 1;
      }
      if (wide >= 4) {
        context.fillStyle = marked.has(invoke) ? badFill : fills[outcome];
        context.strokeStyle = special ? bad : strokes[outcome];
        context.lineWidth = special ? 2 : 1;
        context.setLineDash(outcome === 'fail' ? [3, 2] : outcome === 'info' ? [1, 2] : []);
        context.fillRect(left + 0.5, y + 3.5, wide - 1, laneHeight - 7);
        context.strokeRect(left + 0.5, y + 3.5, wide - 1, laneHeight - 7);
      } else {
        context.fillStyle = special ? bad : strokes[outcome];
        context.fillRect(left, y + 4, wide, laneHeight - 8);
      }
      if (invoke === pinned) {
        context.setLineDash([]);
        context.lineWidth = 2;
        context.strokeStyle = ink;
        context.strokeRect(left - 1.5, y + 1.5, wide + 3, laneHeight - 3);
      }
      const room = Math.floor((Math.min(right, width) - Math.max(left, gutter) - 8) / 6.7);
      if (room >= 4) {
        context.fillStyle = ink;
        const sign = outcome === 'fail' ? '✗ ' : outcome === 'info' ? '? ' : '';
        context.fillText(clip(sign + shortText(columns, i), room), Math.max(left, gutter) + 4, y + laneHeight / 2 + 1);
      } else if (wide >= 9 && outcome !== 'ok') {
        context.fillStyle = ink;
        context.fillText(outcome === 'fail' ? '✗' : '?', left + 1, y + laneHeight / 2 + 1);
      }
    }
    context.setLineDash([]);
    context.restore();
  }
  if (lanes.length === 0) {
    context.fillStyle = quiet;
    context.fillText('nothing matches', gutter + 10, 20);
  }
  drawCursor(context, view, x, height);
}

/** Where the file has no operations, the lanes are hatched: empty would look like silence. */
function drawMissing(
  context: CanvasRenderingContext2D,
  windows: NonNullable<PageData['windows']>,
  x: (seconds: number) => number,
  width: number,
  height: number,
): void {
  context.strokeStyle = color('line');
  context.lineWidth = 1;
  context.beginPath();
  let from = gutter;
  const hatch = (left: number, right: number): void => {
    for (let at = left - height; at < right; at += 8) {
      context.moveTo(Math.max(at, left), height - Math.max(0, left - at));
      context.lineTo(Math.min(at + height, right), height - Math.min(height, right - at));
    }
  };
  for (const [start, end] of windows) {
    const left = x(start / 1e9);
    if (left > from) hatch(Math.max(from, gutter), Math.min(left, width));
    from = Math.max(from, x(end / 1e9));
  }
  if (from < width) hatch(from, width);
  context.stroke();
}

function clip(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1)).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

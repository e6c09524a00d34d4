import type { Columns, PageData } from '../page-data.ts';
import { drawCursor, gutter, prepare } from './canvas.ts';
import { LaneRow } from './lane-row.ts';
import { color } from './theme.ts';
import { clip, type Lane, laneHeight } from './timeline-rows.ts';
import type { View } from './view.ts';

interface Drawing {
  readonly canvas: HTMLCanvasElement;
  readonly top: number;
  readonly page: PageData;
  readonly columns: Columns;
  readonly view: View;
  readonly lanes: readonly Lane[];
  /** Of each operation, as in lane-row.ts. */
  readonly roles: Uint8Array;
}

/** The operations as bars, only those in sight. */
export function drawLanes({ canvas, top, page, columns, view, lanes, roles }: Drawing): void {
  const width = canvas.parentElement?.clientWidth ?? 0;
  const height = canvas.clientHeight;
  const context = prepare(canvas, width, height);
  if (context === undefined || width <= gutter) return;
  const { from, to } = view.state;
  const scale = (width - gutter) / (to - from);
  const x = (seconds: number): number => gutter + (seconds - from) * scale;

  canvas.classList.toggle('partial', page.windows !== undefined);
  if (page.windows !== undefined) coverHatching(context, page.windows, x, width, height);
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
  context.restore();

  context.font = '11px ui-monospace, Menlo, Consolas, monospace';
  context.textBaseline = 'middle';
  const row = new LaneRow(context, columns, page.unitNs / 1e9, view, width, roles);
  const firstLane = Math.max(0, Math.floor(top / laneHeight));
  const lastLane = Math.min(lanes.length - 1, Math.floor((top + height) / laneHeight));
  for (let at = firstLane; at <= lastLane; at++) {
    const lane = lanes[at];
    if (lane === undefined) continue;
    const y = at * laneHeight - top;
    if (lane.name !== undefined) {
      context.fillStyle = color('line');
      context.fillRect(0, y, width, 1);
    }
    const sticky = at === firstLane && lane.name === undefined;
    if (lane.name !== undefined || sticky) {
      context.fillStyle = color(sticky ? 'quiet' : 'ink');
      context.fillText(clip(lane.group, 17), 8, y + laneHeight / 2 + 1, gutter - 14);
    }
    row.draw(lane, y);
  }
  if (lanes.length === 0) {
    context.fillStyle = color('quiet');
    context.fillText('nothing matches', gutter + 10, 20);
  }
  drawCursor(context, view, x, height);
}

/** Where the file has no operations the hatching of the style sheet is left to be seen: empty would look like silence. */
function coverHatching(
  context: CanvasRenderingContext2D,
  windows: NonNullable<PageData['windows']>,
  x: (seconds: number) => number,
  width: number,
  height: number,
): void {
  context.fillStyle = color('surface');
  context.fillRect(0, 0, gutter, height);
  for (const [start, end] of windows) {
    const left = Math.max(gutter, x(start / 1e9));
    const right = Math.min(width, x(end / 1e9));
    if (left < right) context.fillRect(left, 0, right - left, height);
  }
}

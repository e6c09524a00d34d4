import type uPlot from 'uplot';
import { type Columns, never, type PageData } from '../page-data.ts';
import { color } from './theme.ts';

/** A point for each operation that was answered, ready to be drawn at any scale. */
export interface Scatter {
  /** In seconds, in order. */
  readonly times: Float64Array;
  /** Decimal logarithms of milliseconds. */
  readonly latencies: Float32Array;
  readonly outcomes: Uint8Array;
  /** Milliseconds, powers of ten around all of them: the same whatever is in sight, so that it can be compared. */
  readonly range: [number, number];
}

const leastMs = 0.01;

export function scatterOf(page: PageData, columns: Columns): Scatter {
  const times = new Float64Array(columns.count);
  const latencies = new Float32Array(columns.count);
  const outcomes = new Uint8Array(columns.count);
  let [count, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < columns.count; i++) {
    const duration = columns.duration[i] ?? never;
    if (duration === never) continue;
    const latency = Math.log10(Math.max((duration * page.unitNs) / 1e6, leastMs));
    times[count] = ((columns.start[i] ?? 0) * page.unitNs) / 1e9;
    latencies[count] = latency;
    outcomes[count] = columns.outcome[i] ?? 2;
    count++;
    if (latency < low) low = latency;
    if (latency > high) high = latency;
  }
  const range: [number, number] = count === 0 ? [1, 10] : [10 ** Math.floor(low), 10 ** (Math.floor(high) + 1)];
  return {
    times: times.subarray(0, count),
    latencies: latencies.subarray(0, count),
    outcomes: outcomes.subarray(0, count),
    range,
  };
}

const looks = ['ok', 'fail', 'info'] as const;

/**
 * Draws the points that are in sight, shapes by outcome, failed over ok and unknown over both. They are set pixel by pixel
 * in memory and drawn as one picture: a canvas that is asked for a hundred thousand shapes takes too long for a frame.
 */
export function drawScatter(plot: uPlot, { times, latencies, outcomes }: Scatter): void {
  const { left, top, width, height } = plot.bbox;
  const { min: from = 0, max: to = 1 } = plot.scales.x ?? {};
  if (from === null || to === null || width < 1 || height < 1) return;
  const canvas = new OffscreenCanvas(Math.ceil(width), Math.ceil(height));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return;
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const perSecond = width / (to - from);
  const one = plot.valToPos(1, 'y', true) - top;
  const perDecade = plot.valToPos(10, 'y', true) - top - one;
  const first = firstAtOrAfter(times, from);
  const last = firstAtOrAfter(times, to);
  const drawn = new Uint8Array(pixels.length);
  for (const [outcome, look] of looks.entries()) {
    const shape = shapeOf(look, devicePixelRatio || 1);
    const ink = pixelOf(color(look));
    for (let i = first; i < last; i++) {
      if (outcomes[i] !== outcome) continue;
      const x = Math.round(((times[i] ?? 0) - from) * perSecond);
      const y = Math.round(one + (latencies[i] ?? 0) * perDecade);
      // Many points on one place are one.
      const place = y * canvas.width + x;
      if (drawn[place] === outcome + 1) continue;
      drawn[place] = outcome + 1;
      for (let at = 0; at < shape.length; at += 2) {
        const [column, row] = [x + (shape[at] ?? 0), y + (shape[at + 1] ?? 0)];
        if (column >= 0 && column < canvas.width && row >= 0 && row < canvas.height)
          pixels[row * canvas.width + column] = ink;
      }
    }
  }
  context.putImageData(image, 0, 0);
  plot.ctx.drawImage(canvas, left, top);
}

/** Pairs of across and down from the middle, in device pixels: a square, a cross, a triangle. */
function shapeOf(look: (typeof looks)[number], density: number): Int8Array {
  const shape: number[] = [];
  const size = Math.max(1, Math.round(2 * density));
  if (look === 'ok') {
    for (let row = 0; row < size; row++) for (let column = 0; column < size; column++) shape.push(column, row);
  } else if (look === 'fail') {
    for (let at = -size; at <= size; at++) shape.push(at, at, at, -at);
  } else {
    for (let row = -size; row <= size; row++) {
      const half = Math.round((row + size) * 0.6);
      for (let column = -half; column <= half; column++) shape.push(column, row);
    }
  }
  return Int8Array.from(shape);
}

/** A colour as a canvas stores it. */
function pixelOf(name: string): number {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  if (context === null) return 0;
  context.fillStyle = name;
  context.fillRect(0, 0, 1, 1);
  return new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0] ?? 0;
}

function firstAtOrAfter(times: Float64Array, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

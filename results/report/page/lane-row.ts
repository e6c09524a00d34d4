import { type Columns, never, outcomes } from '../page-data.ts';
import { gutter } from './canvas.ts';
import { shortText } from './operation-text.ts';
import { color } from './theme.ts';
import { clip, firstFrom, type Lane, laneHeight } from './timeline-rows.ts';
import type { View } from './view.ts';

/** What an operation is to the anomalies: part of one, or what one is about. */
export const roles = { involved: 1, marked: 2 } as const;

/** Bars of less are drawn by the pixel. */
const barPixelsMin = 4;
/** Of operations with unknown outcome that begin within so many pixels of each other one fades. */
const fadePixels = 24;
const looks = ['ok', 'fail', 'info'] as const;

/**
 * Draws the operations of one lane after the other. What is too narrow for a bar of its own is not drawn an operation at
 * a time: each pixel gets the gravest outcome of the operations on it (unknown, then failed, then ok), and equal neighbours are one rectangle. So a
 * lane costs no more than its pixels, however many operations it has.
 */
export class LaneRow {
  readonly #context: CanvasRenderingContext2D;
  readonly #columns: Columns;
  /** Of each operation, as `roles`. */
  readonly #roles: Uint8Array;
  readonly #pinned: number;
  readonly #width: number;
  /** In the columns' unit: what is in sight, and how many pixels one is wide. */
  readonly #from: number;
  readonly #to: number;
  readonly #perUnit: number;
  /** A device pixel each: 0 for nothing, else one more than the outcome. */
  readonly #pixels: Uint8Array;
  readonly #density: number;

  constructor(
    context: CanvasRenderingContext2D,
    columns: Columns,
    unitSeconds: number,
    { state }: View,
    width: number,
    roles: Uint8Array,
  ) {
    this.#context = context;
    this.#columns = columns;
    this.#roles = roles;
    this.#pinned = state.pinned;
    this.#width = width;
    this.#from = state.from / unitSeconds;
    this.#to = state.to / unitSeconds;
    this.#perUnit = (width - gutter) / (this.#to - this.#from);
    this.#density = devicePixelRatio || 1;
    this.#pixels = new Uint8Array(Math.ceil((width - gutter) * this.#density));
  }

  draw(lane: Lane, y: number): void {
    const context = this.#context;
    context.save();
    context.beginPath();
    context.rect(gutter, y, this.#width - gutter, laneHeight);
    context.clip();
    const begin = Math.max(0, firstFrom(this.#columns, lane.operations, this.#from) - 1);
    if (lane.firstUnknown < begin) {
      // Of unknown outcome, and from before what is in sight: it may still happen here.
      context.globalAlpha = 0.35;
      context.fillStyle = color('info');
      context.fillRect(gutter, y + laneHeight - 3, this.#width - gutter, 1);
      context.globalAlpha = 1;
    }
    const bars = this.#sort(lane, begin, y);
    this.#drawPixels(y);
    for (const operation of bars) this.#drawBar(operation, y);
    context.restore();
  }

  /** Puts what is narrow into the pixels, fades what is unknown, and gives the rest. */
  #sort({ operations }: Lane, begin: number, y: number): readonly number[] {
    const { start, duration, outcome } = this.#columns;
    const bars: number[] = [];
    const pixels = this.#pixels.fill(0);
    let faded = Number.NEGATIVE_INFINITY;
    for (let at = begin; at < operations.length; at++) {
      const i = operations[at] ?? 0;
      const startUnits = start[i] ?? 0;
      if (startUnits > this.#to) break;
      const look = outcome[i] ?? 2;
      const left = (startUnits - this.#from) * this.#perUnit;
      if (look === 2 && left - faded >= fadePixels) {
        faded = left;
        this.#fade(gutter + left, y);
      }
      const units = duration[i] ?? 0;
      const wide = units === never ? barPixelsMin - 1 : units * this.#perUnit;
      if (wide >= barPixelsMin || this.#roles[i] !== 0 || this.#columns.invoke[i] === this.#pinned) {
        bars.push(i);
        continue;
      }
      const end = Math.min(pixels.length, Math.ceil((left + Math.max(wide, 1)) * this.#density));
      for (let pixel = Math.max(0, Math.floor(left * this.#density)); pixel < end; pixel++) {
        if ((pixels[pixel] ?? 0) <= look) pixels[pixel] = look + 1;
      }
    }
    return bars;
  }

  /** It may still happen, until the end. */
  #fade(left: number, y: number): void {
    const context = this.#context;
    const fade = context.createLinearGradient(left, 0, this.#width, 0);
    fade.addColorStop(0, color('info'));
    // The same colour with nothing of it left; `transparent` would pass through black.
    fade.addColorStop(1, `${color('info')}00`);
    context.fillStyle = fade;
    context.globalAlpha = 0.6;
    context.fillRect(left, y + laneHeight - 4, this.#width - left, 2);
    context.globalAlpha = 1;
  }

  #drawPixels(y: number): void {
    const pixels = this.#pixels;
    for (let from = 0; from < pixels.length; ) {
      const look = pixels[from] ?? 0;
      let to = from + 1;
      while (to < pixels.length && pixels[to] === look) to++;
      if (look > 0) {
        this.#context.fillStyle = color(looks[look - 1] ?? 'info');
        this.#context.fillRect(gutter + from / this.#density, y + 4, (to - from) / this.#density, laneHeight - 8);
      }
      from = to;
    }
  }

  #drawBar(i: number, y: number): void {
    const context = this.#context;
    const duration = this.#columns.duration[i] ?? 0;
    const left = gutter + ((this.#columns.start[i] ?? 0) - this.#from) * this.#perUnit;
    const right = duration === never ? left + 3 : left + duration * this.#perUnit;
    const outcome = outcomes[this.#columns.outcome[i] ?? 2] ?? 'info';
    const role = this.#roles[i] ?? 0;
    const pinned = this.#columns.invoke[i] === this.#pinned;
    const special = role !== 0 || pinned;
    const wide = Math.max(right - left, 3);
    if (wide >= barPixelsMin) {
      context.fillStyle = color(role & roles.marked ? 'bad-fill' : `${outcome}-fill`);
      context.strokeStyle = color(special ? 'bad' : outcome);
      context.lineWidth = special ? 2 : 1;
      context.setLineDash(outcome === 'fail' ? [3, 2] : outcome === 'info' ? [1, 2] : []);
      context.fillRect(left + 0.5, y + 3.5, wide - 1, laneHeight - 7);
      context.strokeRect(left + 0.5, y + 3.5, wide - 1, laneHeight - 7);
    } else {
      context.fillStyle = color(special ? 'bad' : outcome);
      context.fillRect(left, y + 4, wide, laneHeight - 8);
    }
    if (pinned) {
      context.setLineDash([]);
      context.lineWidth = 2;
      context.strokeStyle = color('ink');
      context.strokeRect(left - 1.5, y + 1.5, wide + 3, laneHeight - 3);
    }
    const room = Math.floor((Math.min(right, this.#width) - Math.max(left, gutter) - 8) / 6.7);
    if (room >= 4) {
      context.fillStyle = color('ink');
      const sign = outcome === 'fail' ? '✗ ' : outcome === 'info' ? '? ' : '';
      context.fillText(
        clip(sign + shortText(this.#columns, i), room),
        Math.max(left, gutter) + 4,
        y + laneHeight / 2 + 1,
      );
    } else if (wide >= 9 && outcome !== 'ok') {
      context.fillStyle = color('ink');
      context.fillText(outcome === 'fail' ? '✗' : '?', left + 1, y + laneHeight / 2 + 1);
    }
  }
}

import type { ClockFault, Effect } from '../../nemesis/world.ts';

/** An instant of the harness's own clocks, known to lie between two readings of them. */
export interface Instant {
  readonly wallMs: Span;
  readonly monotonicMs: Span;
}

/** From, to; both included. */
export type Span = readonly [number, number];

/** What a node said of its clocks, and when: between the harness's asking and its answer. */
export interface ClockReading {
  readonly at: Instant;
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export interface ClockChange {
  /** How the clock was bent before, and since when. */
  readonly before: ClockFault;
  readonly beforeSetAt: Instant;
  /** What it should be now, and when it was set: between sending it and its acknowledgement. */
  readonly after: ClockFault;
  readonly setAt: Instant;
  /** A reading before the change. */
  readonly reference: ClockReading;
}

/** Readings are whole milliseconds at worst, at both ends of a difference. */
const resolutionMs = 2;

/**
 * Judges a change by one reading after it. The node's reading was taken at some instant between two of the
 * harness's, so each theory of its clock allows a span of readings: when the theory "it is as before" cannot explain
 * it and "it is as asked" can, the change is proven; when "as asked" cannot, it is refuted. A change of rate shows
 * only after a while.
 * @returns undefined while both theories explain the reading: ask again later
 */
export function judgeClock(change: ClockChange, reading: ClockReading): 'proven' | 'refuted' | undefined {
  if (!explains(change, change.after, reading)) return 'refuted';
  return explains(change, undefined, reading) ? undefined : 'proven';
}

/** Facts for the record: how far the node's wall clock is from the harness's, how fast its monotonic clock went. */
export function clockFacts(change: ClockChange, reading: ClockReading): Effect['proof'] {
  const elapsedMs = middle(reading.at.monotonicMs) - middle(change.setAt.monotonicMs);
  return {
    wallOffsetBeforeMs: round(change.reference.wallMs - middle(change.reference.at.wallMs)),
    wallOffsetAfterMs: round(reading.wallMs - middle(reading.at.wallMs)),
    monotonicAdvanceMs: round(reading.monotonicMs - change.reference.monotonicMs),
    harnessAdvanceMs: round(middle(reading.at.monotonicMs) - middle(change.reference.at.monotonicMs)),
    elapsedSinceSetMs: round(elapsedMs),
    askedWallOffsetMs: change.after.wallOffsetMs,
    askedWallRate: change.after.wallRate,
    askedMonotonicRate: change.after.monotonicRate,
  };
}

/** @param after what was set; undefined for the theory that nothing happened */
function explains(change: ClockChange, after: ClockFault | undefined, reading: ClockReading): boolean {
  const { before, beforeSetAt, setAt, reference } = change;
  const [inForce, since] = after === undefined ? [before, beforeSetAt] : [after, setAt];
  const drift = scale(minus(reading.at.monotonicMs, since.monotonicMs), inForce.wallRate - 1);
  const wallOffset = minus([reading.wallMs, reading.wallMs], reading.at.wallMs);
  const wallHolds = overlaps(wallOffset, plus(drift, [inForce.wallOffsetMs, inForce.wallOffsetMs]));

  // before·(set − reference) + after·(reading − set), with the uncertain instant of setting taken together.
  const rateAfter = after?.monotonicRate ?? before.monotonicRate;
  const advance = plus(
    plus(scale(reading.at.monotonicMs, rateAfter), scale(reference.at.monotonicMs, -before.monotonicRate)),
    scale(setAt.monotonicMs, before.monotonicRate - rateAfter),
  );
  const seen = reading.monotonicMs - reference.monotonicMs;
  return wallHolds && overlaps([seen, seen], advance);
}

function plus(a: Span, b: Span): Span {
  return [a[0] + b[0], a[1] + b[1]];
}

function minus(a: Span, b: Span): Span {
  return [a[0] - b[1], a[1] - b[0]];
}

function scale([low, high]: Span, factor: number): Span {
  return factor < 0 ? [high * factor, low * factor] : [low * factor, high * factor];
}

function overlaps(a: Span, b: Span): boolean {
  return a[0] <= b[1] + resolutionMs && b[0] <= a[1] + resolutionMs;
}

function middle([low, high]: Span): number {
  return (low + high) / 2;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

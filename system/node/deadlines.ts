import type { Clock, Timer } from '../ports.ts';

/** How late a deadline may be noticed. */
const granularityMs = 20;

/** Something that waits and must not wait for ever. */
export abstract class Waiting {
  /** Monotonic. */
  readonly deadlineMs: number;
  #bucket: Bucket | undefined;
  #before: Waiting | undefined;
  #after: Waiting | undefined;

  constructor(deadlineMs: number) {
    this.deadlineMs = deadlineMs;
  }

  /** Called at most once, and only while it waits. */
  abstract expire(): void;

  /** It has its answer: from here on nothing here refers to it, so that the garbage collector has it while it is young. */
  leave(): void {
    const bucket = this.#bucket;
    if (bucket === undefined) return;
    if (this.#before === undefined) bucket.first = this.#after;
    else this.#before.#after = this.#after;
    if (this.#after === undefined) bucket.last = this.#before;
    else this.#after.#before = this.#before;
    this.#bucket = undefined;
    this.#before = undefined;
    this.#after = undefined;
    if (bucket.first === undefined) bucket.among.delete(bucket.number);
  }

  /** For `Deadlines`: takes its place at the end of a bucket. */
  enter(bucket: Bucket): void {
    this.#bucket = bucket;
    this.#before = bucket.last;
    if (bucket.last === undefined) bucket.first = this;
    else bucket.last.#after = this;
    bucket.last = this;
  }
}

/** Those whose deadlines are noticed together, in the order in which they came. */
interface Bucket {
  readonly number: number;
  /** Where it is while anybody is in it. */
  readonly among: Map<number, Bucket>;
  first: Waiting | undefined;
  last: Waiting | undefined;
}

/**
 * Ends waits at their deadlines: buckets of 20 ms and one timer for the earliest, since a timer for each of many
 * thousand requests a second would cost more than the requests.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Bucket>();
  #timer: Timer | undefined;
  #timerBucket = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(waiting: Waiting): void {
    const number = Math.ceil(waiting.deadlineMs / granularityMs);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = { number, among: this.#buckets, first: undefined, last: undefined };
      this.#buckets.set(number, bucket);
    }
    waiting.enter(bucket);
    if (number < this.#timerBucket) this.#arm(number);
  }

  close(): void {
    this.#timer?.cancel();
    this.#buckets.clear();
    this.#timerBucket = Number.NEGATIVE_INFINITY;
  }

  #arm(bucket: number): void {
    this.#timer?.cancel();
    this.#timerBucket = bucket;
    const delayMs = Math.max(0, bucket * granularityMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(delayMs, () => this.#expire());
  }

  #expire(): void {
    const now = Math.floor(this.#clock.monotonicMs() / granularityMs);
    this.#timerBucket = Number.POSITIVE_INFINITY;
    const due: number[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const bucket of this.#buckets.keys()) {
      if (bucket <= now) due.push(bucket);
      else if (bucket < next) next = bucket;
    }
    due.sort((a, b) => a - b);
    for (const bucket of due) {
      const waiting = this.#buckets.get(bucket);
      for (let one = waiting?.first; one !== undefined; one = waiting?.first) {
        one.leave();
        one.expire();
      }
    }
    if (next < this.#timerBucket) this.#arm(next);
  }
}

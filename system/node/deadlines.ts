import type { Clock, Timer } from '../ports.ts';

/** How late a deadline may be noticed. */
const granularityMs = 20;

/** Something that waits and must not wait for ever. */
export interface Waiting {
  /** Monotonic. */
  readonly deadlineMs: number;
  /** Called at most once, never after it was answered. */
  expire(): void;
  readonly isDone: boolean;
}

/**
 * Ends waits at their deadlines: buckets of 20 ms and one timer for the earliest, since a timer for each of many
 * thousand requests a second would cost more than the requests.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Waiting[]>();
  #timer: Timer | undefined;
  #timerBucket = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(waiting: Waiting): void {
    const bucket = Math.ceil(waiting.deadlineMs / granularityMs);
    const others = this.#buckets.get(bucket);
    if (others === undefined) this.#buckets.set(bucket, [waiting]);
    else others.push(waiting);
    if (bucket < this.#timerBucket) this.#arm(bucket);
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
      const waiting = this.#buckets.get(bucket)!;
      this.#buckets.delete(bucket);
      for (const one of waiting) if (!one.isDone) one.expire();
    }
    if (next < this.#timerBucket) this.#arm(next);
  }
}

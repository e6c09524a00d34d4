import type { ClockFault } from '../../../nemesis/world.ts';

/** The clocks and timers as they are, before anything was bent. */
export interface TrueClock {
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: () => number;
  /** Milliseconds since any origin; never goes back. */
  readonly monotonicMs: () => number;
  readonly setTimer: (callback: () => void, delayMs: number) => TrueTimer;
}

/** A real timer that was armed; the three are those of Node's `Timeout`. */
export interface TrueTimer {
  readonly cancel: () => void;
  readonly ref: () => void;
  readonly unref: () => void;
}

/** Node keeps delays in 31 bits, and takes more for 1 ms. */
const delayMsMax = 2 ** 31 - 1;

/**
 * A node's clocks as a fault bends them. Wall time may jump and drift. Monotonic time only changes its rate, and
 * goes on from where it is: were it to jump back, every timer would freeze. Timers follow monotonic time; those that
 * are armed already are armed again when the rate changes.
 */
export class BentClock {
  readonly #real: TrueClock;
  readonly #timers = new Set<BentTimer>();
  #wallOffsetMs = 0;
  #wallRate = 1;
  #monotonicRate = 1;
  /** Real and bent monotonic time when the fault was set. */
  #realSetMs: number;
  #bentSetMs: number;

  constructor(real: TrueClock) {
    this.#real = real;
    this.#realSetMs = real.monotonicMs();
    this.#bentSetMs = this.#realSetMs;
  }

  /** Bends the clocks in this way, instead of how they were bent before. */
  set({ wallOffsetMs, wallRate, monotonicRate }: ClockFault): void {
    // One reading for both: what passed between two would be lost.
    const realMs = this.#real.monotonicMs();
    this.#bentSetMs = this.#bent(realMs);
    this.#realSetMs = realMs;
    this.#wallOffsetMs = wallOffsetMs;
    this.#wallRate = wallRate;
    if (monotonicRate === this.#monotonicRate) return;
    this.#monotonicRate = monotonicRate;
    for (const timer of this.#timers) timer.arm();
  }

  wallMs(): number {
    const sinceSetMs = this.#real.monotonicMs() - this.#realSetMs;
    return this.#real.wallMs() + this.#wallOffsetMs + (this.#wallRate - 1) * sinceSetMs;
  }

  monotonicMs(): number {
    return this.#bent(this.#real.monotonicMs());
  }

  #bent(realMs: number): number {
    return this.#bentSetMs + (realMs - this.#realSetMs) * this.#monotonicRate;
  }

  /** A timer that is not armed yet. @param repeats as `setInterval` does */
  timer(callback: () => void, delayMs: number, repeats: boolean): BentTimer {
    const timer: BentTimer = new BentTimer(callback, delayMs, repeats, {
      now: () => this.monotonicMs(),
      arm: (fire, bentDelayMs) => {
        this.#timers.add(timer);
        return this.#real.setTimer(fire, Math.min(bentDelayMs / this.#monotonicRate, delayMsMax));
      },
      idle: () => void this.#timers.delete(timer),
    });
    return timer;
  }
}

interface TimerClock {
  now(): number;
  arm(fire: () => void, bentDelayMs: number): TrueTimer;
  idle(): void;
}

/** What `setTimeout` and `setInterval` return while clocks can be bent: as Node's `Timeout`, but for its internals. */
export class BentTimer {
  readonly #callback: () => void;
  readonly #delayMs: number;
  readonly #repeats: boolean;
  readonly #clock: TimerClock;
  #armed: TrueTimer | undefined;
  #dueMs = 0;
  #keepsAlive = true;

  constructor(callback: () => void, delayMs: number, repeats: boolean, clock: TimerClock) {
    this.#callback = callback;
    this.#delayMs = delayMs >= 1 && delayMs <= delayMsMax ? Math.trunc(delayMs) : 1;
    this.#repeats = repeats;
    this.#clock = clock;
  }

  /** Starts the whole delay anew. */
  refresh(): this {
    this.#dueMs = this.#clock.now() + this.#delayMs;
    this.arm();
    return this;
  }

  /** Arms the real timer for what is left of the delay at the present rate. */
  arm(): void {
    this.#armed?.cancel();
    this.#armed = this.#clock.arm(() => this.#fire(), this.#dueMs - this.#clock.now());
    if (!this.#keepsAlive) this.#armed.unref();
  }

  close(): this {
    this.#armed?.cancel();
    this.#armed = undefined;
    this.#clock.idle();
    return this;
  }

  ref(): this {
    this.#keepsAlive = true;
    this.#armed?.ref();
    return this;
  }

  unref(): this {
    this.#keepsAlive = false;
    this.#armed?.unref();
    return this;
  }

  hasRef(): boolean {
    return this.#keepsAlive;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fire(): void {
    if (this.#repeats) this.refresh();
    else this.close();
    this.#callback();
  }
}

import { undisturbed } from '../../nemesis/disturbance.ts';
import type { Disturbance } from '../../nemesis/world.ts';

/** What was seen on a directed link since its counters were last taken: the proof that a cut cuts. */
export interface LinkCounters {
  passed: number;
  /** Delayed, lost, repeated or overtaken by a disturbance of that link. */
  disturbed: number;
  dropped: number;
}

const waitingUsMax = 2_000_000;

/** One way between two nodes: what is done to it now, and what was seen on it. */
export class SimLink {
  readonly name: string;
  isCut = false;
  disturbance: Disturbance = undisturbed;
  /** When it has carried what it was given to carry, at its rate. */
  #freeUs = 0;
  readonly counters: LinkCounters = { passed: 0, disturbed: 0, dropped: 0 };

  constructor(name: string) {
    this.name = name;
  }

  /**
   * Takes that many bytes at the rate it has. @returns how much later they are through. It has room for some seconds of
   * waiting; what comes when there is none does not wait for longer.
   */
  carryUs(bytes: number, nowUs: number): number {
    const { bytesPerS } = this.disturbance;
    if (bytesPerS === 0) return 0;
    this.#freeUs = Math.min(Math.max(this.#freeUs, nowUs) + Math.ceil((bytes * 1e6) / bytesPerS), nowUs + waitingUsMax);
    return this.#freeUs - nowUs;
  }

  forgetCounters(): void {
    this.counters.passed = 0;
    this.counters.disturbed = 0;
    this.counters.dropped = 0;
  }
}

import { undisturbed } from '../../nemesis/disturbance.ts';
import type { Disturbance } from '../../nemesis/world.ts';

/** What was seen on a directed link since its counters were last taken: the proof that a cut cuts. */
export interface LinkCounters {
  passed: number;
  /** Delayed, lost, repeated or overtaken by a disturbance of that link. */
  disturbed: number;
  dropped: number;
}

/** One way between two nodes: what is done to it now, and what was seen on it. */
export class SimLink {
  readonly name: string;
  isCut = false;
  disturbance: Disturbance = undisturbed;
  readonly counters: LinkCounters = { passed: 0, disturbed: 0, dropped: 0 };

  constructor(name: string) {
    this.name = name;
  }

  forgetCounters(): void {
    this.counters.passed = 0;
    this.counters.disturbed = 0;
    this.counters.dropped = 0;
  }
}

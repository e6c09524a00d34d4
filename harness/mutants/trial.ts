import type { Mutant } from './mutant.ts';

/** What one run of a planted system came to. */
export interface Outcome {
  readonly seed: number;
  readonly workload: string;
  /** The sections that found something, each with what it says of it. */
  readonly found: readonly { readonly section: string; readonly summary: string }[];
  /** The run's folder, where there is one. */
  readonly folder?: string | undefined;
  /** The run itself failed, and says nothing of the mutant. */
  readonly failure?: string | undefined;
}

/** A run in which something was found, how long after the first of them began. */
export interface Hit extends Outcome {
  readonly seconds: number;
}

/**
 * How a system is run.
 * - `as-it-runs`: as anybody would; an assertion ends its node, and the simulator looks at every step.
 * - `assertions-recorded`: in simulation only; broken assertions and steps are put on record and all goes on
 *   (`sim --on-violation record`), so that what is found is found by the checkers, in the history and the audits.
 */
export type Mode = 'as-it-runs' | 'assertions-recorded';

/** Who must have found it for it to be found: the section of the mutant's row, or whichever. */
export type Until = 'row' | 'any';

/** Run after run of one system, until it is found, or the time was over. */
export interface Trial {
  readonly mode: Mode;
  readonly runs: number;
  readonly seconds: number;
  /** Runs in which any section found something. */
  readonly hits: number;
  /** Runs in which the section of the mutant's row did. */
  readonly rowHits: number;
  /** Runs in which each section found something. */
  readonly bySection: { readonly [section: string]: number };
  readonly first: Hit | undefined;
  readonly firstByRow: Hit | undefined;
  readonly failures: readonly Outcome[];
}

/** Adds runs up to a trial. */
export class TrialTally {
  readonly #mode: Mode;
  readonly #until: Until;
  readonly #seenBy: Mutant['seenBy'];
  readonly #bySection = new Map<string, number>();
  readonly #began = performance.now();
  readonly #failures: Outcome[] = [];
  #runs = 0;
  #hits = 0;
  #rowHits = 0;
  #first: Hit | undefined;
  #firstByRow: Hit | undefined;

  /** @param mutant undefined for the unmutated system, in which nothing is to be found */
  constructor(mode: Mode, mutant: Mutant | undefined, until: Until = 'row') {
    this.#mode = mode;
    this.#until = until;
    this.#seenBy = mutant?.seenBy ?? [];
  }

  /** @returns whether it is found */
  add(outcome: Outcome): boolean {
    this.#runs++;
    if (outcome.failure !== undefined) this.#failures.push(outcome);
    if (outcome.found.length > 0) {
      const hit = { ...outcome, seconds: this.#seconds() };
      this.#hits++;
      for (const { section } of outcome.found) this.#bySection.set(section, (this.#bySection.get(section) ?? 0) + 1);
      this.#first ??= hit;
      if (outcome.found.some(({ section }) => isAmong(section, this.#seenBy))) {
        this.#rowHits++;
        this.#firstByRow ??= hit;
      }
    }
    return (this.#until === 'row' ? this.#firstByRow : this.#first) !== undefined;
  }

  trial(): Trial {
    return {
      mode: this.#mode,
      runs: this.#runs,
      seconds: this.#seconds(),
      hits: this.#hits,
      rowHits: this.#rowHits,
      bySection: Object.fromEntries(this.#bySection),
      first: this.#first,
      firstByRow: this.#firstByRow,
      failures: this.#failures,
    };
  }

  #seconds(): number {
    return Math.round((performance.now() - this.#began) / 100) / 10;
  }
}

/** Is it one of the sections that must find the mutant? */
export function isAmong(section: string, seenBy: readonly string[]): boolean {
  return seenBy.includes(section);
}

/** Mostly the two that see most of a log, and now and then what only other operations show. */
const workloads = ['register', 'append', 'register', 'append', 'register', 'append', 'mixed', 'append'] as const;

/**
 * What clients do in the run with this seed: the same for every mutant, so that none gets the workload that suits it.
 */
export function workloadOf(seed: number): string {
  return workloads[(seed - 1) % workloads.length] ?? workloads[0];
}

/** Is what is done to real processes in the run with this seed the default kinds, or a swarm? Half of each, with either workload. */
export function isSwarm(seed: number): boolean {
  return seed % 4 === 2 || seed % 4 === 3;
}

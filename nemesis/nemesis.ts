import { type Random, shuffledRounds } from './choice.ts';
import { trueClock } from './clock.ts';
import { Composition } from './composition.ts';
import { undisturbed } from './disturbance.ts';
import { attempt, type Chosen, type FaultKind, type NodeEffect, onEach } from './fault-kind.ts';
import { kinds } from './kinds.ts';
import { allVote } from './membership.ts';
import { isPossible } from './reaction.ts';
import { restName, type ScriptedFault } from './script.ts';
import type { FaultRecord, World } from './world.ts';

export interface NemesisOptions {
  readonly world: World;
  /** One after another; the last goes on until the nemesis is stopped. */
  readonly phases: readonly NemesisPhase[];
  /** Exactly these faults and rests, each at its own time, instead of drawn ones. */
  readonly script?: readonly ScriptedFault[] | undefined;
  /** A seeded integer in [0, bound). */
  readonly random: Random;
  /** Nanoseconds since the start of the run. */
  readonly now: () => number;
  readonly record: (fault: FaultRecord) => void;
  /**
   * How many operations have succeeded so far. With it no drawn fault begins before one did since the last fault's end:
   * what hits a store that has not come back from the last one shows nothing of either. Bounded by `recoveryMaxMs`.
   */
  readonly succeeded?: () => number;
  /**
   * Between two phases, when all is healed: the next one begins when it resolves.
   * @param isOver asked whether to give up, since the nemesis is to stop
   */
  readonly rest?: ((isOver: () => boolean) => Promise<void>) | undefined;
}

export interface NemesisPhase {
  /** Names from the table of kinds: `partition`, `pause`, `kill`, `clock`. */
  readonly kinds: readonly string[];
  /** From the start of one fault to the start of the next, on average. */
  readonly intervalMs: number;
  /** How long a fault lasts, in intervals: one of these. One that lasts for more than an interval overlaps the next. */
  readonly durations?: readonly number[] | undefined;
  /** Faults that are still on then end. */
  readonly lengthMs?: number | undefined;
}

/** How long a store may take to come back from a fault before the next one begins all the same. */
const recoveryMaxMs = 10_000;
const lookEveryMs = 20;

export interface Nemesis {
  /**
   * Ends the faults that are on, heals everything, and resolves when the world has done so. Calling it again waits
   * for the same end.
   */
  stop(): Promise<void>;
  /** What is being done at this moment, not yet on record: for a run that ends in the middle of it. */
  unfinished(): readonly FaultRecord[];
}

/**
 * Begins one fault after another until it is stopped or the world's time ends: kinds in shuffled rounds, and the
 * variants of each kind in shuffled rounds of their own. Some faults end before the next begins, others are still on
 * then, unless the two take hold of the same thing. The first fault starts half an interval in. Whom a fault
 * hits depends on the seed, and for `primaries` on who leads then. Has no time of its own: it waits on the world.
 * @throws RangeError for an unknown kind
 */
export function startNemesis(options: NemesisOptions): Nemesis {
  const loop = new NemesisLoop(options);
  const finished = loop.run();
  finished.catch(() => {}); // `stop` tells.
  let stopped: Promise<void> | undefined;
  return {
    unfinished: () => [...loop.unfinished],
    stop() {
      stopped ??= loop.stop(finished);
      return stopped;
    },
  };
}

/** As many that overlap as ones that do not. */
const usualDurations = [1.5, 0.5] as const;

class NemesisLoop {
  readonly #options: NemesisOptions;
  readonly #draws: ReadonlyMap<string, Draw>;
  readonly #stopAsked: Promise<void>;
  #askStop: () => void = () => {};
  #stopping = false;
  readonly #composition: Composition;
  /** That have begun and not ended. */
  readonly #active = new Set<Active>();
  #lastId = 0;
  /** When the last fault ended. */
  #succeededBefore = 0;
  readonly unfinished = new Set<FaultRecord>();

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#composition = new Composition(options.world);
    const kinds = new Set(options.phases.flatMap((phase) => phase.kinds));
    this.#draws = new Map([...kinds].map((name) => [name, draw(name, options.random)]));
    this.#stopAsked = new Promise((resolve) => {
      this.#askStop = resolve;
    });
  }

  async run(): Promise<void> {
    const { script } = this.#options;
    try {
      await (script === undefined ? this.#allDrawn() : this.#scripted(script));
      await this.#endOf(() => true);
    } catch (error) {
      // In the middle of a fault, which stays unfinished on record.
      if (!isEndOfRun(error)) throw error;
    }
  }

  async #scripted(script: readonly ScriptedFault[]): Promise<void> {
    for (const { kind: name, variant, chosen, startNs, endNs } of script) {
      if (name === restName) {
        if (!(await this.#sleepUntil(startNs / 1e6))) return;
        await this.#rest();
        continue;
      }
      const kind = kinds[name];
      if (kind === undefined) throw new RangeError(`there is no fault kind ${JSON.stringify(name)}`);
      if (!(await this.#sleepUntil(startNs / 1e6))) return;
      // What ends at this very moment has ended first: it may be what this one waited for when it was drawn.
      await this.#endOf(({ dueMs }) => dueMs <= this.#nowMs());
      await this.#begin({ name, kind, variant, chosen, endMs: () => endNs / 1e6 });
    }
  }

  async #allDrawn(): Promise<void> {
    const { phases } = this.#options;
    for (const [at, phase] of phases.entries()) {
      await this.#drawn(phase, at === phases.length - 1);
      if (this.#stopping) return;
      await this.#rest();
    }
  }

  /** Begins faults until the phase is over; one that is drawn then ends at once. */
  async #drawn({ kinds, intervalMs, durations = usualDurations, lengthMs = 0 }: NemesisPhase, isLast: boolean) {
    const { random } = this.#options;
    const untilMs = isLast ? Number.POSITIVE_INFINITY : this.#nowMs() + lengthMs;
    const draws = shuffledRounds(
      kinds.map((name) => this.#draws.get(name)!),
      random,
    );
    let dueMs = this.#nowMs() + intervalMs / 2;
    while (await this.#sleepUntil(Math.min(untilMs, dueMs + this.#jitter(intervalMs)))) {
      if (this.#nowMs() >= untilMs) return;
      const duration = durations[random(durations.length)] ?? 1;
      const lastsMs = duration * intervalMs + this.#jitter(intervalMs);
      await this.#oneFault(draws, () => Math.min(untilMs, this.#nowMs() + lastsMs));
      if (duration < 1) await this.#endOf(() => true);
      // A fault that took long moves the later ones: after one that does not overlap there is always some quiet.
      dueMs = Math.max(dueMs + intervalMs, this.#nowMs() + intervalMs / 4);
    }
  }

  /** All is whole for a while. */
  async #rest(): Promise<void> {
    await this.#endOf(() => true);
    const id = ++this.#lastId;
    const { nodes } = this.#options.world;
    const fault = { kind: restName, variant: 'all', id, nodes };
    await this.#record({ ...fault, phase: 'start' }, () => this.#heal());
    await this.#record({ ...fault, phase: 'end' }, async () => {
      await this.#options.rest?.(() => this.#stopping);
      return [];
    });
    this.#succeededBefore = this.#options.succeeded?.() ?? 0;
  }

  async stop(finished: Promise<void>): Promise<void> {
    this.#stopping = true;
    this.#askStop();
    await finished;
    await this.#repair('heal', () => this.#heal());
  }

  async #heal(): Promise<readonly NodeEffect[]> {
    const { world } = this.#options;
    return [
      await attempt(() => world.cut([])),
      ...(world.disturb === undefined ? [] : [await attempt(async () => world.disturb!([], undisturbed))]),
      ...(await onEach(world.nodes, (node) => world.resume(node))),
      ...(world.setDisk === undefined
        ? []
        : await onEach(world.nodes, async (node) => world.setDisk!(node, undefined))),
      ...(world.starve === undefined ? [] : await onEach(world.nodes, async (node) => world.starve!(node, undefined))),
      ...(await onEach(world.nodes, (node) => world.start(node))),
      ...(await onEach(world.nodes, (node) => world.setClock(node, trueClock))),
      ...(world.setVoters === undefined ? [] : await allVote(world, world.addMember === undefined ? [] : world.nodes)),
    ];
  }

  /** @param endMs asked when it has begun */
  async #oneFault(draws: Iterator<Draw, never>, endMs: () => number): Promise<void> {
    const { world, random } = this.#options;
    const { name, kind, variants } = draws.next().value;
    await this.#endOf(
      ({ kind: other }) => kind.domain === undefined || other.domain === undefined || other.domain === kind.domain,
    );
    await this.#recovered();
    if (this.#stopping) return;
    const primaries = await world.primaries();
    let impossible: Performed | undefined;
    for (let attempt = 0; attempt < Object.keys(kind.variants).length; attempt++) {
      const variant = variants.next().value;
      const chosen = kind.variants[variant]?.({ nodes: world.nodes, primaries, random });
      // The cluster is too small for it.
      if (chosen === undefined) continue;
      const performed = { name, kind, variant, chosen, endMs };
      if (isPossible(world, chosen)) return this.#begin(performed);
      impossible ??= performed;
    }
    // The world can do none of the kind: that shows.
    if (impossible !== undefined) await this.#begin(impossible);
  }

  /** Resolves when it has begun; it ends by itself. @param endMs asked when it has begun */
  async #begin({ name, kind, variant, chosen, endMs }: Performed): Promise<void> {
    const id = ++this.#lastId;
    const world = this.#composition.viewOf(id);
    const fault = { kind: name, variant, id, ...chosen };
    await this.#record({ ...fault, phase: 'start' }, () => kind.start(world, chosen));
    const dueMs = endMs();
    const end = async (): Promise<void> => {
      await this.#sleepUntil(dueMs);
      await this.#record({ ...fault, phase: 'end' }, () => kind.end(world, chosen));
      // A node that ended by itself, which is on record elsewhere, is not to be missing for the rest of the run.
      await this.#repair('restart', () => onEach(world.nodes, (node) => world.start(node)));
      this.#succeededBefore = this.#options.succeeded?.() ?? 0;
      this.#active.delete(active);
    };
    const active: Active = { kind, dueMs, ended: end() };
    active.ended.catch(() => {}); // Whoever waits for its end is told.
    this.#active.add(active);
  }

  /** See `succeeded`. */
  async #recovered(): Promise<void> {
    const { succeeded } = this.#options;
    if (succeeded === undefined) return;
    const untilMs = this.#nowMs() + recoveryMaxMs;
    while (succeeded() === this.#succeededBefore && this.#nowMs() < untilMs) {
      if (!(await this.#sleepUntil(this.#nowMs() + lookEveryMs))) return;
    }
  }

  /** Waits for the ends of all that are on and match. */
  async #endOf(matches: (active: Active) => boolean): Promise<void> {
    await Promise.all([...this.#active].map((active) => (matches(active) ? active.ended : undefined)));
  }

  /** Puts right what no fault's end did; on record only when there was something. */
  async #repair(kind: string, act: () => Promise<readonly NodeEffect[]>): Promise<void> {
    const time = this.#options.now();
    const effects = (await act()).filter(({ effect }) => effect !== 'moot');
    if (effects.length === 0) return;
    const nodes = effects.flatMap(({ node }) => (node === undefined ? [] : [node]));
    const fault = { kind, variant: 'all', id: ++this.#lastId, phase: 'end', nodes } as const;
    this.#options.record({ ...fault, time, doneTime: this.#options.now(), effects });
  }

  async #record(
    fault: Omit<FaultRecord, 'time' | 'doneTime' | 'effects'>,
    act: () => Promise<readonly NodeEffect[]>,
  ): Promise<void> {
    const time = this.#options.now();
    const unfinished = { ...fault, time, doneTime: time, effects: [] };
    this.unfinished.add(unfinished);
    const effects = await attemptAll(act);
    this.unfinished.delete(unfinished);
    this.#options.record({ ...fault, time, doneTime: this.#options.now(), effects });
  }

  /** @returns false when it is time to stop */
  async #sleepUntil(ms: number): Promise<boolean> {
    const leftMs = ms - this.#nowMs();
    if (this.#stopping) return false;
    if (leftMs <= 0) return true;
    try {
      await Promise.race([this.#options.world.sleep(leftMs), this.#stopAsked]);
    } catch (error) {
      if (isEndOfRun(error)) return false;
      throw error;
    }
    return !this.#stopping;
  }

  #nowMs(): number {
    return this.#options.now() / 1e6;
  }

  /** Up to a tenth of an interval either way. */
  #jitter(intervalMs: number): number {
    const rangeMs = Math.floor(intervalMs / 10);
    return this.#options.random(2 * rangeMs + 1) - rangeMs;
  }
}

/** A fault that fails as a whole has not been done; only the end of the run ends the nemesis, too. */
async function attemptAll(act: () => Promise<readonly NodeEffect[]>): Promise<readonly NodeEffect[]> {
  try {
    return await act();
  } catch (error) {
    if (isEndOfRun(error)) throw error;
    return [await attempt(() => Promise.reject(error))];
  }
}

function isEndOfRun(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

interface Active {
  readonly kind: FaultKind;
  /** When it is to end. */
  readonly dueMs: number;
  readonly ended: Promise<void>;
}

interface Performed {
  readonly name: string;
  readonly kind: FaultKind;
  readonly variant: string;
  readonly chosen: Chosen;
  readonly endMs: () => number;
}

interface Draw {
  readonly name: string;
  readonly kind: FaultKind;
  readonly variants: Iterator<string, never>;
}

function draw(name: string, random: Random): Draw {
  const kind = kinds[name];
  if (kind === undefined) throw new RangeError(`there is no fault kind ${JSON.stringify(name)}`);
  return { name, kind, variants: shuffledRounds(Object.keys(kind.variants), random) };
}

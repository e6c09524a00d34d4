import type { ScriptedFault } from '../../nemesis/script.ts';
import type { ScriptedOp } from '../generator/scripted.ts';
import { calm, type SimulationPlan } from './plan.ts';
import { asScript, type ScriptedPlan, subsets, window, withFaults, withNodes, withOperations } from './plan-edits.ts';
import { foundAnomalies } from './signature.ts';
import type { Simulated } from './simulation.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface ShrinkOptions {
  readonly pool: WorkerPool;
  readonly plan: SimulationPlan;
  /** What the plan came to. */
  readonly ran: Simulated;
  /** What must stay, `section:kind`. */
  readonly wanted: string;
  /** Tries nothing further. */
  readonly signal: AbortSignal;
  readonly onSmaller: (plan: ScriptedPlan, tried: number) => void;
}

export interface Shrunk {
  /** The smallest that was found; undefined when not even the script of the whole run showed the anomaly. */
  readonly plan: ScriptedPlan | undefined;
  /** Plans that were simulated. */
  readonly tried: number;
}

/** Lengths of history before the anomaly that are tried, the shortest first. */
const windowsMs = [500, 1000, 2000, 4000, 8000, 16_000, 32_000];
/** How long it goes on after the anomaly's last operation: what was lost must be seen to be lost. */
const tailsMs = [50, 1500, 5000];
/** When a window's operations begin: a first leader is elected by then. */
const leadMs = 1500;
/**
 * How many seeds a candidate is given. With the script fixed the seed only decides the timing of network, disks and
 * elections; where less happens that timing is another, and the anomaly may need a few throws to show again. More
 * of them are worth their time when few get no further.
 */
const seedsRising = [2, 8];
/** So many pieces of what there is are each tried alone before any is left out. */
const piecesAtFirst = 4;
/** For anomalies that have nothing to do with it. */
const convergeSoonMs = 5000;

/** A part of the script that can be made smaller. */
interface Part<T> {
  readonly of: (plan: ScriptedPlan) => readonly T[];
  readonly put: (plan: ScriptedPlan, items: readonly T[]) => ScriptedPlan;
}

const faultsOf: Part<ScriptedFault> = { of: ({ script }) => script.faults, put: withFaults };
const operationsOf: Part<ScriptedOp> = { of: ({ script }) => script.operations, put: withOperations };

/**
 * Makes a failing run smaller while the same anomaly stays: less time, fewer faults, nodes, keys, clients and
 * operations; delta debugging (Zeller and Hildebrandt 2002), each candidate judged by running it.
 */
export async function shrink(options: ShrinkOptions): Promise<Shrunk> {
  const search = new Search(options);
  await search.run();
  return { plan: search.best, tried: search.tried };
}

class Search {
  best: ScriptedPlan | undefined;
  tried = 0;
  readonly #options: ShrinkOptions;
  /** When the best plan's anomaly is complete, in its own time. */
  #anomalyMs = 0;
  #seeds = 1;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    const { ran, wanted } = options;
    const found = foundAnomalies(ran.results, ran.history, ran.virtualMs);
    this.#anomalyMs = found.find(({ name }) => name === wanted)?.atMs ?? ran.virtualMs;
  }

  async run(): Promise<void> {
    const { plan, ran, wanted } = this.#options;
    // Waiting long for a cluster to come together tells nothing of what went wrong before.
    const convergeMaxMs = wanted.startsWith('liveness:') ? plan.convergeMaxMs : convergeSoonMs;
    const whole = { ...asScript(plan, ran.history, ran.faults), convergeMaxMs };
    await this.#firstOf(this.#windows(whole));
    if (this.best === undefined) await this.#firstOf([whole]);
    if (this.best === undefined) return;
    for (const seeds of seedsRising) {
      this.#seeds = seeds;
      for (let before = -1; before !== this.#size() && !this.#options.signal.aborted; ) {
        before = this.#size();
        await this.#lessTime();
        await this.#fewer(faultsOf);
        await this.#oneKey();
        await this.#fewerNodes();
        await this.#fewer(operationsOf);
        await this.#calmer();
      }
    }
  }

  #size(): number {
    const { operations = [], faults = [] } = this.best?.script ?? {};
    return operations.length + faults.length + (this.best?.nodes ?? 0);
  }

  async #lessTime(): Promise<void> {
    const { best } = this;
    if (best === undefined) return;
    await this.#firstOf(this.#windows(best).filter(({ timeLimitMs }) => timeLimitMs < best.timeLimitMs));
  }

  /** Only what leads up to the anomaly, the shortest first. */
  #windows(plan: ScriptedPlan): readonly ScriptedPlan[] {
    const end = this.#anomalyMs;
    // A window is no gain unless it is shorter than what comes before the anomaly now.
    const short = windowsMs.filter((length) => length + leadMs < end);
    return [...short, end].flatMap((length) =>
      tailsMs.map((tail) =>
        window(plan, end - length, Math.min(end + tail, plan.timeLimitMs), length < end ? leadMs : 0),
      ),
    );
  }

  async #fewerNodes(): Promise<void> {
    const { best } = this;
    if (best === undefined) return;
    const nodes = Array.from({ length: best.nodes }, (_, at) => String(at + 1));
    const sizes = [3].filter((size) => size < best.nodes);
    const candidates = sizes.flatMap((size) => subsets(nodes, size).map((kept) => withNodes(best, kept)));
    await this.#firstOf(candidates);
  }

  /** Network and disks that do nothing by chance make a shorter story. */
  async #calmer(): Promise<void> {
    const { best } = this;
    if (best === undefined || (best.network === calm.network && best.disk === calm.disk)) return;
    await this.#firstOf([
      { ...best, ...calm },
      { ...best, network: calm.network },
    ]);
  }

  async #oneKey(): Promise<void> {
    const { best } = this;
    if (best === undefined) return;
    const { operations } = best.script;
    const keys = [...new Set(operations.map(({ key }) => JSON.stringify(key)))];
    if (keys.length < 2) return;
    const candidates = keys.map((only) =>
      withOperations(
        best,
        operations.filter(({ key }) => JSON.stringify(key) === only),
      ),
    );
    await this.#firstOf(candidates);
  }

  /**
   * Delta debugging: nothing at all, then only one of a few pieces, then all but a half, a quarter, … down to all but
   * one, until nothing can be spared.
   */
  async #fewer<T>({ of, put }: Part<T>): Promise<void> {
    if (this.best === undefined || of(this.best).length === 0) return;
    const start: ScriptedPlan = this.best;
    if (await this.#firstOf([put(start, [])])) return;
    while (of(this.best).length > piecesAtFirst) {
      const plan: ScriptedPlan = this.best;
      const items = of(plan);
      const length = Math.ceil(items.length / piecesAtFirst);
      const pieces = Array.from({ length: piecesAtFirst }, (_, piece) =>
        items.slice(piece * length, (piece + 1) * length),
      );
      if (!(await this.#firstOf(pieces.map((piece) => put(plan, piece))))) break;
    }
    // From the end: what comes last is what the anomaly needs least, or is the anomaly.
    for (let length = Math.ceil(of(this.best).length / 2); length >= 1; length = Math.floor(length / 2)) {
      for (let end = of(this.best).length; end > 0 && !this.#options.signal.aborted; ) {
        const plan: ScriptedPlan = this.best;
        const items = of(plan);
        // As many pieces as there are threads, side by side; the first that can be spared is left out.
        const ends = Array.from({ length: this.#options.pool.size }, (_, piece) => end - piece * length);
        const pieces = ends.filter((to) => to > 0);
        const candidates = pieces.map((to) =>
          put(plan, items.toSpliced(Math.max(0, to - length), Math.min(length, to))),
        );
        const spared = await this.#firstOf(candidates);
        end = spared ? Math.min(end, of(this.best).length) : end - length * pieces.length;
      }
    }
  }

  /**
   * Takes the first candidate that shows the anomaly, under its own seed or one of the next.
   * @returns whether there was one
   */
  async #firstOf(candidates: readonly ScriptedPlan[]): Promise<boolean> {
    const { pool, signal, wanted } = this.#options;
    const throws = candidates.flatMap((plan) =>
      Array.from({ length: this.#seeds }, (_, more) => ({ ...plan, seed: (plan.seed + more) % 2 ** 32 })),
    );
    for (let at = 0; at < throws.length && !signal.aborted; at += pool.size) {
      const batch = throws.slice(at, at + pool.size);
      const outcomes = await Promise.all(batch.map((plan) => pool.run(plan)));
      this.tried += batch.length;
      const found = outcomes.findIndex(({ anomalies }) => anomalies.some(({ name }) => name === wanted));
      const plan = batch[found];
      if (plan === undefined) continue;
      this.best = plan;
      this.#anomalyMs = outcomes[found]?.anomalies.find(({ name }) => name === wanted)?.atMs ?? plan.timeLimitMs;
      this.#options.onSmaller(plan, this.tried);
      return true;
    }
    return false;
  }
}

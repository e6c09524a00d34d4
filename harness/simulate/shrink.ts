import type { SimulationPlan } from './plan.ts';
import { asScript, type ScriptedPlan, subsets, window, withFaults, withNodes, withOperations } from './plan-edits.ts';
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
  }

  async run(): Promise<void> {
    const { plan, ran } = this.#options;
    const whole = asScript(plan, ran.history, ran.faults);
    await this.#firstOf([whole]);
    if (this.best === undefined) return;
    for (const seeds of seedsRising) {
      this.#seeds = seeds;
      for (let before = -1; before !== this.#size() && !this.#options.signal.aborted; ) {
        before = this.#size();
        await this.#lessTime();
        await this.#fewerFaults();
        await this.#fewerNodes();
        await this.#oneKey();
        await this.#fewerOperations();
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
    const end = this.#anomalyMs;
    // A window is no gain unless it is shorter than what comes before the anomaly now.
    const short = windowsMs.filter((length) => length + leadMs < end);
    const candidates = [...short, end].flatMap((length) =>
      tailsMs.map((tail) =>
        window(best, end - length, Math.min(end + tail, best.timeLimitMs), length < end ? leadMs : 0),
      ),
    );
    const shorter = candidates.filter(({ timeLimitMs }) => timeLimitMs < best.timeLimitMs);
    await this.#firstOf(shorter);
  }

  async #fewerFaults(): Promise<void> {
    const { best } = this;
    if (best === undefined) return;
    const { faults } = best.script;
    const few = faults.length === 0 ? [] : [withFaults(best, [])];
    const alone = faults.length > 1 ? faults.map((fault) => withFaults(best, [fault])) : [];
    if (await this.#firstOf([...few, ...alone])) return;
    for (let at = faults.length - 1; at >= 0; at--) {
      const now: ScriptedPlan = this.best ?? best;
      await this.#firstOf([withFaults(now, now.script.faults.toSpliced(at, 1))]);
    }
  }

  async #fewerNodes(): Promise<void> {
    const { best } = this;
    if (best === undefined) return;
    const nodes = Array.from({ length: best.nodes }, (_, at) => String(at + 1));
    const sizes = [3].filter((size) => size < best.nodes);
    const candidates = sizes.flatMap((size) => subsets(nodes, size).map((kept) => withNodes(best, kept)));
    await this.#firstOf(candidates);
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

  /** Leaves out halves, quarters, … down to single operations. */
  async #fewerOperations(): Promise<void> {
    const { best } = this;
    if (best === undefined) return;
    for (let length = Math.ceil(best.script.operations.length / 2); length >= 1; length = Math.floor(length / 2)) {
      let at = 0;
      for (;;) {
        const now: ScriptedPlan = this.best ?? best;
        const { operations } = now.script;
        if (at >= operations.length || this.#options.signal.aborted) break;
        // As many pieces as there are threads, side by side; the first that can be spared is left out.
        const starts = Array.from({ length: this.#options.pool.size }, (_, piece) => at + piece * length);
        const pieces = starts.filter((start) => start < operations.length);
        const candidates = pieces.map((start) => withOperations(now, operations.toSpliced(start, length)));
        if (!(await this.#firstOf(candidates))) at += length * pieces.length;
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

import { Worker } from 'node:worker_threads';
import { invariant } from '../invariant.ts';
import type { SimulationPlan } from './plan.ts';
import type { Outcome } from './worker.ts';

/** Events live for milliseconds of virtual time: the more of it fits, the fewer of them the collector copies. */
const youngGenerationMb = 96;

interface Task {
  readonly plan: SimulationPlan;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Threads that simulate plans, one at a time each. What waits is bounded by whoever asks. */
export class WorkerPool {
  readonly size: number;
  readonly #systemFolder: string;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Task>();
  readonly #waiting: Task[] = [];

  /** @param systemFolder the compiled system that they load */
  constructor(systemFolder: string, size: number) {
    this.#systemFolder = systemFolder;
    this.size = size;
  }

  /** @throws what its thread died of, with the seed that it was at */
  run(plan: SimulationPlan): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ plan, resolve, reject });
      this.#next();
    });
  }

  /** Ends all threads; what they were at is never told. */
  async close(): Promise<void> {
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()];
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#busy.size < this.size ? this.#spawn() : undefined);
    if (worker === undefined) return;
    const task = this.#waiting.shift();
    invariant(task !== undefined, 'somebody waits');
    this.#busy.set(worker, task);
    worker.postMessage(task.plan);
  }

  #spawn(): Worker {
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: this.#systemFolder,
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
    });
    worker.on('message', (outcome: Outcome) => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      this.#idle.push(worker);
      task?.resolve(outcome);
      this.#next();
    });
    worker.on('error', (error) => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      task?.reject(new Error(`seed ${task.plan.seed}: ${error.message}`, { cause: error }));
    });
    return worker;
  }
}

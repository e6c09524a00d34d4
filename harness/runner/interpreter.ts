import type { NodeId } from '../../nemesis/world.ts';
import type { Context, Event, Generator, Invocation, Thread } from '../generator/generator.ts';
import type { Random } from '../generator/random.ts';
import { invariant } from '../invariant.ts';
import type { Client, Outcome } from '../target/target.ts';
import type { Alarm, RunClock } from './clock.ts';
import type { Recorder } from './recorder.ts';

export interface InterpreterOptions {
  readonly generator: Generator;
  /** How many client threads. */
  readonly threads: number;
  /** The first thread begins as this process, the next as one more, …; none of them was used before. */
  readonly processFirst: number;
  readonly nodes: readonly NodeId[];
  /** A new process's way to its node. */
  readonly open: (node: NodeId) => Client;
  readonly clock: RunClock;
  readonly random: Random;
  readonly recorder: Recorder;
}

/** A generator being carried out. */
export interface Interpretation {
  /** Resolves when the generator is exhausted, or after `stop`, and nothing is under way any more. */
  readonly done: Promise<Interpreted>;
  /** Begins nothing new. */
  stop(): void;
}

interface Interpreted {
  /** A process number that has not been used yet, and no higher one. */
  readonly processNext: number;
  /** How late operations began, against the time that the generator meant: what latency from `invoke` leaves out. */
  readonly lateness: Lateness;
}

interface Lateness {
  readonly operations: number;
  /** More than 10 ms late. */
  readonly late: number;
  readonly maxNs: number;
  readonly sumNs: number;
}

const lateNs = 10_000_000;

/** A thread is, from one uncertain operation to the next, one process with one client. */
interface Worker {
  readonly thread: number;
  process: number;
  client: Client | undefined;
  /** What it is doing. */
  current: Invocation | undefined;
}

/**
 * Carries out a generator, as Jepsen's interpreter: each thread does one operation at a time through a client of
 * its own; thread t talks to node t modulo the number of nodes; after an operation of uncertain outcome its process
 * is never used again, and the thread goes on as process + number of threads. Driven by completions and the clock's
 * alarms alone.
 */
export function interpret(options: InterpreterOptions): Interpretation {
  const run = new Run(options);
  return { done: run.done, stop: () => run.stop() };
}

class Run {
  readonly done: Promise<Interpreted>;
  readonly #options: InterpreterOptions;
  readonly #workers: readonly Worker[];
  readonly #threads: readonly Thread[];
  readonly #processOf = (thread: Thread) => (typeof thread === 'number' ? this.#workers[thread]!.process : thread);
  readonly #finish: (result: Interpreted) => void;
  readonly #abort: (error: unknown) => void;
  #generator: Generator;
  #busy = 0;
  #alarm: Alarm | undefined;
  #over = false;
  #settled = false;
  #operations = 0;
  #lateness = { operations: 0, late: 0, maxNs: 0, sumNs: 0 };

  constructor(options: InterpreterOptions) {
    this.#options = options;
    this.#generator = options.generator;
    this.#workers = Array.from({ length: options.threads }, (_, thread) => ({
      thread,
      process: options.processFirst + thread,
      client: undefined,
      current: undefined,
    }));
    this.#threads = this.#workers.map(({ thread }) => thread);
    let finish!: (result: Interpreted) => void;
    let abort!: (error: unknown) => void;
    this.done = new Promise((resolve, reject) => {
      finish = resolve;
      abort = reject;
    });
    this.#finish = finish;
    this.#abort = abort;
    this.#wake(0);
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#endIfIdle();
  }

  /** Begins what is due. */
  #pump(): void {
    this.#guard(() => {
      while (!this.#over && this.#next());
      this.#endIfIdle();
    });
  }

  /** A mistake in a generator, or a history that cannot be written, ends the run with the error. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#over = true;
      this.#settle(() => this.#abort(error));
    }
  }

  /** Asks the generator once; true when it should be asked again at once. */
  #next(): boolean {
    const now = this.#options.clock.nowNs();
    const step = this.#generator.op(this.#context(now));
    switch (step.kind) {
      case 'exhausted':
        this.#over = true;
        return false;
      case 'pending':
        this.#generator = step.next;
        invariant(this.#busy > 0 || step.at !== undefined, 'a generator waits for nothing', { now });
        if (step.at !== undefined) this.#wake(step.at - now);
        return false;
      case 'op':
        if (step.op.time > now) {
          this.#wake(Math.min(step.op.time, step.at ?? step.op.time) - now);
          return false;
        }
        this.#generator = step.next;
        this.#begin(step.op, now);
        return true;
    }
  }

  #begin(op: Invocation, now: number): void {
    const { thread, process, time: meant, f, key, value } = op;
    const worker = typeof thread === 'number' ? this.#workers[thread] : undefined;
    invariant(worker !== undefined && worker.current === undefined, 'a thread that is not free', { op });
    const node = this.#options.nodes[worker.thread % this.#options.nodes.length];
    invariant(node !== undefined, 'no node to talk to');
    worker.current = op;
    worker.client ??= this.#options.open(node);
    this.#busy++;
    const late = now - meant;
    this.#lateness.operations++;
    this.#lateness.sumNs += late;
    this.#lateness.maxNs = Math.max(this.#lateness.maxNs, late);
    if (late > lateNs) this.#lateness.late++;
    const id = `${worker.process}-${this.#operations++}`;
    this.#options.recorder.record({ time: now, process: worker.process, type: 'invoke', f, key, value, op: id, node });
    this.#tell({ type: 'invoke', time: now, thread, process, f, key, value });
    let answered = false;
    worker.client.invoke({ f, key, value, op: id, process: worker.process }, (outcome) =>
      this.#guard(() => {
        invariant(!answered, 'a client answered twice', { op });
        answered = true;
        this.#end(worker, op, outcome);
      }),
    );
  }

  #end(worker: Worker, op: Invocation, outcome: Outcome): void {
    if (this.#settled) return;
    const now = this.#options.clock.nowNs();
    const { thread, process, f, key } = op;
    const { type, value = op.value, error } = outcome;
    // Only a client thread has a client, so its process is a number.
    this.#options.recorder.record({ time: now, process: worker.process, type, f, key, value, error });
    worker.current = undefined;
    this.#busy--;
    if (outcome.type === 'info') {
      worker.client?.close();
      worker.client = undefined;
      worker.process += this.#workers.length;
    }
    this.#tell({ type, time: now, thread, process, f, key, value, error });
    this.#pump();
  }

  #tell(event: Event): void {
    this.#generator = this.#generator.update(this.#context(event.time), event);
  }

  #context(time: number): Context {
    return {
      time,
      random: this.#options.random,
      threads: this.#threads,
      free: this.#free(),
      process: this.#processOf,
    };
  }

  #free(): Thread[] {
    const free: Thread[] = [];
    for (const { thread, current } of this.#workers) if (current === undefined) free.push(thread);
    return free;
  }

  /** One alarm at most: whatever wakes the run first asks again for everything. */
  #wake(delayNs: number): void {
    this.#alarm?.cancel();
    this.#alarm = this.#options.clock.after(Math.max(0, delayNs), () => this.#pump());
  }

  #endIfIdle(): void {
    if (!this.#over || this.#busy > 0) return;
    this.#settle(() => {
      const processNext = Math.max(this.#options.processFirst - 1, ...this.#workers.map(({ process }) => process)) + 1;
      this.#finish({ processNext, lateness: this.#lateness });
    });
  }

  #settle(resolve: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#alarm?.cancel();
    for (const { client } of this.#workers) client?.close();
    resolve();
  }
}

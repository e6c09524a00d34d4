import type { Value } from '../../checker/history/op.ts';
import type { Generator } from '../generator/generator.ts';
import type { Random } from '../generator/random.ts';
import { stagger, timeLimit } from '../generator/time.ts';
import type { NodeStatus, System } from '../target/target.ts';
import type { Workload, WorkloadOptions } from '../workload/workload.ts';
import type { Alarm, RunClock } from './clock.ts';
import { type Interpretation, interpret } from './interpreter.ts';
import { convergeName, latenessName, type Phase, phaseName } from './phase.ts';
import type { Recorder } from './recorder.ts';

export interface ConductOptions {
  readonly system: Pick<System, 'nodes' | 'client' | 'status'>;
  readonly workload: Workload;
  readonly workloadOptions: WorkloadOptions;
  /** Exactly these, at their own times, instead of what the workload makes up. */
  readonly operations?: Generator | undefined;
  readonly concurrency: number;
  /** Operations a second, on average, over all threads. */
  readonly ratePerS: number;
  readonly timeLimitNs: number;
  /** Within this, after healing, all nodes must be up and agree, and serve the final reads. */
  readonly convergeMaxNs: number;
  readonly clock: RunClock;
  readonly random: Random;
  readonly recorder: Recorder;
  /**
   * Asked when the time is over: until it holds the operations and faults go on, for at most `overtimeMaxNs` or as long
   * again. Undefined: they end then.
   */
  readonly isEnough?: (() => boolean) | undefined;
  /** Begins to break things; `stop` heals. */
  readonly startNemesis: (() => { stop(): Promise<void> }) | undefined;
  /** Ends the operations early, heals, and leaves out the rest. */
  readonly signal?: AbortSignal | undefined;
  readonly onPhase?: (phase: Phase) => void;
}

const pollNs = 200_000_000;
const overtimeMaxNs = 30_000_000_000;
const overtimePollNs = 100_000_000;

/**
 * The course of a run, in whichever world: operations under faults, healing, convergence, final reads. What was
 * seen is in the history when it resolves.
 */
export async function conduct(options: ConductOptions): Promise<void> {
  const { system, workload, clock, recorder, signal } = options;
  const note = (f: string, value: Value) =>
    recorder.record({ time: clock.nowNs(), process: 'nemesis', type: 'info', f, value });
  const enter = (phase: Phase) => {
    note(phaseName, phase);
    options.onPhase?.(phase);
  };

  enter('operations');
  const nemesis = options.startNemesis?.();
  const main = perform(options, options.concurrency, 0, mainPhase(options));
  const overtime = stopWhenEnough(main, options);
  const { lateness, processNext } = await main.done.finally(async () => {
    overtime?.cancel();
    try {
      enter('heal');
    } finally {
      await nemesis?.stop();
    }
  });
  note(latenessName, { ...lateness });
  if (signal?.aborted) return enter('interrupted');

  enter('converge');
  const together = await converge(options);
  note(convergeName, { ...together });
  if (!signal?.aborted) {
    enter('final');
    const final = workload.final(recorder.keys);
    // A node that does not serve would take each of its reads to the time-out of a client.
    const bounded = together.converged ? final : timeLimit(options.convergeMaxNs, final);
    await perform(options, system.nodes.length, processNext, bounded).done;
  }
  enter(signal?.aborted ? 'interrupted' : 'end');
}

function mainPhase(options: ConductOptions): Generator {
  const { workload, workloadOptions, operations, ratePerS } = options;
  const paced = () => stagger(Math.max(1, Math.round(1e9 / ratePerS)), workload.generator(workloadOptions));
  return timeLimit(timeMaxNs(options), operations ?? paced());
}

function timeMaxNs({ timeLimitNs, isEnough }: ConductOptions): number {
  return isEnough === undefined ? timeLimitNs : timeLimitNs + Math.max(timeLimitNs, overtimeMaxNs);
}

function stopWhenEnough(main: Interpretation, options: ConductOptions): Alarm | undefined {
  const { isEnough, clock, timeLimitNs } = options;
  if (isEnough === undefined) return undefined;
  const endNs = clock.nowNs() + timeMaxNs(options);
  let alarm = clock.after(timeLimitNs, look);
  function look(): void {
    if (isEnough?.()) main.stop();
    else if (clock.nowNs() < endNs) alarm = clock.after(overtimePollNs, look);
  }
  return { cancel: () => alarm.cancel() };
}

function perform(options: ConductOptions, threads: number, processFirst: number, generator: Generator): Interpretation {
  const { system, clock, random, recorder, signal } = options;
  const open = (node: string) => system.client(node);
  const run = interpret({ generator, threads, processFirst, nodes: system.nodes, open, clock, random, recorder });
  const stop = () => run.stop();
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  return { stop, done: run.done.finally(() => signal?.removeEventListener('abort', stop)) };
}

/** Asks all nodes until they agree or the time is over. */
async function converge({ system, clock, convergeMaxNs, signal }: ConductOptions) {
  const start = clock.nowNs();
  for (;;) {
    const statuses = await system.status();
    const tookNs = clock.nowNs() - start;
    const converged = agree(statuses, system.nodes.length);
    if (converged || tookNs >= convergeMaxNs || signal?.aborted) {
      const nodes = statuses.map((status) => ({ ...status }));
      return { converged, tookMs: Math.round(tookNs / 1e6), boundMs: Math.round(convergeMaxNs / 1e6), nodes };
    }
    await new Promise<void>((resolve) => clock.after(pollNs, resolve));
  }
}

/** All nodes up, one leader, one term, the same entries applied, the same state. */
function agree(statuses: readonly NodeStatus[], nodes: number): boolean {
  const [first] = statuses;
  return (
    first !== undefined &&
    statuses.length === nodes &&
    statuses.filter(({ leader }) => leader).length === 1 &&
    statuses.every(({ term, applied, hash }) => term === first.term && applied === first.applied && hash === first.hash)
  );
}

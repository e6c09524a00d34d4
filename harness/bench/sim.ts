import { planFor, type SimulationOptions } from '../simulate/plan.ts';
import { ownSystem } from '../simulate/system-module.ts';
import { WorkerPool } from '../simulate/worker-pool.ts';

/** A cluster that is simulated this much faster than time, on each core, at this many operations a virtual second. */
const VIRTUAL_PER_REAL_MIN = 100;
const OK_PER_VIRTUAL_S_MIN = 50;

/** Everything else, faults and pace and disks among it, is drawn from the seed; a tick is a heartbeat, 50 ms. */
const OPTIONS: SimulationOptions = {
  workload: 'register',
  timeLimitMs: 60_000,
  ratePerS: 110,
  concurrency: 10,
  opTimeoutMs: 2000,
  nodes: 5,
};

/** Simulated first, untimed: the compiler has then seen what is hot. */
const WARM_SEEDS = [901, 902, 903, 904, 905, 906, 907, 908];
const SEEDS = Array.from({ length: 24 }, (_, at) => 1 + at);

interface Sums {
  virtualMs: number;
  events: number;
  operations: number;
}

/**
 * How much faster than time a cluster is simulated, by worker threads as in a campaign: all checks on, disk and
 * encoding included, faults drawn from fixed seeds. Once by the CPU time of the process, the collector's and the
 * compiler's threads included, for it is what other processes disturb least; once by the wall clock.
 */
export async function* simBench(): AsyncGenerator<string> {
  yield `simulation: ${SEEDS.length} seeds of ${OPTIONS.timeLimitMs / 1000} s, ${OPTIONS.nodes} nodes, all checks on`;
  yield 'threads | time | virtual s | seconds | virtual/real | events/s | events/virtual s | ok/virtual s | target';
  for (const threads of [1, 2]) {
    const pool = new WorkerPool(ownSystem, threads);
    try {
      const all = (seeds: readonly number[]) => Promise.all(seeds.map((seed) => pool.run(planFor(OPTIONS, seed))));
      await all(Array.from({ length: threads }, () => WARM_SEEDS).flat());
      const sums: Sums = { virtualMs: 0, events: 0, operations: 0 };
      const cpuMs = cpuMeter();
      const began = performance.now();
      for (const outcome of await all(SEEDS)) add(sums, outcome);
      yield row(threads, 'CPU', sums, cpuMs(), VIRTUAL_PER_REAL_MIN);
      yield row(threads, 'wall', sums, performance.now() - began, threads * VIRTUAL_PER_REAL_MIN);
    } finally {
      await pool.close();
    }
  }
}

function add(sums: Sums, { virtualMs, events, operations }: Sums): void {
  sums.virtualMs += virtualMs;
  sums.events += events;
  sums.operations += operations;
}

/** Milliseconds of user and system time that this process has used since. */
function cpuMeter(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}

function row(threads: number, time: string, sums: Sums, ms: number, ratioMin: number): string {
  const virtualS = sums.virtualMs / 1000;
  const ratio = sums.virtualMs / ms;
  const ok = sums.operations / virtualS;
  const isMet = ratio >= ratioMin && ok >= OK_PER_VIRTUAL_S_MIN;
  return [
    threads,
    time,
    virtualS.toFixed(0),
    (ms / 1000).toFixed(2),
    ratio.toFixed(0),
    ((sums.events / ms) * 1000).toFixed(0),
    (sums.events / virtualS).toFixed(0),
    ok.toFixed(1),
    `>= ${ratioMin} at >= ${OK_PER_VIRTUAL_S_MIN} ok: ${isMet ? 'met' : 'missed'}`,
  ].join(' | ');
}

import { planFor, type SimulationOptions } from '../simulate/plan.ts';
import { simulate } from '../simulate/simulation.ts';
import { loadSystem, ownSystem } from '../simulate/system-module.ts';
import { WorkerPool } from '../simulate/worker-pool.ts';

/** A cluster that is simulated this much faster than time, on each core, at this many operations a virtual second. */
const VIRTUAL_PER_REAL_MIN = 100;
const OK_PER_VIRTUAL_S_MIN = 50;

/** Everything else, faults and pace and disks among it, is drawn from the seed; a tick is a heartbeat, 50 ms. */
const OPTIONS: SimulationOptions = {
  workload: 'register',
  timeLimitMs: 60_000,
  ratePerS: 85,
  concurrency: 10,
  opTimeoutMs: 2000,
  nodes: 5,
};

/** Simulated first, untimed: the compiler has then seen what is hot. */
const WARM_SEEDS = [901, 902, 903, 904, 905, 906, 907, 908];
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const WORKERS = 2;

interface Sums {
  virtualMs: number;
  events: number;
  operations: number;
}

/**
 * How much faster than time a cluster is simulated: all checks on, disk and encoding included, faults drawn from
 * fixed seeds. One thread is measured by the CPU time of the process, which other processes disturb least and which
 * counts the garbage collector's threads and the compiler's; two threads by the wall clock as well.
 */
export async function* simBench(): AsyncGenerator<string> {
  yield `simulation: ${SEEDS.length} seeds of ${OPTIONS.timeLimitMs / 1000} s, ${OPTIONS.nodes} nodes, all checks on`;
  yield 'threads | time | virtual s | seconds | virtual/real | events/s | events/virtual s | ok/virtual s | target';
  yield* oneThread();
  yield* workers();
}

async function* oneThread(): AsyncGenerator<string> {
  const system = await loadSystem(ownSystem);
  for (const seed of WARM_SEEDS) await simulate(planFor(OPTIONS, seed), system);
  const sums: Sums = { virtualMs: 0, events: 0, operations: 0 };
  const cpuMs = cpuMeter();
  for (const seed of SEEDS) {
    const { virtualMs, events, history } = await simulate(planFor(OPTIONS, seed), system);
    add(sums, { virtualMs, events, operations: history.filter(isOk).length });
  }
  yield row('1', 'CPU', sums, cpuMs(), VIRTUAL_PER_REAL_MIN);
}

async function* workers(): AsyncGenerator<string> {
  const pool = new WorkerPool(ownSystem, WORKERS);
  try {
    const all = (seeds: readonly number[]) => Promise.all(seeds.map((seed) => pool.run(planFor(OPTIONS, seed))));
    await all(WARM_SEEDS);
    const sums: Sums = { virtualMs: 0, events: 0, operations: 0 };
    const cpuMs = cpuMeter();
    const began = performance.now();
    for (const outcome of await all(SEEDS)) add(sums, outcome);
    const wallMs = performance.now() - began;
    yield row(`${WORKERS}`, 'wall', sums, wallMs, WORKERS * VIRTUAL_PER_REAL_MIN);
    yield row(`${WORKERS}`, 'CPU, all threads', sums, cpuMs(), VIRTUAL_PER_REAL_MIN);
  } finally {
    await pool.close();
  }
}

function isOk({ process, type }: { readonly process: unknown; readonly type: string }): boolean {
  return process !== 'nemesis' && type === 'ok';
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

function row(threads: string, time: string, sums: Sums, ms: number, ratioMin: number): string {
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

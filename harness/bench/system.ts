import { mkdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Reaper, startReaper } from '../cluster/reaper.ts';
import { type Demand, type Driver, drivers, type Load, type Operation } from './load.ts';
import { type Store, startEtcd, startSplitbrain } from './stores.ts';

export interface SystemBenchOptions {
  /** Of each single measurement. */
  readonly seconds: number;
  readonly rounds: number;
  readonly clients: readonly number[];
  /** Told what is being measured. */
  readonly progress: (line: string) => void;
  /** Takes every single measurement, beside the tables of medians. */
  readonly json?: (runs: readonly Run[]) => void;
}

/** One measurement with what the servers used meanwhile. */
interface Run extends Load {
  readonly driver: string;
  readonly operation: Operation;
  readonly clients: number;
  readonly round: number;
  /** Of each server process, the leader first, in microseconds of processor time for one operation. */
  readonly serverCpuUs: readonly number[];
  readonly generatorCpuUs: number;
  /** Syncs of the log, the leader first, for 1,000 operations. */
  readonly syncs: readonly number[];
}

const keyCount = 1000;
const valueBytes = 256;
const warmUpSeconds = 3;
const warmUpClients = 64;
/** A generator that uses more of one processor than this may be what limits the measurement. */
const generatorCoresMax = 0.85;
const durabilityPuts = 100;
/** What statfs says of a file system in memory: a sync there is nothing. */
const tmpfs = 0x01021994;

/** Ratios that issue 4 asks for: of operations a second at least, of latencies at most. */
const targets = {
  perSecond: { clientsMin: 64, put: { grpc: 3, gateway: 4 }, get: { grpc: 5, gateway: 5 } },
  p50: { clients: 1, most: 0.5 },
  p99: { most: 1 },
} as const;

type Opponent = 'grpc' | 'gateway';
const pairs: { readonly [opponent in Opponent]: readonly [ours: Driver, theirs: Driver] } = {
  grpc: [drivers.h2load, drivers.grpc],
  gateway: [drivers.wrk, drivers.gateway],
};

/**
 * Our three-node cluster beside a three-node etcd, both with all their processes alive throughout, measured in turn by
 * one generator for each pair; every request goes to the leader. Gives the lines of the tables.
 */
export async function* systemBench(options: SystemBenchOptions): AsyncGenerator<string> {
  const hasEtcd = await isInstalled('etcd');
  for (const tool of ['wrk', 'h2load']) {
    if (!(await isInstalled(tool))) throw new Error(`${tool} is not installed (Debian: wrk, nghttp2-client)`);
  }
  const reaper = await startReaper();
  const stores: Store[] = [];
  try {
    const folder = reaper.temporaryFolder('bench');
    if (statfsSync(folder).type === tmpfs) throw new Error(`${folder} is in memory: set TMPDIR to a folder on a disk`);
    await start(stores, reaper, folder, hasEtcd);
    for (const store of stores) yield `${store.name}: ${await provenDurable(store, folder)}`;
    if (!hasEtcd) yield 'etcd is not installed (Debian: etcd-server): there is nothing to compare with';
    const used = Object.values(drivers).filter((driver) => stores.some(({ name }) => name === driver.store));
    for (const driver of used) await warmUp(stores, driver, folder);
    const runs: Run[] = [];
    for (const operation of ['put', 'get'] as const) {
      for (const clients of options.clients) {
        for (let round = 1; round <= options.rounds; round++) {
          options.progress(`${operation}, ${clients} clients, round ${round} of ${options.rounds}`);
          // Each round begins with another driver, so that none always follows the same one.
          const order = used.map((_, at) => used[(at + round) % used.length]!);
          for (const driver of order)
            runs.push(await measure(stores, driver, folder, { operation, clients, round }, options));
        }
      }
    }
    options.json?.(runs);
    yield* tables(runs, hasEtcd);
  } finally {
    await Promise.allSettled(stores.map((store) => store.stop()));
    await reaper.close();
  }
}

async function start(stores: Store[], reaper: Reaper, folder: string, hasEtcd: boolean): Promise<void> {
  stores.push(await startSplitbrain(reaper, join(folder, 'splitbrain')));
  if (hasEtcd) stores.push(await startEtcd(reaper, join(folder, 'etcd')));
  mkdirSync(join(folder, 'load'));
  for (const store of stores) await store.leader();
}

/**
 * Puts one after another: each must wait for syncs of a majority's logs, so that many must have been counted in all
 * (which nodes are first may change from put to put), and the kernel must have passed on flushes to the disk meanwhile
 * (those of other programs count there too).
 */
async function provenDurable(store: Store, folder: string): Promise<string> {
  const leader = await store.leader();
  const syncsBefore = await store.syncs();
  const flushesBefore = diskFlushes(folder);
  for (let at = 0; at < durabilityPuts; at++) await store.put(leader, `durable-${at}`, String(at));
  const flushes = (diskFlushes(folder) ?? 0) - (flushesBefore ?? 0);
  const syncs = (await store.syncs()).map((count, node) => count - syncsBefore[node]!);
  const least = (Math.floor(syncs.length / 2) + 1) * durabilityPuts;
  if (syncs.reduce((sum, count) => sum + count, 0) < least) {
    throw new Error(
      `${store.name} does not sync each put on a majority: ${syncs.join(', ')} syncs for ${durabilityPuts} puts`,
    );
  }
  if (flushesBefore !== undefined && flushes < durabilityPuts) {
    throw new Error(`${store.name}: the disk saw ${flushes} flushes for ${durabilityPuts} puts: syncs do not reach it`);
  }
  const disk =
    flushesBefore === undefined ? 'the kernel does not count flushes of this disk' : `the disk saw ${flushes} flushes`;
  return `${durabilityPuts} puts in turn took ${syncs.join(', ')} syncs of the three logs; ${disk}`;
}

/** Flushes that the kernel has sent to the disk under a folder (Documentation/admin-guide/iostats.rst, field 16). */
function diskFlushes(folder: string): number | undefined {
  const { dev } = statSync(folder);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  try {
    const fields = readFileSync(`/sys/dev/block/${major}:${minor}/stat`, 'latin1').trim().split(/\s+/);
    const flushes = Number(fields[15] ?? 0);
    return flushes > 0 ? flushes : undefined;
  } catch {
    return undefined;
  }
}

async function warmUp(stores: readonly Store[], driver: Driver, folder: string): Promise<void> {
  const shape = { clients: warmUpClients, round: 0 };
  await measure(stores, driver, folder, { operation: 'put', ...shape }, { seconds: warmUpSeconds });
  await measure(stores, driver, folder, { operation: 'get', ...shape }, { seconds: 1 });
}

const keys = Array.from({ length: keyCount }, (_, at) => `key-${String(at).padStart(6, '0')}`);
let values = 0;

async function measure(
  stores: readonly Store[],
  driver: Driver,
  folder: string,
  { operation, clients, round }: Pick<Run, 'operation' | 'clients' | 'round'>,
  { seconds }: Pick<SystemBenchOptions, 'seconds'>,
): Promise<Run> {
  const store = stores.find(({ name }) => name === driver.store)!;
  const leader = await store.leader();
  const order = [leader, ...store.processes.keys()].filter((node, at) => at === 0 || node !== leader);
  // Each run writes a value of its own.
  const value = `${++values}-`.padEnd(valueBytes, 'abcdefghijklmnopqrstuvwxyz0123456789');
  const demand: Demand = { operation, clients, seconds, keys, value };
  const before = { cpuMs: order.map((node) => store.processes[node]!.cpuMs()), syncs: await store.syncs() };
  const load = await driver.run(store, leader, demand, join(folder, 'load'));
  const { operations, generatorCpuMs } = load;
  const serverCpuUs = order.map(
    (node, at) => ((store.processes[node]!.cpuMs() - before.cpuMs[at]!) * 1000) / operations,
  );
  const after = await store.syncs();
  const syncs = order.map((node) => ((after[node]! - before.syncs[node]!) * 1000) / operations);
  if (operation === 'put') await verifyWritten(store, (leader + 1) % store.urls.length, driver, demand);
  return {
    driver: driver.name,
    ...{ operation, clients, round, serverCpuUs, syncs },
    generatorCpuUs: (generatorCpuMs * 1000) / operations,
    ...load,
  };
}

/** What was just written must be read on another node. */
async function verifyWritten(store: Store, node: number, driver: Driver, { keys, value }: Demand): Promise<void> {
  for (const key of driver.writtenKeys(keys).slice(0, 5)) {
    if ((await store.get(node, key)) !== value)
      throw new Error(`${driver.name}: ${key} does not hold what was written`);
  }
}

function* tables(runs: readonly Run[], hasEtcd: boolean): Generator<string> {
  if (hasEtcd) {
    for (const opponent of ['grpc', 'gateway'] as const) yield* comparison(runs, opponent);
  }
  yield '';
  yield 'Processor time for one operation, µs (medians), and syncs of the log for 1,000 operations:';
  yield '';
  yield '| | operation | clients | operations/s | leader | followers | generator | generator cores | syncs |';
  yield '|---|---|---:|---:|---:|---:|---:|---:|---:|';
  for (const [name, same] of groups(runs)) {
    const of = (part: (run: Run) => number): number => median(same.map(part));
    const followers = [1, 2].map((at) => of((run) => run.serverCpuUs[at]!).toFixed(0)).join(', ');
    const syncs = [0, 1, 2].map((at) => of((run) => run.syncs[at]!).toFixed(0)).join(', ');
    const cores = of((run) => run.generatorCores);
    yield `| ${[
      name,
      of((run) => run.perSecond).toFixed(0),
      of((run) => run.serverCpuUs[0]!).toFixed(0),
      followers,
      of((run) => run.generatorCpuUs).toFixed(1),
      `${cores.toFixed(2)}${cores > generatorCoresMax ? ' (generator-bound)' : ''}`,
      same[0]!.operation === 'put' ? syncs : '',
    ].join(' | ')} |`;
  }
}

function groups(runs: readonly Run[]): Map<string, Run[]> {
  const byPoint = new Map<string, Run[]>();
  for (const run of runs) {
    const name = `${run.driver} | ${run.operation} | ${run.clients}`;
    byPoint.set(name, [...(byPoint.get(name) ?? []), run]);
  }
  return byPoint;
}

/**
 * The same round's ratios, ours to theirs: the median, and the worst and best rounds. Processor time of all servers for
 * one operation suffers least from other programs that want the same cores.
 */
function* comparison(runs: readonly Run[], opponent: Opponent): Generator<string> {
  const [ours, theirs] = pairs[opponent];
  yield '';
  yield `${ours.name} : ${theirs.name}, ratios of the same round, median (least to most):`;
  yield '';
  yield '| operation | clients | operations/s | ratio | p50 ms | ratio | p99 ms | ratio | servers, µs | ratio | |';
  yield '|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|';
  const mine = runs.filter(({ driver }) => driver === ours.name);
  for (const [, same] of groups(mine)) {
    const { operation, clients } = same[0]!;
    const other = same.map(
      (run) =>
        runs.find(
          (one) =>
            one.driver === theirs.name &&
            one.operation === operation &&
            one.clients === clients &&
            one.round === run.round,
        )!,
    );
    const figure = (part: (run: Run) => number, digits: number) => {
      const ratios = same.map((run, at) => part(run) / part(other[at]!));
      const both = [same, other].map((some) => median(some.map(part)).toFixed(digits)).join(' : ');
      const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
      return { ratio: median(ratios), text: `${both} | ${median(ratios).toFixed(2)} (${spread})` };
    };
    const perSecond = figure((run) => run.perSecond, 0);
    const p50 = figure((run) => run.p50Ms, 2);
    const p99 = figure((run) => run.p99Ms, 2);
    const cpu = figure((run) => run.serverCpuUs.reduce((sum, us) => sum + us, 0), 0);
    const bound = [...same, ...other].some(({ generatorCores }) => generatorCores > generatorCoresMax);
    const verdict = bound
      ? 'generator-bound: nothing is claimed'
      : judged(operation, clients, opponent, perSecond.ratio, p50.ratio, p99.ratio);
    yield `| ${[operation, clients, perSecond.text, p50.text, p99.text, cpu.text, verdict].join(' | ')} |`;
  }
}

function judged(
  operation: Operation,
  clients: number,
  opponent: Opponent,
  perSecond: number,
  p50: number,
  p99: number,
): string {
  const least = clients >= targets.perSecond.clientsMin ? targets.perSecond[operation][opponent] : 0;
  const missed = [
    perSecond < least ? `operations/s ≥ ${least}` : '',
    clients === targets.p50.clients && p50 > targets.p50.most ? `p50 ≤ ${targets.p50.most}` : '',
    p99 > targets.p99.most ? `p99 ≤ ${targets.p99.most}` : '',
  ].filter((target) => target !== '');
  return missed.length === 0 ? 'targets met' : `MISSED: ${missed.join(', ')}`;
}

function median(some: readonly number[]): number {
  const ascending = [...some].sort((a, b) => a - b);
  const half = ascending.length >> 1;
  return ascending.length % 2 === 1 ? ascending[half]! : (ascending[half - 1]! + ascending[half]!) / 2;
}

async function isInstalled(command: string): Promise<boolean> {
  const { failed } = await execa('which', [command], { reject: false });
  return !failed;
}

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { startReaper } from '../cluster/reaper.ts';
import { counter, type Splitbrain, startSplitbrain } from './stores.ts';

const clients = 64;
const fewKeys = 1000;
const steps = 10;
const pollMs = 50;
const restartMsMax = 5000;

/** wrk's arguments behind `--`: the number of the first put, how many keys, the value's bytes. */
const script = `
local at, keys, value = 0, 1, ""
init = function(arguments)
  at, keys, value = tonumber(arguments[1]), tonumber(arguments[2]), string.rep("x", tonumber(arguments[3]))
end
request = function()
  at = at + 1
  return wrk.format("PUT", string.format("/v1/kv/key-%07d", at % keys), nil, value)
end
`;
const valueBytes = 256;

/** A span of wall-clock time in which a node wrote a snapshot, as its data folder showed. */
interface Span {
  readonly node: number;
  readonly startMs: number;
  endMs: number;
}

/**
 * What grows: memory over many puts of few keys, then of as many keys as puts; how long the event loop stands still
 * while a snapshot of them is written; how long a node with all of them takes to start.
 */
export async function* growthBench(puts: number, progress: (line: string) => void): AsyncGenerator<string> {
  const reaper = await startReaper();
  let store: Splitbrain | undefined;
  try {
    const folder = reaper.temporaryFolder('bench');
    const preload = new URL('loop-delay.js', import.meta.url).href;
    store = await startSplitbrain(reaper, folder, ['--import', preload]);
    await store.leader();
    writeFileSync(join(folder, 'put.lua'), script);
    const snapshots = new SnapshotWatch(store);
    try {
      for (const keys of [fewKeys, puts]) {
        yield '';
        yield `${puts} puts of ${keys} keys, ${valueBytes} bytes each, ${clients} clients: resident memory of the nodes, MB`;
        yield '';
        yield '| puts | node 1 | node 2 | node 3 | snapshots written |';
        yield '|---:|---:|---:|---:|---:|';
        yield memoryRow(0, store, snapshots.count);
        const revision = await revisionOf(store);
        for (let step = 1; step <= steps; step++) {
          await putUntil(store, folder, revision, (puts / steps) * step, keys, progress);
          yield memoryRow((puts / steps) * step, store, snapshots.count);
        }
      }
    } finally {
      snapshots.stop();
    }
    yield '';
    yield* pauses(store, snapshots.spans);
    yield '';
    const follower = ((await store.leader()) + 1) % store.urls.length;
    const { wallMs, cpuMs } = await store.restart(follower);
    const took = `${seconds(wallMs)} after its start, ${seconds(cpuMs)} of processor time`;
    const target = `target: < ${seconds(restartMsMax)}, ${wallMs < restartMsMax ? 'met' : 'MISSED'}`;
    const memory = `${store.processes[follower]!.memoryMb().toFixed(0)} MB`;
    yield `A follower with ${puts} keys serves ${took} (${target}), in ${memory}.`;
  } finally {
    await store?.stop();
    await reaper.close();
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

async function revisionOf(store: Splitbrain): Promise<number> {
  return counter(store.urls[await store.leader()]!, 'splitbrain_store_revision');
}

/** Runs wrk a second at a time until so many puts were applied since that revision. */
async function putUntil(
  store: Splitbrain,
  folder: string,
  revision: number,
  puts: number,
  keys: number,
  progress: (line: string) => void,
): Promise<void> {
  for (;;) {
    const done = (await revisionOf(store)) - revision;
    progress(`${done} of ${puts} puts of ${keys} keys`);
    if (done >= puts) return;
    const url = store.urls[await store.leader()]!;
    const shape = ['-t1', `-c${clients}`, '-d1', '--timeout', '30', '-s', join(folder, 'put.lua'), url];
    const { stdout } = await execa('wrk', [...shape, '--', String(done), String(keys), String(valueBytes)]);
    const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(stdout);
    if (failed !== null) throw new Error(`puts failed: ${failed[0]}`);
  }
}

function memoryRow(puts: number, { processes }: Splitbrain, snapshots: number): string {
  return `| ${[puts, ...processes.map((one) => one.memoryMb().toFixed(0)), snapshots].join(' | ')} |`;
}

/** Notices when nodes write snapshots: the temporary file is there meanwhile. */
class SnapshotWatch {
  readonly spans: Span[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor({ folder, urls }: Splitbrain) {
    const open = new Map<number, Span>();
    this.#timer = setInterval(() => {
      for (const node of urls.keys()) {
        const isWriting = readdirSync(join(folder, `data-${node + 1}`, 'snapshots')).some((name) =>
          name.endsWith('.tmp'),
        );
        const span = open.get(node);
        if (span !== undefined) span.endMs = Date.now();
        if (isWriting && span === undefined) {
          const begun = { node, startMs: Date.now() - pollMs, endMs: Date.now() };
          open.set(node, begun);
          this.spans.push(begun);
        } else if (!isWriting) open.delete(node);
      }
    }, pollMs);
  }

  get count(): number {
    return this.spans.length;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The longest hold-up of the loop in each fifth of a second, of those with and of those without a snapshot. */
function* pauses({ folder, urls }: Splitbrain, spans: readonly Span[]): Generator<string> {
  const [during, outside]: [number[], number[]] = [[], []];
  for (const node of urls.keys()) {
    for (const line of readFileSync(join(folder, `node-${node + 1}.log`), 'utf8').split('\n')) {
      if (!line.includes('"loop-delay"')) continue;
      const { endMs, windowMs, maxMs } = JSON.parse(line) as { endMs: number; windowMs: number; maxMs: number };
      const meets = (span: Span): boolean =>
        span.node === node && span.startMs < endMs && span.endMs > endMs - windowMs;
      (spans.some(meets) ? during : outside).push(maxMs);
    }
  }
  yield 'Longest hold-up of the event loop in each 200 ms, ms:';
  yield '';
  yield '| | of so many | median | 99 % | longest |';
  yield '|---|---:|---:|---:|---:|';
  for (const [name, all] of [
    ['while a snapshot was written', during],
    ['else', outside],
  ] as const) {
    const ascending = [...all].sort((a, b) => a - b);
    const at = (share: number): string => (ascending[Math.ceil(ascending.length * share) - 1] ?? Number.NaN).toFixed(0);
    yield `| ${[name, all.length, at(0.5), at(0.99), at(1)].join(' | ')} |`;
  }
}

import { startReaper } from '../cluster/reaper.ts';
import { type Splitbrain, startSplitbrain } from './stores.ts';

const keysPerTransaction = 100;
const transactionsAtOnce = 8;
const valueBytes = 256;
/** Puts after the snapshot, which are read from the log. */
const putsBehind = 10_000;
const rounds = 3;
const restartMsMax = 5000;

/**
 * How long a node with many keys takes to come back, the whole of it: from the start of the process to its first
 * linearizable read. Its disk holds a snapshot of all keys, and some entries behind it.
 */
export async function* restartBench(keys: number, progress: (line: string) => void): AsyncGenerator<string> {
  const reaper = await startReaper();
  let store: Splitbrain | undefined;
  try {
    store = await startSplitbrain(reaper, reaper.temporaryFolder('bench'));
    await fill(store, keys, (done) => progress(`${done} of ${keys} keys`));
    for (const url of store.urls) await post(`${url}/v1/snapshot`, undefined);
    await fill(store, putsBehind, () => {});
    yield `| a follower with ${keys} keys of ${valueBytes} bytes | until a linearizable read | processor time | MB |`;
    yield '|---|---:|---:|---:|';
    const walls: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const follower = ((await store.leader()) + 1) % store.urls.length;
      const { wallMs, cpuMs } = await store.restart(follower);
      walls.push(wallMs);
      const memoryMb = store.processes[follower]!.memoryMb().toFixed(0);
      yield `| round ${round} | ${(wallMs / 1000).toFixed(2)} s | ${(cpuMs / 1000).toFixed(2)} s | ${memoryMb} |`;
    }
    const median = walls.sort((a, b) => a - b)[rounds >> 1]!;
    yield '';
    yield `target: < ${restartMsMax / 1000} s, ${median < restartMsMax ? 'met' : 'MISSED'} by the median`;
  } finally {
    await store?.stop();
    await reaper.close();
  }
}

/** Writes the first `keys` keys, many in one transaction. */
async function fill(store: Splitbrain, keys: number, progress: (done: number) => void): Promise<void> {
  const url = store.urls[await store.leader()]!;
  const value = 'x'.repeat(valueBytes);
  let next = 0;
  const one = async () => {
    while (next < keys) {
      const first = next;
      next += keysPerTransaction;
      const puts = Array.from({ length: Math.min(keysPerTransaction, keys - first) }, (_, at) => ({
        op: 'put',
        key: `key-${String(first + at).padStart(7, '0')}`,
        value,
      }));
      // biome-ignore lint/suspicious/noThenProperty: the wire's name; the object is only turned into JSON
      await post(`${url}/v1/txn`, { compare: [], then: puts, else: [] });
      if (first % 50_000 === 0) progress(first);
    }
  };
  await Promise.all(Array.from({ length: transactionsAtOnce }, one));
}

async function post(url: string, body: unknown): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Timeout-Ms': '60000' },
    body: body === undefined ? '' : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

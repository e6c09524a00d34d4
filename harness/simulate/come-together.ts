import type { Value } from '../../checker/history/op.ts';
import type { Client as StoreClient } from '../../system/client/index.ts';
import { statuses } from '../target/kv-statuses.ts';

export interface Healed {
  readonly nodes: readonly string[];
  readonly client: (node: string) => StoreClient;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Of which all that follows must have come true. */
  readonly boundMs: number;
  /** Gives up when it says so. */
  readonly isOver: () => boolean;
}

/** No workload has such a key. */
const key = '~rest';
const pollMs = 200;
const writeTimeoutMs = 2000;

/**
 * What liveness asks of a cluster that is whole again, in the middle of a run and under its clients' load: every node
 * carries out a write, and then all follow one leader in one term and have applied what any of them had by then.
 * @returns what the history is told of it; undefined when it was given up
 */
export async function comeTogether(healed: Healed): Promise<Value | undefined> {
  const { nodes, client, nowMs, sleep, boundMs, isOver } = healed;
  const startMs = nowMs();
  const goesOn = () => !isOver() && nowMs() - startMs < boundMs;
  const serves = async (node: string): Promise<boolean> => {
    while (goesOn()) {
      if ((await client(node).put(key, node, { timeoutMs: writeTimeoutMs })).ok) return true;
      await sleep(pollMs);
    }
    return false;
  };
  const served = await Promise.all(nodes.map(serves));
  let target = Number.POSITIVE_INFINITY;
  for (;;) {
    const told = await statuses(nodes, client);
    if (isOver()) return undefined;
    if (target === Number.POSITIVE_INFINITY) target = Math.max(...told.map(({ applied }) => applied));
    const isOne = told.filter(({ leader }) => leader).length === 1 && new Set(told.map(({ term }) => term)).size === 1;
    const follow = told.length === nodes.length && told.every(({ applied }) => applied >= target);
    const converged = isOne && follow && served.every(Boolean);
    const tookMs = Math.round(nowMs() - startMs);
    if (converged || tookMs >= boundMs) {
      const unserved = nodes.filter((_, at) => served[at] === false);
      return { converged, tookMs, boundMs, unserved, nodes: told.map((status) => ({ ...status })) };
    }
    await sleep(pollMs);
  }
}

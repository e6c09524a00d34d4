import type { Bytes, Failure, Result, Txn, TxnOp, TxnResult } from '../../system/client/index.ts';
import type { Store } from './kv-operations.ts';

/** A key's value and the revision of its last write; null and 0 when it is missing. */
export interface Found {
  readonly value: string | null;
  readonly revision: number;
}

export interface CallOptions {
  readonly timeoutMs?: number;
}

export type Condition = { readonly key: string } & ({ readonly revision: number } | { readonly value: string | null });

/** What a store must be able to do for every workload to run on it: read some keys at once, and write some on conditions. */
export interface VersionedStore {
  /** All at one moment, in the order asked. */
  read(keys: readonly string[], options: CallOptions): Promise<Result<readonly Found[]>>;
  /** Writes all when every condition holds, in one step; whether they held. */
  write(
    conditions: readonly Condition[],
    writes: readonly (readonly [key: string, value: string])[],
    options: CallOptions,
  ): Promise<Result<boolean>>;
}

/**
 * The operations of workloads over such a store: what reads and then writes does so on condition that nothing that it
 * read has changed, and fails with `conflict` otherwise. It never retries; the last request alone can write.
 */
export function storeOver(versioned: VersionedStore): Store {
  const { read, write } = versioned;
  const put = async (conditions: readonly Condition[], key: Bytes, value: Bytes, options: CallOptions) => {
    const written = await write(conditions, [[text(key), text(value)]], options);
    // The revision that the write got is not told, and no workload asks for it.
    return written.ok && written.value ? ({ ok: true, value: { revision: 0 } } as const) : refused(written);
  };
  return {
    async get(key, options = {}) {
      const found = await read([text(key)], options);
      if (!found.ok) return found;
      const { value = null, revision = 0 } = found.value[0] ?? {};
      return { ok: true, value: value === null ? null : { value: new TextEncoder().encode(value), revision } };
    },
    put(key, value, options = {}) {
      const { revision } = options;
      return put(revision === undefined ? [] : [{ key: text(key), revision }], key, value, options);
    },
    cas: (key, expected, value, options = {}) =>
      put([{ key: text(key), value: expected === null ? null : text(expected) }], key, value, options),
    async append(key, element, options = {}) {
      const done = await run({ compare: [], success: [{ op: 'append', key, value: element }], failure: [] }, options);
      if (!done.ok) return done;
      const [result] = done.value.results;
      return { ok: true, value: { revision: 0, length: result?.op === 'append' ? result.length : 0 } };
    },
    txn: run,
  };

  async function run(txn: Txn, options: CallOptions = {}): ReturnType<Store['txn']> {
    const keys = [...new Set(txn.success.map(({ key }) => text(key)))];
    const conditions = txn.compare.flatMap((compare): Condition[] =>
      'revision' in compare && compare.is === '=' ? [{ key: text(compare.key), revision: compare.revision }] : [],
    );
    const isBlind = txn.success.every(({ op }) => op === 'put');
    const found = isBlind ? undefined : await read(keys, options);
    // Only read so far: whatever went wrong, nothing happened.
    if (found?.ok === false) return { ...found, outcome: 'none' };
    const seen = new Map(keys.map((key, at) => [key, found?.value[at]] as const));
    const { results, writes } = apply(txn.success, seen);
    const succeeded = { ok: true, value: { revision: 0, succeeded: true, results } } as const;
    if (writes.size === 0) return succeeded;
    const unchanged = isBlind ? [] : keys.map((key) => ({ key, revision: seen.get(key)?.revision ?? 0 }));
    const written = await write([...conditions, ...unchanged], [...writes], options);
    if (!written.ok) return written;
    if (written.value) return succeeded;
    return isBlind ? { ok: true, value: { revision: 0, succeeded: false, results: [] } } : conflict;
  }
}

const conflict: Failure = { ok: false, outcome: 'none', error: 'conflict', message: 'what was read has changed' };

/** Why a write on condition did not happen. */
function refused(written: Result<boolean>): Failure {
  if (!written.ok) return written;
  return { ok: false, outcome: 'none', error: 'cas-mismatch', message: 'the condition did not hold' };
}

/** What steps give and leave behind, each seeing what those before it wrote. */
function apply(steps: readonly TxnOp[], found: ReadonlyMap<string, Found | undefined>) {
  const writes = new Map<string, string>();
  const results = steps.map((step): TxnResult => {
    const key = text(step.key);
    const value = writes.get(key) ?? found.get(key)?.value ?? null;
    switch (step.op) {
      case 'get':
        return {
          op: 'get',
          value: value === null ? null : new TextEncoder().encode(value),
          revision: found.get(key)?.revision ?? 0,
        };
      case 'put':
        writes.set(key, text(step.value));
        return { op: 'put' };
      case 'append': {
        const list = [...(value === null ? [] : (JSON.parse(value) as readonly string[])), text(step.value)];
        writes.set(key, JSON.stringify(list));
        return { op: 'append', length: list.length };
      }
      default:
        throw new Error(`no workload does ${step.op}`);
    }
  });
  return { results, writes };
}

function text(bytes: Bytes): string {
  return typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes);
}

import fc from 'fast-check';
import t from 'tap';
import type { Result, TxnOp } from '../../system/client/index.ts';
import { type Condition, type Found, storeOver, type VersionedStore } from './versioned-store.ts';

/** A store of one map, right by construction; `meddle` runs between any read and write. */
class MapStore implements VersionedStore {
  readonly data = new Map<string, Found>();
  revision = 0;
  meddle: () => void = () => {};

  read = async (keys: readonly string[]): Promise<Result<readonly Found[]>> => ({
    ok: true,
    value: keys.map((key) => this.data.get(key) ?? { value: null, revision: 0 }),
  });

  write = async (
    conditions: readonly Condition[],
    writes: readonly (readonly [string, string])[],
  ): Promise<Result<boolean>> => {
    this.meddle();
    const holds = conditions.every((condition) => {
      const { value = null, revision = 0 } = this.data.get(condition.key) ?? {};
      return 'revision' in condition ? condition.revision === revision : condition.value === value;
    });
    if (holds) this.put(...writes);
    return { ok: true, value: holds };
  };

  put(...writes: readonly (readonly [string, string])[]): void {
    this.revision++;
    for (const [key, value] of writes) this.data.set(key, { value, revision: this.revision });
  }
}

const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes));

t.test('a transaction gives and leaves what its steps one after another would', async () => {
  const key = fc.constantFrom('a', 'b', 'c');
  const step = fc.oneof(
    fc.record({ op: fc.constant('get' as const), key }),
    fc.record({ op: fc.constant('append' as const), key, value: fc.integer({ min: 0, max: 9 }).map(String) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 6 }),
      async (transactions) => {
        const versioned = new MapStore();
        const store = storeOver(versioned);
        const lists = new Map<string, string[]>();
        for (const success of transactions) {
          const result = await store.txn({ compare: [], success, failure: [] });
          if (!result.ok) return false;
          for (const [at, { op, key, ...more }] of success.entries()) {
            const list = lists.get(String(key));
            const got = result.value.results[at];
            if (op === 'append') lists.set(String(key), [...(list ?? []), String((more as { value: string }).value)]);
            else if (got?.op !== 'get' || text(got.value) !== (list === undefined ? null : JSON.stringify(list)))
              return false;
          }
        }
        return [...lists].every(([name, list]) => versioned.data.get(name)?.value === JSON.stringify(list));
      },
    ),
  );
});

t.test('what reads and writes is refused when what it read has changed meanwhile', async (t) => {
  const versioned = new MapStore();
  const store = storeOver(versioned);
  versioned.put(['x', '["1"]'], ['y', '5']);
  const readAndWrite: readonly TxnOp[] = [
    { op: 'get', key: 'y' },
    { op: 'append', key: 'x', value: '2' },
  ];
  for (const changed of ['x', 'y']) {
    versioned.meddle = () => versioned.put([changed, '["9"]']);
    const result = await store.txn({ compare: [], success: readAndWrite, failure: [] });
    t.match(result, { ok: false, outcome: 'none', error: 'conflict' }, changed);
    t.match(await store.append('x', '3'), changed === 'x' ? { ok: false, error: 'conflict' } : { ok: true });
  }
  versioned.meddle = () => {};
  const revision = versioned.data.get('x')?.revision ?? 0;
  t.match(await store.put('x', '[]', { revision: revision - 1 }), {
    ok: false,
    outcome: 'none',
    error: 'cas-mismatch',
  });
  t.match(await store.put('x', '[]', { revision }), { ok: true });
  t.match(await store.cas('y', '6', '7'), { ok: false, error: 'cas-mismatch' });
  t.match(await store.cas('new', null, '7'), { ok: true });
  const transfer = {
    compare: [{ key: 'y', is: '=', revision: 0 }] as const,
    success: [{ op: 'put', key: 'y', value: '1' }] as const,
    failure: [],
  };
  t.match(await store.txn(transfer), { ok: true, value: { succeeded: false } }, 'its comparisons did not hold');
});

t.test('a write whose fate is unknown stays so', async (t) => {
  const lost = { ok: false, outcome: 'unknown', error: 'timeout', message: '' } as const;
  const versioned = new MapStore();
  const store = storeOver({ read: versioned.read, write: async () => lost });
  t.match(await store.put('x', '1'), lost);
  t.match(await store.append('x', '1'), lost);
  const silent = storeOver({ read: async () => lost, write: versioned.write });
  t.match(await silent.append('x', '1'), { ok: false, outcome: 'none' }, 'nothing was sent that could write');
  t.equal(versioned.data.size, 0);
});

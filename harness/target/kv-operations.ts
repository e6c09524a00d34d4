import type { Value } from '../../checker/history/op.ts';
import type { ReadMode, Result, Client as StoreClient, TxnOp, TxnResult } from '../../system/client/index.ts';
import { balanceFirst, bankAccounts, readTransfer } from '../workload/bank.ts';
import { type Client, type Observation, type Outcome, observed } from './target.ts';

/** What operations need of the store's own client; the last three only some workloads, or where it has them. */
export type Store = Pick<StoreClient, 'get' | 'put' | 'cas' | 'append' | 'txn'> &
  Partial<Pick<StoreClient, 'delete' | 'watch' | 'range'>>;

/** How long a watch listens before it ends, to be resumed by the next. */
const watchMs = 400;

interface Call {
  readonly key: string;
  readonly value: Value;
  /** Who asks: the process. */
  readonly process: number;
  readonly options: { readonly operationId: string; readonly timeoutMs: number; readonly read: ReadMode };
}

const cannot: Outcome = { type: 'fail', error: 'unknown-operation' };

type Operation = (store: Store, call: Call) => Promise<Outcome>;

const registers: { readonly [f: string]: Operation } = {
  read: async (store, { key, options }) =>
    outcome(await store.get(key, options), (found) => found && decode(found.value)),
  write: async (store, { key, value, options }) => outcome(await store.put(key, encode(value), options)),
  cas: async (store, { key, value, options }) => {
    const [expected = null, next = null] = listOf(value);
    return outcome(await store.cas(key, expected === null ? null : encode(expected), encode(next), options));
  },
};

const sets: { readonly [f: string]: Operation } = {
  add: append,
  read: async (store, { key, options }) => outcome(await store.get(key, options), (found) => elements(found?.value)),
};

/** How the store carries out each function of each workload; at most one request of an operation can write. */
const operations: { readonly [workload: string]: { readonly [f: string]: Operation } } = {
  register: registers,
  membership: registers,
  session: registers,
  set: sets,
  'set-full': sets,
  mixed: {
    ...registers,
    read: async (store, { key, options }) =>
      outcome(await store.get(key, options), (found) => found && decodeDeep(found.value)),
    delete: async (store, { key, options }) =>
      store.delete === undefined ? cannot : outcome(await store.delete(key, options)),
    append,
  },
  watch: {
    write: async (store, { key, value, options }) =>
      outcome(await store.put(key, encode(value), options), ({ revision }) => [revision, value]),
    read: registers.read!,
    watch: watched,
  },
  counter: {
    add: append,
    read: async (store, { key, options }) =>
      outcome(await store.get(key, options), (found) =>
        elements(found?.value).reduce((sum: number, delta) => sum + Number(delta), 0),
      ),
  },
  queue: {
    enqueue: (store, call) => rewrite(store, call, (queue) => ({ value: [...listOf(queue), call.value] })),
    dequeue: (store, call) =>
      rewrite(store, call, (queue) => {
        const [first, ...value] = listOf(queue);
        return first === undefined ? 'empty' : { value, answer: first };
      }),
  },
  lock: {
    acquire: (store, call) => rewrite(store, call, (holder) => (holder === null ? { value: call.process } : 'held')),
    release: (store, call) =>
      rewrite(store, call, (holder) => (holder === call.process ? { value: null } : 'not-held')),
  },
  append: { txn: transaction },
  wr: { txn: transaction },
  'long-fork': { txn: transaction },
  bank: {
    // Every other process reads them as a range: another way through the store, with the same promise.
    read: async (store, { process, options }) => {
      const found = await (process % 2 === 0
        ? balances(store, bankAccounts, options)
        : balancesInRange(store, bankAccounts, options));
      return found.ok
        ? {
            type: 'ok',
            value: Object.fromEntries([...found.value].map(([account, { balance }]) => [account, balance])),
          }
        : { type: 'fail', error: found.error };
    },
    transfer,
  },
};

/** The workloads that the store can carry out. */
export const kvWorkloads: readonly string[] = Object.keys(operations);

/**
 * A client that carries out a workload's operations.
 * @param read how single keys are read, where the store has a choice; transactions are always of one moment
 */
export function kvClient(store: Store, workload: string, timeoutMs: number, read: ReadMode = 'linearizable'): Client {
  return {
    invoke({ f, key, value = null, op, process }, done) {
      const operation = operations[workload]?.[f];
      const name = typeof key === 'string' ? key : JSON.stringify(key ?? null);
      const carriedOut =
        operation === undefined
          ? Promise.resolve<Outcome>({ type: 'fail', error: `unknown-operation ${f}` })
          : operation(store, { key: name, value, process, options: { operationId: op, timeoutMs, read } });
      carriedOut.then(done, (error: unknown) =>
        // Nothing is known of a request during which the client itself broke.
        done({ type: 'info', error: `client-error ${error instanceof Error ? error.message : String(error)}` }),
      );
    },
    close() {},
  };
}

async function append(store: Store, { key, value, options }: Call): Promise<Outcome> {
  return outcome(await store.append(key, encode(value), options));
}

/** Listens for a while, from where this watcher ended before; the answer says what it was told. */
async function watched(store: Store, { value, options }: Call): Promise<Outcome> {
  if (store.watch === undefined) return cannot;
  const asked = (value ?? {}) as { readonly [name: string]: Value };
  const { operationId: _, ...reading } = options;
  const from = typeof asked.from === 'number' ? { from: asked.from } : {};
  const told = await store.watch(String(asked.prefix), { ...reading, ...from, collectMs: watchMs });
  if (told.ok && told.value === 'compacted') return observed('compacted');
  return outcome(told, (changes) => ({
    ...asked,
    events:
      changes === 'compacted'
        ? []
        : changes.map(({ revision, key, value: now }) => [revision, new TextDecoder().decode(key), now && decode(now)]),
  }));
}

/**
 * Reads a key and writes it back changed, provided that nobody else wrote it in between.
 * @param change gives the new value and the answer, or why it cannot be
 */
async function rewrite(
  store: Store,
  { key, options }: Call,
  change: (value: Value) => { readonly value: Value; readonly answer?: Value } | Observation,
): Promise<Outcome> {
  const { operationId: _, ...reading } = options;
  const found = await store.get(key, reading);
  // Only read so far: whatever went wrong, nothing happened.
  if (!found.ok) return { type: 'fail', error: found.error };
  const changed = change(found.value && decode(found.value.value));
  if (typeof changed === 'string') return observed(changed);
  const revision = found.value?.revision ?? 0;
  const written = outcome(await store.put(key, encode(changed.value), { ...options, revision }));
  if (written.error === 'cas-mismatch') return observed('conflict');
  return written.type === 'ok' && changed.answer !== undefined ? { type: 'ok', value: changed.answer } : written;
}

interface Account {
  readonly balance: number;
  readonly revision: number;
}

const untouched: Account = { balance: balanceFirst, revision: 0 };

/** What accounts hold, all at one moment. */
async function balances(
  store: Store,
  accounts: readonly string[],
  options: Omit<Call['options'], 'operationId'>,
): Promise<Result<ReadonlyMap<string, Account>>> {
  const success = accounts.map((account) => ({ op: 'get', key: accountKey(account) }) as const);
  const result = await store.txn({ compare: [], success, failure: [] }, options);
  if (!result.ok) return result;
  const held = accounts.map((account, at): readonly [string, Account] => {
    const got = result.value.results[at];
    if (got?.op !== 'get' || got.value === null) return [account, untouched];
    return [account, { balance: Number(decode(got.value)), revision: got.revision }];
  });
  return { ok: true, value: new Map(held) };
}

/** The same where the store can read a range of keys. */
async function balancesInRange(
  store: Store,
  accounts: readonly string[],
  options: Call['options'],
): Promise<Result<ReadonlyMap<string, Account>>> {
  if (store.range === undefined) return balances(store, accounts, options);
  const { operationId: _, ...reading } = options;
  // All keys that begin with b: a run of this workload writes accounts alone.
  const result = await store.range({ from: accountKey(''), to: 'c', limit: accounts.length }, reading);
  if (!result.ok) return result;
  const decoder = new TextDecoder();
  const items = new Map(result.value.items.map((item) => [decoder.decode(item.key), item]));
  const held = accounts.map((account): readonly [string, Account] => {
    const item = items.get(accountKey(account));
    return [account, item === undefined ? untouched : { balance: Number(decode(item.value)), revision: item.revision }];
  });
  return { ok: true, value: new Map(held) };
}

/** Reads both balances and writes both, provided that neither changed in between. */
async function transfer(store: Store, { value, options }: Call): Promise<Outcome> {
  const { from, to, amount } = readTransfer(value);
  const { operationId: _, ...reading } = options;
  const found = await balances(store, [from, to], reading);
  // Only read so far: whatever went wrong, nothing happened.
  if (!found.ok) return { type: 'fail', error: found.error };
  const payer = found.value.get(from) ?? untouched;
  const payee = found.value.get(to) ?? untouched;
  if (payer.balance < amount) return observed('insufficient');
  const accounts = [
    { key: accountKey(from), revision: payer.revision, after: payer.balance - amount },
    { key: accountKey(to), revision: payee.revision, after: payee.balance + amount },
  ];
  const result = await store.txn(
    {
      compare: accounts.map(({ key, revision }) => ({ key, is: '=', revision })),
      success: accounts.map(({ key, after }) => ({ op: 'put', key, value: encode(after) })),
      failure: [],
    },
    options,
  );
  // A transaction whose comparisons did not hold has been carried out as well: by its other, empty branch.
  return outcome(result, ({ succeeded }) => ({ from, to, amount, moved: succeeded }));
}

function accountKey(account: string): string {
  return `b${account}`;
}

/** Micro-operations `["r", key, null]`, `["append", key, element]`, `["w", key, value]`, all at once. */
async function transaction(store: Store, { value, options }: Call): Promise<Outcome> {
  const micros = listOf(value).map(listOf);
  const success = micros.map(([f, key, argument = null]): TxnOp => {
    if (f === 'r') return { op: 'get', key: String(key) };
    return { op: f === 'append' ? 'append' : 'put', key: String(key), value: encode(argument) };
  });
  const result = await store.txn({ compare: [], success, failure: [] }, options);
  // A transaction that only reads has no effect that could be in doubt.
  if (!result.ok && micros.every(([f]) => f === 'r')) return { type: 'fail', error: result.error };
  return outcome(result, ({ results }) => micros.map((micro, at) => withRead(micro, results[at])));
}

/** The micro-operation with what was read: a list for keys that are appended to, a value for others. */
function withRead([f = null, key = null, argument = null]: readonly Value[], result: TxnResult | undefined): Value {
  return f === 'r' && result?.op === 'get' ? [f, key, result.value && decodeDeep(result.value)] : [f, key, argument];
}

/** Only what certainly did not happen is a failure. */
function outcome<T>(result: Result<T>, read?: (value: T) => Value): Outcome {
  if (!result.ok) return { type: result.outcome === 'none' ? 'fail' : 'info', error: result.error };
  return read === undefined ? { type: 'ok' } : { type: 'ok', value: read(result.value) };
}

/** Values stand in the store as JSON. */
function encode(value: Value): string {
  return JSON.stringify(value);
}

/** What is no JSON was never written by a run; it is shown as it is, for a checker to refuse. */
function decode(bytes: Uint8Array): Value {
  return parse(new TextDecoder().decode(bytes));
}

/** A list that was appended to reads as a JSON array of its elements' texts. */
function elements(bytes: Uint8Array | undefined): readonly Value[] {
  return bytes === undefined
    ? []
    : listOf(decode(bytes)).map((element) => (typeof element === 'string' ? parse(element) : element));
}

/** A value as it was put, or a list with its elements as they were appended. */
function decodeDeep(bytes: Uint8Array): Value {
  const value = decode(bytes);
  return Array.isArray(value) ? elements(bytes) : value;
}

function parse(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    return text;
  }
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

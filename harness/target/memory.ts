import type { Value } from '../../checker/history/op.ts';
import { balanceFirst, bankAccounts, readTransfer } from '../workload/bank.ts';
import { type Client, nodeNames, type Outcome, observed, type Request, type Target } from './target.ts';

type Data = Map<string, Value>;
type Operation = (data: Data, name: string, request: Request) => Outcome;

const ok = (value?: Value): Outcome => (value === undefined ? { type: 'ok' } : { type: 'ok', value });

/** Each function of each workload, right by construction. */
const operations: { readonly [workload: string]: { readonly [f: string]: Operation } } = {
  register: {
    read: (data, name) => ok(data.get(name) ?? null),
    write(data, name, { value = null }) {
      data.set(name, value);
      return ok();
    },
    cas(data, name, { value }) {
      const [expected, next = null] = listOf(value);
      if ((data.get(name) ?? null) !== expected) return observed('cas-mismatch');
      data.set(name, next);
      return ok();
    },
  },
  set: { add: push, read: (data, name) => ok(listOf(data.get(name))) },
  'set-full': { add: push, read: (data, name) => ok(listOf(data.get(name))) },
  counter: {
    add: push,
    read: (data, name) => ok(listOf(data.get(name)).reduce((sum: number, delta) => sum + Number(delta), 0)),
  },
  queue: {
    enqueue: push,
    dequeue(data, name) {
      const [first, ...rest] = listOf(data.get(name));
      if (first === undefined) return observed('empty');
      data.set(name, rest);
      return ok(first);
    },
  },
  lock: {
    acquire(data, name, { process }) {
      if (data.has(name)) return observed('held');
      data.set(name, process);
      return ok();
    },
    release(data, name, { process }) {
      if (data.get(name) !== process) return observed('not-held');
      data.delete(name);
      return ok();
    },
  },
  append: { txn: transaction },
  wr: { txn: transaction },
  'long-fork': { txn: transaction },
  bank: {
    read: (data) => ok(Object.fromEntries(bankAccounts.map((account) => [account, balance(data, account)]))),
    transfer(data, _, { value }) {
      const { from, to, amount } = readTransfer(value);
      if (balance(data, from) < amount) return observed('insufficient');
      data.set(from, balance(data, from) - amount);
      data.set(to, balance(data, to) + amount);
      return ok();
    },
  },
};

/**
 * A store without processes: one map that every "node" shares. It shows what the harness itself can do (operations
 * a second, its own latency), and lets everything above targets be tried without a cluster.
 */
export const memory: Target = {
  name: 'memory',
  workloads: Object.keys(operations),
  audited: false,
  faults: [],
  nodes: { default: 5, most: 25 },
  options: {},
  async setUp({ nodes, workload }) {
    const names = nodeNames(nodes);
    const data: Data = new Map();
    let applied = 0;
    return {
      nodes: names,
      world: undefined,
      mechanisms: {},
      client: (): Client => ({
        invoke(request, done) {
          const operation = operations[workload]?.[request.f];
          const outcome = operation?.(data, JSON.stringify(request.key ?? null), request);
          applied++;
          setImmediate(done, outcome ?? { type: 'fail', error: `unknown-operation ${request.f}` });
        },
        close() {},
      }),
      status: async () =>
        names.map((node, at) => ({ node, leader: at === 0, term: 1, applied, hash: String(applied) })),
      tearDown: async () => {},
    };
  },
};

function balance(data: Data, account: string): number {
  const held = data.get(account);
  return typeof held === 'number' ? held : balanceFirst;
}

function push(data: Data, name: string, { value = null }: Request): Outcome {
  data.set(name, [...listOf(data.get(name)), value]);
  return ok();
}

function transaction(data: Data, _: string, { value }: Request): Outcome {
  return ok(
    listOf(value).map((micro): Value => {
      const [f = null, key = null, argument = null] = listOf(micro);
      const name = JSON.stringify(key);
      if (f === 'r') return [f, key, data.get(name) ?? null];
      data.set(name, f === 'append' ? [...listOf(data.get(name)), argument] : argument);
      return [f, key, argument];
    }),
  );
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

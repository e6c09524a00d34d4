import type { Value } from '../../checker/history/op.ts';
import type { Client, Outcome, Request, Target } from './target.ts';

/**
 * A store without processes: one map that every "node" shares, right by construction. It shows what the harness
 * itself can do (operations a second, its own latency), and lets everything above targets be tried without one.
 */
export const memory: Target = {
  name: 'memory',
  workloads: ['register'],
  audited: false,
  breakable: false,
  async setUp({ nodes }) {
    const names = Array.from({ length: nodes }, (_, at) => String(at + 1));
    const store = new Map<string, Value>();
    let applied = 0;
    return {
      nodes: names,
      world: undefined,
      mechanisms: {},
      client: (): Client => ({
        invoke(request, done) {
          const outcome = carryOut(store, request);
          applied++;
          setImmediate(done, outcome);
        },
        close() {},
      }),
      status: async () =>
        names.map((node, at) => ({ node, leader: at === 0, term: 1, applied, hash: String(applied) })),
      tearDown: async () => {},
    };
  },
};

function carryOut(store: Map<string, Value>, { f, key = null, value = null }: Request): Outcome {
  const name = JSON.stringify(key);
  const now = store.get(name) ?? null;
  switch (f) {
    case 'read':
      return { type: 'ok', value: now };
    case 'write':
      store.set(name, value);
      return { type: 'ok' };
    case 'cas': {
      const [expected, next] = value as readonly [Value, Value];
      if (now !== expected) return { type: 'fail', error: 'cas-mismatch' };
      store.set(name, next);
      return { type: 'ok' };
    }
    default:
      return { type: 'fail', error: `unknown-operation ${f}` };
  }
}

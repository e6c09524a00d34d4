import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import t from 'tap';
import { checkLinear, IncrementalLinear, type LinearOptions, type Model, type Op, type Value } from './index.ts';

/** The root of the project, from where this is compiled to. */
const root = join(import.meta.dirname, '../..');

function op(process: number, type: Op['type'], f: string, value: Value = null): Op {
  return { index: 0, time: 0, process, type, f, value };
}

t.test('the library by its name, as a browser has it: one bundle, and nothing of Node', async (t) => {
  // What is not found in it, and no other platform's modules are, fails the build.
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { checkLinear, checkTxn, parseHistory, verifySerialOrder } from 'splitbrain/checker';
        const bytes = (lines) => new TextEncoder().encode(lines.map((line) => JSON.stringify(line) + '\\n').join(''));
        const op = (process, type, f, value) => ({ process, type, f, value });
        const linear = parseHistory(bytes([
          op(0, 'invoke', 'write', 1), op(0, 'ok', 'write', 1), op(0, 'invoke', 'write', 2), op(0, 'ok', 'write', 2),
          op(1, 'invoke', 'read', null), op(1, 'ok', 'read', 1),
        ])).events;
        const txn = parseHistory(bytes([
          op(0, 'invoke', 'txn', [['append', 'x', 1]]), op(0, 'ok', 'txn', [['append', 'x', 1]]),
          op(1, 'invoke', 'txn', [['r', 'x', null]]), op(1, 'ok', 'txn', [['r', 'x', [1]]]),
        ])).events;
        const { valid, anomalies } = checkLinear(linear, { model: 'register', now: () => 0 });
        const ordered = checkTxn(txn, { model: 'list-append', certificate: true });
        const { order } = ordered.details;
        answer = JSON.stringify([valid, anomalies[0].message, ordered.valid, order, verifySerialOrder(txn.ops(), order, 'realtime') ?? 'verified']);
      `,
      resolveDir: root,
    },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
  });
  const browser = createContext({ TextEncoder, TextDecoder, answer: '' });
  runInContext(outputFiles[0]!.text, browser);
  t.strictSame(JSON.parse(browser.answer), [
    false,
    'no order of 3 operations explains their answers: write 1, write 2, read → 1',
    true,
    [1, 3],
    'verified',
  ]);
});

/** From each of six values to each other leads one compare of unknown outcome; and reads see more changes than that. */
function hard(): Op[] {
  const ops = [op(0, 'invoke', 'write', 0), op(0, 'ok', 'write', 0)];
  for (let i = 0; i < 36; i++) {
    const pair = [Math.floor(i / 6), i % 6];
    if (pair[0] !== pair[1]) ops.push(op(100 + i, 'invoke', 'cas', pair), op(100 + i, 'info', 'cas', pair));
  }
  for (let i = 1; i < 40; i++)
    ops.push(op(0, 'invoke', 'read'), op(0, 'ok', 'read', (i * i + i) % 6 === 0 ? i % 2 : (i * 5 + 1) % 6));
  return ops;
}

t.test('a search that reaches its bound says how far it came, why, and where it stands', async (t) => {
  const bounds: readonly (readonly [name: string, options: Omit<LinearOptions, 'model'>, reason: RegExp])[] = [
    ['memory', { configurationsMax: 1_000 }, /the search holds \d+ configurations, its bound/],
    ['time', { timeMaxMs: 0, now: ticking() }, /the time is up/],
  ];
  for (const [name, options, reason] of bounds) {
    const section = checkLinear(hard(), { ...options, model: 'cas-register' });
    t.equal(section.valid, 'unknown', name);
    t.match(section.reason, reason, name);
    const [undecided] = (section.details?.undecided ?? []) as unknown as readonly Frontier[];
    t.match(undecided?.reason, reason, name);
    t.ok(undecided!.verifiedTo > 0, `${name}: everything before event ${undecided?.verifiedTo} is linearizable`);
    t.ok(undecided!.prefixes.length > 0, `${name}: there are prefixes to go on from`);
    for (const { state, ahead, pending } of undecided!.prefixes) {
      t.type(state, 'string');
      t.ok(Array.isArray(ahead) && pending.length > 0, 'with what is still to come');
    }
  }
});

interface Frontier {
  readonly reason: string;
  readonly verifiedTo: number;
  readonly prefixes: readonly { readonly state: string; readonly ahead: Value; readonly pending: readonly number[] }[];
}

/** A clock on which each look takes a millisecond. */
function ticking(): () => number {
  let ms = 0;
  return () => ms++;
}

t.test('the incremental form finds a violation while the run goes on', async (t) => {
  const check = new IncrementalLinear({ model: 'register', stride: 1 });
  const ops = [
    op(0, 'invoke', 'write', 1),
    op(0, 'ok', 'write', 1),
    op(1, 'invoke', 'read'),
    op(1, 'ok', 'read', 2),
    op(0, 'invoke', 'write', 3),
  ];
  t.strictSame(
    ops.map((one) => check.push(one)),
    [true, true, true, false, true],
  );
  const { valid, anomalies } = check.finish();
  t.equal(valid, false);
  t.equal(anomalies[0]?.message, 'no order of the operations explains read → 2');
});

t.test('a model of a few lines is as good as ours', async (t) => {
  const flag: Model<boolean> = {
    name: 'flag',
    init: () => false,
    step: (up, { f, result }) => (f === 'raise' ? [true] : result === undefined || result === up ? [up] : []),
  };
  const history = (seen: boolean): Op[] => [
    op(0, 'invoke', 'raise'),
    op(0, 'ok', 'raise'),
    op(1, 'invoke', 'read'),
    op(1, 'ok', 'read', seen),
  ];
  t.equal(checkLinear(history(true), { model: flag as Model<unknown> }).valid, true);
  const { valid, anomalies } = checkLinear(history(false), { model: flag as Model<unknown> });
  t.equal(valid, false);
  t.equal(anomalies[0]?.message, 'no order of 2 operations explains their answers: raise, read → false');
});

import t from 'tap';
import { type CertifiedCall, mayLeaveOut, verifyCounterexample, verifyLinearization } from '../certificate.ts';
import type { Op, Value } from '../history/op.ts';
import type { Model, Operation } from '../model/model.ts';
import { type ModelName, models } from '../model/models.ts';
import { checkLinear } from './check.ts';
import { IncrementalLinear } from './incremental.ts';

// `SPLITBRAIN_FUZZ=1000000 node dist/checker/linear/differential.test.js` is the long form.
const ROUNDS = Number(process.env.SPLITBRAIN_FUZZ ?? 600);
const SEED = Number(process.env.SPLITBRAIN_FUZZ_SEED ?? 1);
/** Part of the names of the tests to run. */
const ONLY = process.env.SPLITBRAIN_FUZZ_ONLY ?? '';

/** xorshift32: the test's own, so that a seed means the same for ever. */
function random(seed: number): (bound: number) => number {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** The brute-force checker: every order, nothing clever. */
function bruteForce(model: Model<unknown>, state: unknown, calls: readonly CertifiedCall[]): boolean {
  const first = Math.min(...calls.map((call) => call.complete));
  if (first === Number.POSITIVE_INFINITY || calls.length === 0) return true;
  return calls.some(
    (call, at) =>
      call.invoke <= first &&
      model.step(state, call.operation).some((next) => bruteForce(model, next, calls.toSpliced(at, 1))),
  );
}

/** What the test knows of a history without asking the checker. */
function callsOf(ops: readonly Op[], model: Model<unknown>, observed: boolean): CertifiedCall[] {
  const calls: CertifiedCall[] = [];
  for (const op of ops) {
    if (op.type !== 'invoke') continue;
    const end = ops.find((other) => other.index > op.index && other.process === op.process);
    const base = { f: op.f, argument: op.value ?? null, process: Number(op.process) };
    let operation: Operation = { ...base, result: undefined, outcome: 'unknown' };
    let complete = Number.POSITIVE_INFINITY;
    if (end?.type === 'ok') operation = { ...base, result: end.value ?? null, outcome: 'ok' };
    if (end?.type === 'fail') {
      const refusal = op.f === 'cas' ? observed : model.refusals?.includes(end.error ?? '');
      if (refusal !== true) continue;
      operation = { ...base, result: null, outcome: 'refused' };
    }
    if (end?.type === 'ok' || end?.type === 'fail') complete = end.index;
    calls.push({ operation, invoke: op.index, complete });
  }
  return calls;
}

type Generate = (below: (bound: number) => number) => {
  readonly invoke: (process: number) => { readonly f: string; readonly value: Value };
  /** A completion for it: most are plausible, none is checked. */
  readonly complete: (
    f: string,
    value: Value,
  ) => { readonly type: 'ok' | 'fail' | 'info'; readonly value?: Value; readonly error?: string };
};

function historyOf(below: (bound: number) => number, generate: Generate, length: number): Op[] {
  const { invoke, complete } = generate(below);
  const ops: Op[] = [];
  const open = new Map<number, { readonly f: string; readonly value: Value }>();
  const processes = 2 + below(3);
  const retired = new Set<number>();
  let invoked = 0;
  while (invoked < length || open.size > 0) {
    let process = below(processes);
    while (retired.has(process)) process += processes;
    const call = open.get(process);
    const common = { index: ops.length, time: ops.length, process };
    if (call === undefined) {
      if (invoked === length) {
        if (open.size > 0 && [...open.keys()].every((one) => one !== process)) {
          process = [...open.keys()][below(open.size)]!;
        }
        const last = open.get(process);
        if (last === undefined) break;
        const end = complete(last.f, last.value);
        open.delete(process);
        ops.push({ ...common, process, f: last.f, ...end });
        continue;
      }
      const next = invoke(process);
      invoked++;
      open.set(process, next);
      ops.push({ ...common, type: 'invoke', ...next });
      continue;
    }
    open.delete(process);
    const end = complete(call.f, call.value);
    if (end.type === 'info') retired.add(process);
    ops.push({ ...common, f: call.f, ...end });
  }
  return ops;
}

/** A register, used with values that are unique, nearly unique, or few. */
const registers: Generate = (below) => {
  const style = below(3);
  let written = 0;
  const fresh = (): Value =>
    style === 0 ? ++written : style === 1 ? (below(8) === 0 ? below(3) : ++written) : below(3);
  const some = (): Value => (below(6) === 0 ? null : style === 2 ? below(3) : 1 + below(Math.max(1, written)));
  return {
    invoke: () => {
      const f = ['read', 'write', 'cas'][below(3)]!;
      return { f, value: f === 'read' ? null : f === 'write' ? fresh() : [some(), fresh()] };
    },
    complete: (f, value) => {
      const type =
        f === 'cas'
          ? (['ok', 'ok', 'fail', 'info'] as const)[below(4)]!
          : (['ok', 'ok', 'ok', 'ok', 'info'] as const)[below(5)]!;
      return { type, value: f === 'read' && type === 'ok' ? some() : value };
    },
  };
};

/** A store's key, with all that can be done to it. */
const keys: Generate = (below) => {
  const some = (): Value => [null, 'a', 'b', 'ab', 'aa'][below(5)]!;
  return {
    invoke: () => {
      const f = ['get', 'get', 'put', 'append', 'delete', 'cas'][below(6)]!;
      const letter = ['a', 'b'][below(2)]!;
      return { f, value: f === 'get' || f === 'delete' ? null : f === 'cas' ? [some(), letter] : letter };
    },
    complete: (f, value) => {
      const type = (f === 'cas' ? (['ok', 'ok', 'fail', 'info'] as const) : (['ok', 'ok', 'ok', 'info'] as const))[
        below(4)
      ]!;
      return { type, value: f === 'get' && type === 'ok' ? some() : value };
    },
  };
};

/** A store's key that holds lists, of elements that are appended once, or more often, or are put there. */
const lists: Generate = (below) => {
  const unique = below(3) > 0;
  const onlyAppends = below(2) === 0;
  let next = 0;
  let held: readonly Value[] | null = null;
  const some = (): Value => [held, held, held, null, held?.slice(0, -1) ?? null, held?.toReversed() ?? []][below(6)]!;
  return {
    invoke: () => {
      const f = (onlyAppends ? ['append', 'append', 'get', 'delete'] : ['append', 'get', 'put', 'delete', 'cas'])[
        below(onlyAppends ? 4 : 5)
      ]!;
      const element = unique ? ++next : below(3);
      const list = below(3) === 0 ? null : below(2) === 0 ? [element] : [below(3), element];
      return { f, value: { append: element, put: list, cas: [some(), list] }[f] ?? null };
    },
    complete: (f, value) => {
      const type = (f === 'cas' ? (['ok', 'ok', 'fail', 'info'] as const) : (['ok', 'ok', 'ok', 'info'] as const))[
        below(4)
      ]!;
      if (f === 'get') return { type, value: type === 'ok' ? some() : null };
      if (type === 'ok' || (type === 'info' && below(2) === 0)) {
        if (f === 'append') held = [...(held ?? []), value];
        else if (f === 'delete') held = null;
        else if (f === 'put') held = value as readonly Value[] | null;
        else held = (value as readonly [Value, readonly Value[] | null])[1];
      }
      return { type, value };
    },
  };
};

/** Elements put in and taken out, or reported empty. */
function container(put: string, take: string): Generate {
  return (below) => {
    const unique = below(3) > 0;
    // Without calls of unknown outcome and empty answers, elements can be looked at one by one.
    const plain = below(2) === 0;
    let next = 0;
    return {
      invoke: () => (below(2) === 0 ? { f: put, value: unique ? ++next : below(2) } : { f: take, value: null }),
      complete: (f, value) => {
        if ((!plain || f === put) && below(7) === 0) return { type: 'info', value };
        if (f === put) return { type: below(12) === 0 ? 'fail' : 'ok', value };
        const answer = !plain && below(5) === 0 ? null : unique ? 1 + below(Math.max(1, next)) : below(2);
        return !plain && below(8) === 0 ? { type: 'fail', value: null, error: 'empty' } : { type: 'ok', value: answer };
      },
    };
  };
}

const sets: Generate = (below) => {
  const unique = below(2) === 0;
  const plain = below(2) === 0;
  let next = 0;
  return {
    invoke: () => {
      const f = (plain ? ['add', 'read', 'read'] : ['add', 'add', 'remove', 'contains', 'read'])[below(plain ? 3 : 5)]!;
      if (f === 'read') return { f, value: null };
      return { f, value: f === 'add' && unique ? ++next : below(unique ? Math.max(1, next) + 1 : 2) };
    },
    complete: (f, value) => {
      if (below(8) === 0) return { type: 'info', value };
      if (f === 'contains') return { type: 'ok', value: below(2) === 0 };
      const all = Array.from({ length: unique ? next : 2 }, (_, one) => one + Number(unique));
      return { type: 'ok', value: f === 'read' ? all.filter(() => below(3) > 0) : value };
    },
  };
};

const counters: Generate = (below) => ({
  invoke: () => (below(2) === 0 ? { f: 'read', value: null } : { f: 'add', value: below(3) - 1 }),
  complete: (f, value) =>
    below(6) === 0 ? { type: 'info', value } : { type: 'ok', value: f === 'read' ? below(4) - 1 : value },
});

const locks: Generate = (below) => ({
  invoke: () => ({ f: below(2) === 0 ? 'acquire' : 'release', value: null }),
  complete: () => ({ type: (['ok', 'ok', 'ok', 'fail', 'info'] as const)[below(5)]! }),
});

const several: Generate = (below) => {
  const actions = (): Value =>
    Array.from({ length: 1 + below(2) }, () => [below(2) === 0 ? 'r' : 'w', ['x', 'y'][below(2)]!, below(3)]);
  return {
    invoke: () => ({ f: 'txn', value: actions() }),
    complete: (_, value) => ({ type: below(5) === 0 ? 'info' : 'ok', value }),
  };
};

/** Judges one history by checker, brute force and certificates. */
function disagreement(
  ops: readonly Op[],
  name: ModelName,
  failedCas: 'observed' | 'ignored',
  below: (bound: number) => number,
): string | undefined {
  const model: Model<unknown> = models[name];
  const section = checkLinear(ops, { model: name, failedCas, certificate: true });
  // Without certificates other paths may be taken.
  const plain = checkLinear(ops, { model: name, failedCas, explain: false }).valid;
  if (plain !== section.valid) return `${plain} without certificate, ${section.valid} with`;
  const incremental = new IncrementalLinear({ model: name, failedCas, stride: 1 + below(3) });
  for (const op of ops) incremental.push(op);
  const step = incremental.finish().valid;
  if (step !== section.valid) return `${step} step by step, ${section.valid} at once: ${JSON.stringify(ops)}`;
  const calls = callsOf(ops, model, failedCas === 'observed');
  const initial = model.init(undefined);
  const expected = bruteForce(model, initial, calls);
  const context = (): string => `${name} ${failedCas}\n${ops.map((op) => JSON.stringify(op)).join('\n')}`;
  if (section.valid === 'unknown')
    return section.counts.operations === 0 || section.reason?.includes('no reads') ? undefined : context();
  if (section.valid !== expected) return `got ${section.valid}, expected ${expected}: ${context()}`;
  if (section.valid) {
    const certificates = section.details?.certificates as readonly { readonly order: readonly number[] }[];
    const order = certificates[0]!.order.map((op) => calls.findIndex((call) => call.invoke === op));
    return verifyLinearization(model, initial, calls, order)
      ? undefined
      : `certificate ${certificates[0]!.order}: ${context()}`;
  }
  const { counterexample } = section.anomalies[0]!.evidence as unknown as {
    readonly counterexample: readonly { readonly op: number; readonly completion?: number }[];
  };
  // The part that is kept, as the history has it; completions that are not needed are left out.
  const kept: CertifiedCall[] = [];
  const removed: Operation[] = [];
  for (const call of calls) {
    const part = counterexample.find((one) => one.op === call.invoke);
    if (part === undefined) removed.push(call.operation);
    else if (part.completion !== undefined) kept.push(call);
    else kept.push({ ...call, complete: Number.POSITIVE_INFINITY });
  }
  const end = Math.max(...kept.map((call) => (call.complete === Number.POSITIVE_INFINITY ? -1 : call.complete)));
  const before = removed.filter((operation) => calls.some((call) => call.operation === operation && call.invoke < end));
  if (
    !mayLeaveOut(
      model,
      before,
      kept.map((call) => call.operation),
    )
  )
    return `unsound shrinking: ${context()}`;
  return verifyCounterexample(model, initial, kept) === true
    ? undefined
    : `counterexample ${JSON.stringify(counterexample)}: ${context()}`;
}

function differential(
  t: Pick<typeof import('tap').t, 'fail' | 'ok' | 'comment'>,
  generate: Generate,
  names: readonly ModelName[],
): void {
  const below = random(SEED);
  let valid = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const ops = historyOf(below, generate, 1 + below(7));
    for (const name of names) {
      for (const failedCas of ['observed', 'ignored'] as const) {
        const wrong = disagreement(ops, name, failedCas, below);
        if (wrong !== undefined) {
          t.fail(wrong);
          return;
        }
      }
    }
    if (checkLinear(ops, { model: names[0]! }).valid === true) valid++;
  }
  t.comment(`${ROUNDS} histories, ${valid} of them valid`);
  t.ok(valid > ROUNDS / 20 && valid < ROUNDS, 'some histories are valid, and some are not');
}

const tests: { readonly [title: string]: readonly [Generate, readonly ModelName[]] } = {
  'registers with cas and unknown outcomes': [registers, ['cas-register']],
  'keys with append and delete': [keys, ['kv']],
  'keys that hold lists': [lists, ['kv']],
  queues: [container('enqueue', 'dequeue'), ['fifo-queue', 'unordered-queue']],
  stacks: [container('push', 'pop'), ['stack']],
  sets: [sets, ['set']],
  counters: [counters, ['counter']],
  locks: [locks, ['mutex']],
  'several registers at once': [several, ['multi-register']],
};

for (const [title, [generate, names]] of Object.entries(tests)) {
  if (!title.includes(ONLY)) continue;
  t.test(`${title}: as brute force, both readings of a failed cas`, async (t) => differential(t, generate, names));
}

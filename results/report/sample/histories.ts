import type { Op, Value } from '../../../checker/history/op.ts';
import { hostileTexts, type SampleKind } from './kinds.ts';

/** A small generator of repeatable numbers: the pictures stay the same. */
function numbers(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

interface Open {
  readonly process: number;
  readonly f: string;
  readonly key: Value;
  readonly value: Value;
  readonly answer: Value;
  readonly at: number;
  readonly outcome: 'ok' | 'fail' | 'info';
  readonly error?: string;
}

/** Ten clients on five registers over about a minute; slower, and less certain, while there are faults. */
export function registers(count: number, kind: SampleKind): Op[] {
  const random = numbers(7);
  const keys = kind === 'hostile' ? hostileTexts : ['account', 'balance', 'cart', 'session', 'x'];
  const state = new Map<Value, Value>();
  const length = Math.max(60e9, count * 5e6);
  const history: Op[] = [];
  const open: Open[] = [];
  const threads = Array.from({ length: 10 }, (_, thread) => thread);
  let next = 1;
  const add = (op: Omit<Op, 'index'>): void => {
    history.push({ index: history.length, ...op });
  };
  const complete = (until: number): void => {
    open.sort((a, b) => a.at - b.at);
    while (open[0] !== undefined && open[0].at <= until) {
      const { process, f, key, value, answer, at, outcome, error } = open.shift() as Open;
      add({
        time: at,
        process,
        type: outcome,
        f,
        key,
        value: outcome === 'ok' ? answer : value,
        ...(error !== undefined && { error }),
      });
    }
  };
  for (let i = 0; i < count; i++) {
    const time = Math.floor((i / count) * length) + random(1e6);
    complete(time);
    const busy = new Set(open.map(({ process }) => process % 10));
    const thread = threads.find((candidate) => !busy.has(candidate));
    if (thread === undefined) continue;
    const process = threads[thread] === undefined ? thread : (retired.get(thread) ?? thread);
    const key = keys[random(keys.length)] ?? 'x';
    const f = ['read', 'write', 'cas', 'read'][random(4)] ?? 'read';
    const current = state.get(key) ?? null;
    const fresh: Value =
      kind === 'hostile'
        ? random(400) === 0
          ? 'm'.repeat(1 << 20)
          : (hostileTexts[random(hostileTexts.length)] ?? '')
        : next++;
    const value: Value = f === 'read' ? null : f === 'cas' ? [random(3) === 0 ? 1 : current, fresh] : fresh;
    add({ time, process, type: 'invoke', f, key, value, op: `0-${i}`, node: String(1 + (thread % 5)) });
    const faulty = Math.floor(time / 5e9) % 3 === 1;
    const latency = faulty && random(6) === 0 ? 4e8 + random(8e8) : 1e6 + random(9e6) * (faulty ? 4 : 1);
    const refused = f === 'cas' && Array.isArray(value) && JSON.stringify(value[0]) !== JSON.stringify(current);
    const outcome = refused ? 'fail' : faulty && latency > 8e8 ? (f === 'read' ? 'fail' : 'info') : 'ok';
    if (outcome !== 'fail' && f !== 'read') state.set(key, fresh);
    if (outcome === 'info') retired.set(thread, process + 10);
    const error =
      outcome === 'ok' ? {} : { error: refused ? 'cas-mismatch' : outcome === 'info' ? 'timeout' : 'no-leader' };
    open.push({
      process,
      f,
      key,
      value,
      answer: f === 'read' ? current : value,
      at: time + latency,
      outcome,
      ...error,
    });
  }
  retired.clear();
  complete(Number.POSITIVE_INFINITY);
  return kind === 'stale-read' || kind === 'simulated' ? withStaleRead(history) : history;
}

const retired = new Map<number, number>();

/** Puts a write of 9001, its read, and then a read of the value before it, on key `cart`. */
function withStaleRead(history: readonly Op[]): Op[] {
  const middle = Math.floor(history.length * 0.45);
  const time = history[middle]?.time ?? 0;
  const event = (
    ms: number,
    process: number,
    type: Op['type'],
    f: string,
    value: Value,
    node: string,
  ): Omit<Op, 'index'> => ({
    time: time + ms * 1e6,
    process,
    type,
    f,
    key: 'stale',
    value,
    ...(type === 'invoke' && { node, op: `s-${process}-${ms}` }),
  });
  const story = [
    event(0, 900, 'invoke', 'write', 9000, '1'),
    event(4, 900, 'ok', 'write', 9000, '1'),
    event(6, 901, 'invoke', 'write', 9001, '2'),
    event(7, 904, 'invoke', 'write', 9002, '4'),
    event(11, 901, 'ok', 'write', 9001, '2'),
    event(13, 902, 'invoke', 'read', null, '3'),
    event(15, 902, 'ok', 'read', 9001, '3'),
    event(18, 903, 'invoke', 'read', null, '1'),
    event(21, 903, 'ok', 'read', 9000, '1'),
    event(40, 904, 'info', 'write', 9002, '4'),
  ];
  const merged = [...history.slice(0, middle), ...story, ...history.slice(middle)];
  return merged.map((op, index) => ({ ...op, index }));
}

export function transactions(count: number): Op[] {
  const random = numbers(11);
  const history: Op[] = [];
  const lists = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const time = Math.floor((i / count) * 60e9);
    const steps: Value[] = [];
    const answers: Value[] = [];
    for (let step = 0; step <= random(3); step++) {
      const key = ['x', 'y', 'z'][random(3)] ?? 'x';
      const list = lists.get(key) ?? [];
      if (random(2) === 0) {
        steps.push(['append', key, i * 4 + step]);
        answers.push(['append', key, i * 4 + step]);
        lists.set(key, [...list.slice(-4), i * 4 + step]);
      } else {
        steps.push(['r', key, null]);
        answers.push(['r', key, list]);
      }
    }
    const process = i % 10;
    history.push({
      index: history.length,
      time,
      process,
      type: 'invoke',
      f: 'txn',
      value: steps,
      node: String(1 + (i % 5)),
    });
    history.push({
      index: history.length,
      time: time + 2e6 + random(2e7),
      process,
      type: 'ok',
      f: 'txn',
      value: answers,
    });
  }
  return history;
}

/** The runner's own notes of its phases, at the end where they move no index that evidence speaks of. */
export function withPhases(history: readonly Op[]): Op[] {
  const end = history.at(-1)?.time ?? 0;
  const notes: readonly (readonly [string, number])[] = [
    ['operations', 0],
    ['heal', end + 1e8],
    ['converge', end + 4e8],
    ['final', end + 1e9],
    ['end', end + 1.5e9],
  ];
  return [
    ...history,
    ...notes.map(
      ([value, time], i): Op => ({
        index: history.length + i,
        time,
        process: 'nemesis',
        type: 'info',
        f: 'phase',
        value,
      }),
    ),
  ];
}

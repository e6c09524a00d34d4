import type { History, Op, Value } from '../history/op.ts';
import type { Anomaly } from '../verdict.ts';
import { missesPredicate } from './verify-predicate.ts';

type Mop = readonly Value[];
type List = readonly Value[];

const same = (a: Value | undefined, b: Value | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);
const isWrite = (mop: Mop): boolean => mop[0] === 'append' || mop[0] === 'w';

/** The operations on a key of the transaction that completed, or was invoked, at a position. */
function on(history: History, at: number, key: Value | undefined): readonly Mop[] {
  const own = (op: Op | undefined): readonly Mop[] => (Array.isArray(op?.value) ? (op.value as readonly Mop[]) : []);
  const invoked = history.findLastIndex((op, before) => before < at && op.process === history[at]!.process);
  const mops = own(history[at]);
  return (mops.length > 0 ? mops : own(history[invoked])).filter((mop) => same(mop[1], key));
}

const wrote = (history: History, at: number, key: Value | undefined, value: Value | undefined): boolean =>
  on(history, at, key).some((mop) => isWrite(mop) && same(mop[2], value));

/** What was read from a key: of a register a value, of a list all its elements. */
const reads = (history: History, at: number, key: Value | undefined): readonly (Value | undefined)[] =>
  history[at]?.type === 'ok' ? on(history, at, key).flatMap((mop) => (mop[0] === 'r' ? [mop[2] ?? null] : [])) : [];

const lists = (history: History, at: number, key: Value | undefined): readonly List[] =>
  reads(history, at, key).map((list) => (Array.isArray(list) ? (list as List) : []));

const saw = (history: History, at: number, key: Value | undefined, value: Value | undefined): boolean =>
  reads(history, at, key).some((read) =>
    Array.isArray(read) && !Array.isArray(value) ? read.some((element) => same(element, value)) : same(read, value),
  );

const isBeginning = (a: List, b: List): boolean => same(a, b.slice(0, a.length));
const some = (history: History, holds: (at: number) => boolean): boolean => history.some((_, at) => holds(at));

/** The checks of anomalies without a cycle: whether the history alone shows them. */
export const DIRECT: { readonly [kind: string]: (history: History, anomaly: Anomaly) => boolean } = {
  G1a: (history, { evidence: e, key }) =>
    history[Number(e.writer)]!.type === 'fail' &&
    wrote(history, Number(e.writer), key, e.element ?? e.value) &&
    saw(history, Number(e.reader), key, e.element ?? e.value),
  G1b: (history, { evidence: e, key }) => {
    const writes = on(history, Number(e.writer), key).filter(isWrite);
    const isMiddle = writes.slice(0, -1).some((mop) => same(mop[2], e.element ?? e.value));
    const ends = reads(history, Number(e.reader), key).map((read) => (Array.isArray(read) ? read.at(-1) : read));
    return isMiddle && e.writer !== e.reader && ends.some((end) => same(end, e.element ?? e.value));
  },
  'garbage-read': (history, { ops, evidence: e, key }) =>
    saw(history, ops[0]!, key, e.element ?? e.value) &&
    !some(history, (at) => wrote(history, at, key, e.element ?? e.value)),
  internal: (history, { ops, evidence: e, key }) => {
    const mops = on(history, ops[0]!, key);
    return mops.some((mop, i) => {
      if (mop[0] !== 'r' || i === 0 || !same(mop[2] ?? (e.list === undefined ? null : []), e.list ?? e.value))
        return false;
      if (e.list === undefined) return !same(mop[2], mops[i - 1]![2] ?? null);
      // What was read last, and what was appended since.
      const last = mops.slice(0, i).findLastIndex(([f]) => f === 'r');
      const own = mops.slice(last + 1, i).map((append) => append[2]!);
      const list = e.list as List;
      return last < 0
        ? own.length > 0 && !same(list.slice(-own.length), own)
        : !same(list, [...((mops[last]![2] ?? []) as List), ...own]);
    });
  },
  'lost-update': (history, { ops, evidence: e, key }) =>
    ops.length > 1 &&
    ops.every((at) => {
      const [first, ...rest] = on(history, at, key);
      const empty = Array.isArray(e.value) ? [] : null;
      return history[at]!.type === 'ok' && first?.[0] === 'r' && same(first[2] ?? empty, e.value) && rest.some(isWrite);
    }),
  'duplicate-elements': (history, { ops, evidence: e, key }) =>
    lists(history, ops[0]!, key).some((list) => list.filter((one) => same(one, e.element)).length > 1),
  'incompatible-order': (history, { ops, evidence: e, key }) => {
    const [a, b] = e.lists as readonly [List, List];
    return saw(history, ops[0]!, key, a) && saw(history, ops[1]!, key, b) && !isBeginning(a, b) && !isBeginning(b, a);
  },
  'dirty-update': (history, { ops, evidence: e, key }) => {
    const [failed, committed] = e.values as readonly [Value, Value];
    const isOnTop = (list: List): boolean =>
      list.findIndex((one) => same(one, failed)) < list.findIndex((one) => same(one, committed)) &&
      list.some((one) => same(one, failed));
    return (
      history[ops[0]!]!.type === 'fail' &&
      history[ops[1]!]!.type === 'ok' &&
      wrote(history, ops[0]!, key, failed) &&
      wrote(history, ops[1]!, key, committed) &&
      some(history, (at) => lists(history, at, key).some(isOnTop))
    );
  },
  'future-read': (history, { ops, evidence: e, key }) => {
    const mops = on(history, ops[0]!, key);
    const append = mops.findIndex((mop) => isWrite(mop) && same(mop[2], e.element));
    return mops
      .slice(0, append)
      .some((mop) => mop[0] === 'r' && ((mop[2] ?? []) as List).some((one) => same(one, e.element)));
  },
  'predicate-read-miss': (history, { ops, evidence: e, key }) => missesPredicate(history, ops[0]!, key, e.predicate!),
};

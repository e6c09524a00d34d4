import type { History, Op, Value } from '../history/op.ts';
import type { Anomaly } from '../verdict.ts';
import { DIRECT } from './verify-direct.ts';
import { hasPredicates, predicateEdgeFollows } from './verify-predicate.ts';

type Mop = readonly Value[];
interface Edge {
  readonly from: number;
  readonly to: number;
  readonly kind: string;
  readonly key?: Value;
  readonly value?: Value;
  readonly next?: Value;
  readonly order?: string;
  readonly support?: readonly number[];
}

/**
 * Checks the evidence of an anomaly of transactions against the history alone, sharing no code with the checker that
 * found it: of a cycle that its edges close, that each of them follows from what the operations say, and that it bears
 * its name; of any other that the operations show it.
 *
 * @returns what is wrong with it, or `undefined`
 */
export function verifyAnomaly(history: History, anomaly: Anomaly): string | undefined {
  const { kind, evidence } = anomaly;
  if (Array.isArray(evidence.edges)) return verifyCycle(history, kind, evidence.edges as unknown as readonly Edge[]);
  const holds = kind === 'cyclic-versions' ? cyclicVersions : DIRECT[kind];
  if (holds === undefined) return `nothing is known of ${kind}`;
  return holds(history, anomaly) ? undefined : `the operations do not show ${kind}`;
}

function verifyCycle(history: History, kind: string, edges: readonly Edge[]): string | undefined {
  const sound = hasPredicates(history) ? { ...SOUND, ...PREDICATE } : SOUND;
  for (const [i, edge] of edges.entries()) {
    if (edge.to !== edges[(i + 1) % edges.length]!.from) return `edge ${i} does not lead to the next`;
    if (!sound[edge.kind]?.(history, edge))
      return `edge ${i} (${edge.kind}, ${edge.from} to ${edge.to}) does not follow`;
  }
  const name = nameOf(edges.map((edge) => edge.kind));
  return name === kind ? undefined : `the cycle is a ${name}`;
}

function nameOf(kinds: readonly string[]): string {
  const isAnti = (kind: string | undefined): boolean => kind === 'rw' || kind === 'rwp';
  const anti = kinds.filter(isAnti).length;
  const apart = kinds.every((kind, i) => !isAnti(kind) || !isAnti(kinds[(i + 1) % kinds.length]));
  const item = kinds.includes('rwp') ? '' : '-item';
  const plain = anti === 0 ? undefined : `${anti === 1 ? 'G-single' : apart ? 'G-nonadjacent' : 'G2'}${item}`;
  const suffix = kinds.includes('realtime') ? '-realtime' : kinds.includes('process') ? '-process' : '';
  return (plain ?? (kinds.includes('wr') ? 'G1c' : 'G0')) + suffix;
}

const SOUND: { readonly [kind: string]: (history: History, edge: Edge) => boolean } = {
  process: (history, { from, to }) =>
    history[from]!.process === history[to]!.process && history[from]!.type === 'ok' && from < begin(history, to),
  realtime: (history, { from, to }) => history[from]!.type === 'ok' && from < begin(history, to),
  wr: (history, edge) => wrote(history, edge.from, edge, edge.value) && saw(history, edge.to, edge),
  ww: (history, edge) =>
    wrote(history, edge.from, edge, edge.value) && wrote(history, edge.to, edge, edge.next) && follows(history, edge),
  rw: (history, edge) =>
    saw(history, edge.from, edge) && wrote(history, edge.to, edge, edge.next) && follows(history, edge),
};

const PREDICATE = {
  ww: predicateEdgeFollows,
  wr: predicateEdgeFollows,
  rw: predicateEdgeFollows,
  rwp: predicateEdgeFollows,
};

/** Versions of a key of which each must have come before the next, and the last before the first. */
function cyclicVersions(history: History, { ops, key = null, evidence }: Anomaly): boolean {
  if (Array.isArray(evidence.steps)) {
    const steps = evidence.steps as unknown as readonly Edge[];
    return steps.every(
      (step, i) => same(step.next, steps[(i + 1) % steps.length]!.value) && registerFollows(history, { ...step, key }),
    );
  }
  // One transaction appended the first and then the second.
  const [a, b] = evidence.values as readonly [Value, Value];
  const appended = on(history, ops[0]!, key)
    .filter(isWrite)
    .map((mop) => mop[2]);
  const place = (list: readonly (Value | undefined)[], value: Value) => list.findIndex((one) => same(one, value));
  return (
    place(appended, a) >= 0 &&
    place(appended, a) < place(appended, b) &&
    readsOf(history, key).some((list) => place(list, b) >= 0 && (place(list, a) < 0 || place(list, a) > place(list, b)))
  );
}

/** Every list that a committed transaction read from a key. */
function readsOf(history: History, key: Value | undefined): readonly (readonly Value[])[] {
  return history.flatMap((op, at) =>
    op.type === 'ok'
      ? on(history, at, key).flatMap((mop) => (mop[0] === 'r' ? [(mop[2] ?? []) as readonly Value[]] : []))
      : [],
  );
}

const same = (a: Value | undefined, b: Value | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Where the transaction that completed at a position was invoked; -1 when the history does not say. */
function begin(history: History, at: number): number {
  if (history[at]!.type === 'invoke') return at;
  for (let i = at - 1; i >= 0; i--) {
    if (history[i]!.process === history[at]!.process) return history[i]!.type === 'invoke' ? i : -1;
  }
  return -1;
}

/** The operations of a transaction on a key. */
function on(history: History, at: number, key: Value | undefined): readonly Mop[] {
  const op = history[at] as Op;
  const value = op.value ?? history[begin(history, at)]!.value;
  return (value as readonly Mop[]).filter((mop) => same(mop[1], key));
}

const isWrite = (mop: Mop): boolean => mop[0] === 'append' || mop[0] === 'w';

function wrote(history: History, at: number, { key }: Edge, value: Value | undefined): boolean {
  if (history[at]!.type === 'fail') return false;
  const writes = on(history, at, key).filter(isWrite);
  // Of a register only the last write of a transaction outlives it.
  const kept = writes[0]?.[0] === 'w' ? writes.slice(-1) : writes;
  return kept.some((mop) => same(mop[2], value));
}

function saw(history: History, at: number, { key, value }: Edge): boolean {
  const mops = on(history, at, key);
  if (history[at]!.type !== 'ok') return false;
  if (isRegister(history)) return mops[0]?.[0] === 'r' && same(mops[0][2] ?? null, value);
  return mops.some((mop) => mop[0] === 'r' && same((mop[2] as readonly Value[] | null)?.at(-1) ?? null, value));
}

function isRegister(history: History): boolean {
  return history.some(({ value }) => (value as readonly Mop[] | undefined)?.some((mop) => mop[0] === 'w'));
}

/** Whether `next` came after `value` in the order of the key's versions. */
function follows(history: History, edge: Edge): boolean {
  if (isRegister(history)) return registerFollows(history, edge);
  const reads = readsOf(history, edge.key);
  const isDirect = reads.some((list) => {
    const at = list.findIndex((element) => same(element, edge.next));
    return at >= 0 && same(list[at - 1] ?? null, edge.value ?? null);
  });
  const longest = reads.reduce((a, b) => (b.length > a.length ? b : a), []);
  const isUnread = reads.every((list) => !list.some((element) => same(element, edge.next)));
  return isDirect || (isUnread && same(longest.at(-1) ?? null, edge.value ?? null));
}

function registerFollows(history: History, edge: Edge): boolean {
  const [a, b] = edge.support ?? [];
  const last = (at: number): Value => on(history, at, edge.key).findLast(isWrite)?.[2] ?? read(at);
  const read = (at: number): Value => on(history, at, edge.key)[0]?.[2] ?? null;
  // Who read null and wrote is only known to have come before what it wrote.
  const first = (at: number): Value => {
    const mops = on(history, at, edge.key);
    return mops[0]?.[0] === 'r' && (read(at) !== null || !mops.some(isWrite)) ? read(at) : last(at);
  };
  if (edge.order === 'initial') return !history.some((_, at) => wrote(history, at, edge, edge.value));
  if (edge.order === 'wfr') {
    return (
      a !== undefined && history[a]!.type === 'ok' && same(read(a), edge.value) && wrote(history, a, edge, edge.next)
    );
  }
  if (a === undefined || b === undefined || history[a]!.type !== 'ok' || !same(last(a), edge.value)) return false;
  if (!(same(first(b), edge.next) || (history[b]!.type !== 'ok' && wrote(history, b, edge, edge.next)))) return false;
  if (edge.order === 'sequential') return history[a]!.process === history[b]!.process && a < b;
  return edge.order === 'linearizable' && a < begin(history, b);
}

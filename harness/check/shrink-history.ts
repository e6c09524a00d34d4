import { canonical, Events } from '../../checker/history/events.ts';
import type { Op } from '../../checker/history/op.ts';
import { type Anomaly, mergeSections, type Section } from '../../checker/verdict.ts';
import { signatureOf } from '../simulate/signature.ts';
import type { CheckModel, ModelOptions } from './check-models.ts';
import { leaveOut } from './delta-debugging.ts';
import { type Call, Dependencies, keysOf } from './leaving-out.ts';

export interface ShrinkHistoryOptions {
  readonly model: CheckModel;
  readonly options: ModelOptions;
  /** What must stay, `section:kind`. */
  readonly wanted: string;
  /** What the model says of the whole history. */
  readonly section: Section;
  /** Tries nothing further. */
  readonly signal: AbortSignal;
  readonly onSmaller: (calls: number, tried: number) => void;
}

export interface ShrunkHistory {
  /** Numbered anew, from 0. */
  readonly ops: readonly Op[];
  /** Where they stood in the whole history. */
  readonly places: readonly number[];
  /** Histories that were judged. */
  readonly tried: number;
}

/** How many anomalies of the wanted kind are taken as a beginning. */
const BEGINNINGS_MAX = 5;

/**
 * Makes a recorded history small while a checker still finds the same kind of anomaly in it. Whole operations are
 * left out, and only those without which the anomaly is still one of the whole history (`LeavingOut`); every step is
 * judged by checking again. Begins with the operations that the anomaly names, then with those on its key.
 */
export async function shrinkHistory(history: readonly Op[], how: ShrinkHistoryOptions): Promise<ShrunkHistory> {
  const { model, options, wanted, section, signal } = how;
  const kind = wanted.slice(model.section.length + 1);
  const calls = callsOf(history);
  const rule = model.leavingOut(kind);
  const dependencies = new Dependencies(calls, rule);
  let tried = 0;
  let best: readonly Op[] | undefined;
  const holds = async (ops: readonly Op[]): Promise<boolean> => {
    tried++;
    const found = await model.check(Events.of(ops), options);
    if (!signatureOf(mergeSections({ [model.section]: found })).includes(wanted)) return false;
    best = ops;
    how.onSmaller(ops.filter(({ type }) => type === 'invoke').length, tried);
    return true;
  };
  const anomalies = section.anomalies.filter((anomaly) => anomaly.kind === kind).slice(0, BEGINNINGS_MAX);
  // Evidence names events: of a call whose completion it does not name the outcome does not matter.
  for (const anomaly of rule === 'nothing' ? anomalies : []) {
    if (await holds(named(history, anomaly))) break;
  }
  if (rule !== 'nothing') {
    const without = (kept: readonly Call[], some: readonly Call[]): readonly Call[] | undefined => {
      const gone = dependencies.closure(some.filter((call) => dependencies.mayGo(call)));
      for (const call of gone) if (!dependencies.mayGo(call)) return undefined;
      return kept.filter((call) => !gone.has(call));
    };
    const keepOnly = (some: ReadonlySet<Call>): readonly Call[] =>
      without(
        calls,
        calls.filter((call) => !some.has(call)),
      ) ?? calls;
    let kept: readonly Call[] = calls;
    for (const begin of beginnings(calls, anomalies)) {
      const fewer = keepOnly(begin);
      if (fewer.length < kept.length && (await holds(eventsOf(history, fewer)))) kept = fewer;
    }
    await leaveOut(kept, without, (fewer) => holds(eventsOf(history, fewer)), signal);
  }
  const ops = best ?? history;
  return {
    ops: ops.map((op, index) => ({ ...op, index })),
    places: ops.map(({ index }) => index),
    tried,
  };
}

/**
 * The events that an anomaly names. A call whose completion is not among them is one of unknown outcome: it gets a
 * process of its own, since the recorded one went on.
 */
function named(history: readonly Op[], { ops }: Anomaly): readonly Op[] {
  const events = history.filter(({ index }) => ops.includes(index));
  let fresh = 1 + Math.max(0, ...history.map(({ process }) => (process === 'nemesis' ? 0 : process)));
  return events.map((op, at) => {
    if (op.type !== 'invoke') return op;
    const next = events.slice(at + 1).find(({ process }) => process === op.process);
    return next?.type === 'invoke' || next === undefined ? { ...op, process: fresh++ } : op;
  });
}

/** Calls by the anomalies that name them, and all on the key of one: whichever is enough is a good beginning. */
function* beginnings(calls: readonly Call[], anomalies: readonly Anomaly[]): Generator<ReadonlySet<Call>> {
  for (const { key } of anomalies) {
    if (key !== undefined) yield new Set(calls.filter((call) => keysOf(call).includes(canonical(key))));
  }
  for (const { ops } of anomalies) {
    const named = new Set(ops);
    const isNamed = (op: Op | undefined): boolean => op !== undefined && named.has(op.index);
    yield new Set(calls.filter(({ invocation, completion }) => isNamed(invocation) || isNamed(completion)));
  }
}

/** What clients did; what nobody invoked (histories made by hand) is a call as well. */
function callsOf(history: readonly Op[]): Call[] {
  const calls: { invocation: Op | undefined; completion: Op | undefined }[] = [];
  const open = new Map<number, { invocation: Op | undefined; completion: Op | undefined }[]>();
  for (const op of history) {
    if (op.process === 'nemesis') continue;
    const pending = open.get(op.process) ?? [];
    open.set(op.process, pending);
    if (op.type === 'invoke') {
      const call = { invocation: op, completion: undefined };
      pending.push(call);
      calls.push(call);
      continue;
    }
    const call = pending.shift();
    if (call === undefined) calls.push({ invocation: undefined, completion: op });
    else call.completion = op;
  }
  return calls;
}

/** The events of calls, in their order. */
function eventsOf(history: readonly Op[], calls: readonly Call[]): Op[] {
  const kept = new Set(calls.flatMap(({ invocation, completion }) => [invocation, completion]));
  return history.filter((op) => kept.has(op));
}

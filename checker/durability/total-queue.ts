import { outcomeOf, pairCalls } from '../history/calls.ts';
import { canonical, Events, FAIL, OK } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { AnomalyList } from './anomaly-list.ts';

/** How often something happened to one element. */
interface Element {
  readonly value: Value;
  readonly key: Value | undefined;
  /** The key as events refer to it. */
  readonly queue: number;
  readonly ops: number[];
  /** Enqueues that may have taken effect. */
  attempted: number;
  /** Where those that certainly did were acknowledged. */
  readonly acknowledgements: number[];
  dequeued: number;
}

/** The operations that an anomaly names; an element may be enqueued any number of times. */
const OPS_MAX = 20;

/**
 * Jepsen's total-queue: what goes in comes out. `enqueue` and `dequeue` of one element, `drain` of the whole rest as a
 * list. An element that was acknowledged more often before the last drain began than it ever came out is a
 * `lost-element`; one that nobody can have enqueued, an `unexpected-element`. One that comes out again is counted only:
 * queues may deliver twice. Where no drain followed, or dequeues of unknown outcome may have taken what is missing, it
 * is unknown.
 *
 * @throws HistoryError when completions do not fit invocations
 */
export function checkTotalQueue(history: History | Events): Section {
  const events = history instanceof Events ? history : Events.of(history);
  const calls = pairCalls(events);
  const elements = new Map<string, Element>();
  const drained = new Map<number, number>();
  const counts = { enqueued: 0, acknowledged: 0, dequeued: 0, again: 0, missing: 0, openDequeues: 0 };
  let openDrains = 0;
  const elementOf = (value: Value, queue: number, at: number): Element => {
    const id = `${queue} ${canonical(value)}`;
    const known = elements.get(id);
    const blank = { attempted: 0, acknowledgements: [], dequeued: 0 };
    const element = known ?? { value, key: events.op(at).key, queue, ops: [], ...blank };
    if (known === undefined) elements.set(id, element);
    if (element.ops.length < OPS_MAX) element.ops.push(at);
    return element;
  };
  for (let call = 0; call < calls.length; call++) {
    const invoked = calls.invoke[call]!;
    const completed = calls.complete[call]!;
    const outcome = outcomeOf(events, completed);
    const key = events.key[invoked]!;
    const f = events.names[events.f[invoked]!];
    if (outcome === FAIL) continue;
    if (f === 'enqueue') {
      const element = elementOf(events.valueAt(invoked), key, invoked);
      element.attempted++;
      counts.enqueued++;
      if (outcome !== OK) continue;
      element.acknowledgements.push(completed);
      counts.acknowledged++;
    } else if (f === 'dequeue' || f === 'drain') {
      if (outcome !== OK) {
        if (f === 'drain') openDrains++;
        else counts.openDequeues++;
        continue;
      }
      const value = events.valueAt(completed);
      if (f === 'drain' && !Array.isArray(value)) {
        return unknown(`operation ${completed} drained ${JSON.stringify(value)}, which is no list`, counts);
      }
      const taken = f === 'drain' ? (value as readonly Value[]) : value === null ? [] : [value];
      for (const one of taken) elementOf(one, key, completed).dequeued++;
      counts.dequeued += taken.length;
      if (f === 'drain') drained.set(key, Math.max(drained.get(key) ?? -1, invoked));
    }
  }
  const found = new AnomalyList();
  const lost: { readonly element: Element; readonly acknowledged: number }[] = [];
  let undrained = 0;
  for (const element of elements.values()) {
    const { value, key, queue, ops, attempted, acknowledgements, dequeued } = element;
    counts.again += Math.max(0, dequeued - Math.max(1, attempted));
    if (attempted === 0) {
      found.add({
        kind: 'unexpected-element',
        message: `${JSON.stringify(value)} was dequeued by operation ${ops[0]}, and nobody enqueued it`,
        ...(key === undefined ? {} : { key }),
        ops,
        evidence: { element: value, attempted, dequeued },
      });
    }
    if (dequeued >= acknowledgements.length) continue;
    counts.missing += acknowledgements.length - dequeued;
    const drain = drained.get(queue) ?? -1;
    const acknowledged = acknowledgements.filter((at) => at < drain).length;
    if (acknowledged > dequeued) lost.push({ element, acknowledged });
    else undrained++;
  }
  const missing = lost.reduce((sum, { element, acknowledged }) => sum + acknowledged - element.dequeued, 0);
  // A drain may have taken any number.
  const proven = openDrains === 0 && missing > counts.openDequeues;
  for (const { element, acknowledged } of proven ? lost : []) {
    const { value, key, ops, dequeued } = element;
    found.add({
      kind: 'lost-element',
      message: `${JSON.stringify(value)} was acknowledged ${counted(acknowledged, 'time')} before the last drain and dequeued ${counted(dequeued, 'time')}`,
      ...(key === undefined ? {} : { key }),
      ops,
      evidence: { element: value, acknowledged, dequeued },
    });
  }
  const anomalies = found.all();
  if (anomalies.length === 0) {
    if (counts.acknowledged === 0) return unknown('no enqueue was acknowledged', counts);
    if (undrained > 0) return unknown(`${counted(undrained, 'element')} never came out, and no drain followed`, counts);
    if (missing > 0)
      return unknown(`${counted(missing, 'element')} may have gone to dequeues of unknown outcome`, counts);
  }
  return {
    valid: anomalies.length === 0,
    summary: `total-queue: ${counts.acknowledged} acknowledged, ${counts.dequeued} dequeued (${counts.again} again); ${found.summary() || 'no anomaly'}`,
    anomalies,
    counts,
  };
}

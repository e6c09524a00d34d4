import { outcomeOf, pairCalls } from '../history/calls.ts';
import { Events, FAIL, OK } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { AnomalyList } from './anomaly-list.ts';

/** A change of a sum, or a question for it, at an event. */
interface Step {
  readonly at: number;
  readonly change: number;
}

interface Read {
  readonly invoked: number;
  readonly completed: number;
  readonly value: number;
}

interface Counter {
  readonly key: Value | undefined;
  /** Adds by their invocation, of those that may have taken effect. */
  readonly possible: Step[];
  /** Adds by their acknowledgement. */
  readonly certain: Step[];
  readonly reads: Read[];
}

/**
 * Jepsen's counter: `add` of a number, negative or not, and `read`. A read lies between the sum of what was certain
 * when it was invoked and of what was possible when it completed; one outside is `out-of-bounds`. Weaker than
 * linearizability, and for any number of operations. Keys are counters of their own, from 0.
 *
 * @throws HistoryError when completions do not fit invocations
 */
export function checkCounterBounds(history: History | Events): Section {
  const events = history instanceof Events ? history : Events.of(history);
  const calls = pairCalls(events);
  const counters = new Map<number, Counter>();
  const counts = { keys: 0, adds: 0, reads: 0 };
  for (let call = 0; call < calls.length; call++) {
    const invoked = calls.invoke[call]!;
    const completed = calls.complete[call]!;
    const outcome = outcomeOf(events, completed);
    const f = events.names[events.f[invoked]!];
    if (outcome === FAIL || (f !== 'add' && (f !== 'read' || outcome !== OK))) continue;
    const at = f === 'add' ? invoked : completed;
    const value = events.valueAt(at);
    if (typeof value !== 'number') {
      return unknown(`operation ${at} is the ${f} of ${JSON.stringify(value)}, which is no number`, counts);
    }
    const key = events.key[invoked]!;
    const counter = counters.get(key) ?? { key: events.op(invoked).key, possible: [], certain: [], reads: [] };
    counters.set(key, counter);
    if (f === 'read') counter.reads.push({ invoked, completed, value });
    else {
      counter.possible.push({ at: invoked, change: value });
      // Of an unknown outcome: after everything, so that no read counts it.
      counter.certain.push({ at: completed, change: value });
    }
    counts[f === 'read' ? 'reads' : 'adds']++;
  }
  counts.keys = counters.size;
  if (counts.reads === 0) return unknown('no read of a counter completed', counts);
  const found = new AnomalyList();
  for (const counter of counters.values()) checkReads(counter, found);
  const anomalies = found.all();
  return {
    valid: anomalies.length === 0,
    summary: `counter-bounds: ${counted(counts.reads, 'read')} and ${counted(counts.adds, 'add')} of ${counted(counts.keys, 'counter')}; ${found.summary() || 'no anomaly'}`,
    anomalies,
    counts,
  };
}

function checkReads({ key, possible, certain, reads }: Counter, found: AnomalyList): void {
  const [least, most] = [Math.min, Math.max] as const;
  const certainUp = new Sums(certain, (change) => most(change, 0));
  const certainDown = new Sums(certain, (change) => least(change, 0));
  const possibleUp = new Sums(possible, (change) => most(change, 0));
  const possibleDown = new Sums(possible, (change) => least(change, 0));
  for (const { invoked, completed, value } of reads) {
    const lower = certainUp.before(invoked) + possibleDown.before(completed);
    const upper = certainDown.before(invoked) + possibleUp.before(completed);
    if (value >= lower && value <= upper) continue;
    found.add({
      kind: 'out-of-bounds',
      message: `the read of operation ${completed} shows ${value}, which is not from ${lower} to ${upper}`,
      ...(key === undefined ? {} : { key }),
      ops: [invoked, completed],
      evidence: { value, lower, upper },
    });
  }
}

/** Sums of the changes before an event. */
class Sums {
  readonly #at: readonly number[];
  readonly #sums: number[] = [0];

  constructor(steps: readonly Step[], part: (change: number) => number) {
    const sorted = [...steps].sort((a, b) => a.at - b.at);
    this.#at = sorted.map(({ at }) => at);
    for (const { change } of sorted) this.#sums.push(this.#sums.at(-1)! + part(change));
  }

  before(event: number): number {
    let [low, high] = [0, this.#at.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#at[middle]! < event) low = middle + 1;
      else high = middle;
    }
    return this.#sums[low]!;
  }
}

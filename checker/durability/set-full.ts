import { outcomeOf, pairCalls } from '../history/calls.ts';
import { canonical, Events, FAIL, OK } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { AnomalyList } from './anomaly-list.ts';

export interface SetFullOptions {
  /** Whether a read that lacks an element which was there before, and is there again later, breaks a promise. */
  readonly linearizable?: boolean;
}

const NEVER = Number.POSITIVE_INFINITY;

/** What is known of one element. Places are events of the history; `NEVER` is beyond all of them. */
interface Element {
  readonly value: Value;
  /** The first invocation of an add. */
  readonly invoked: number;
  /** Whether some add may have taken effect. */
  possible: boolean;
  /** From here on it is certainly in the set: an add was acknowledged, or a read that shows it completed. */
  known: number;
  /** Of the reads that show it, the one invoked last. */
  present: Read | undefined;
  /** Of the reads invoked after it was known that lack it, the one invoked last. */
  absent: Read | undefined;
}

interface Read {
  readonly list: readonly Value[];
  readonly invoked: number;
  readonly completed: number;
}

type Counts = { [name in 'keys' | 'elements' | 'reads' | 'stable' | 'lost' | 'stale' | 'neverRead']: number };

/**
 * Jepsen's set-full: elements are added and never removed (`add` of one, `read` of the whole list), so that one that
 * was acknowledged or seen must be in every later read. Each is stable (the last reads show it), lost (the last read
 * after it was known lacks it: `lost-element`), stale (stable, but a read in between lacked it: `stale-element`, an
 * anomaly only when the set must be linearizable) or never read. A read that shows what nobody can have added by then
 * (`unexpected-element`) or one element twice ('duplicated-element') is invalid too. Keys are sets of their own.
 *
 * @throws HistoryError when completions do not fit invocations
 */
export function checkSetFull(history: History | Events, options: SetFullOptions = {}): Section {
  const events = history instanceof Events ? history : Events.of(history);
  const sets = new Map<number, SetAudit>();
  const calls = pairCalls(events);
  for (let call = 0; call < calls.length; call++) {
    const invoked = calls.invoke[call]!;
    const key = events.key[invoked]!;
    const audit = sets.get(key) ?? new SetAudit(events.op(invoked).key);
    sets.set(key, audit);
    const completed = calls.complete[call]!;
    const outcome = outcomeOf(events, completed);
    const f = events.names[events.f[invoked]!];
    if (f === 'add') audit.add(events.valueAt(invoked), invoked, outcome === OK ? completed : NEVER, outcome !== FAIL);
    if (f !== 'read' || outcome !== OK) continue;
    const list = events.valueAt(completed);
    if (!Array.isArray(list)) return unknown(`operation ${completed} is a read of ${show(list)}, which is no list`);
    audit.reads.push({ list: list as readonly Value[], invoked, completed });
  }
  const found = new AnomalyList();
  const counts: Counts = { keys: sets.size, elements: 0, reads: 0, stable: 0, lost: 0, stale: 0, neverRead: 0 };
  for (const audit of sets.values()) audit.conclude(found, counts, options.linearizable ?? false);
  const { elements, reads, stable, lost, stale, neverRead } = counts;
  const anomalies = found.all();
  const valid = anomalies.length === 0;
  if (valid) {
    if (elements === 0) return unknown('nothing was added to a set', counts);
    if (reads === 0) return unknown('no read of a set completed', counts);
    if (stable === 0) return unknown('no read shows an element, and none had to', counts);
  }
  return {
    valid,
    summary: `set-full: ${counted(elements, 'element')}, ${counted(reads, 'read')}; ${stable} stable (${stale} of them stale once), ${lost} lost, ${neverRead} never read; ${valid ? 'no anomaly' : found.summary()}`,
    anomalies,
    counts,
  };
}

/** One set: its adds and reads, in order of invocation. */
class SetAudit {
  readonly reads: Read[] = [];
  readonly #elements = new Map<string, Element>();
  readonly #key: Value | undefined;

  constructor(key: Value | undefined) {
    this.#key = key;
  }

  add(value: Value, invoked: number, acknowledged: number, possible: boolean): void {
    const id = canonical(value);
    const element = this.#elements.get(id);
    if (element === undefined) {
      const known = acknowledged;
      this.#elements.set(id, { value, invoked, possible, known, present: undefined, absent: undefined });
      return;
    }
    element.possible ||= possible;
    element.known = Math.min(element.known, acknowledged);
  }

  conclude(found: AnomalyList, counts: Counts, linearizable: boolean): void {
    for (const read of this.reads) this.#see(read, found);
    this.#miss();
    counts.reads += this.reads.length;
    for (const element of this.#elements.values()) {
      const { present, absent, possible } = element;
      counts.elements++;
      if (absent !== undefined && absent.invoked > (present?.invoked ?? -1)) {
        counts.lost++;
        this.#report(found, 'lost-element', element, absent, 'no later read shows it');
      } else if (present !== undefined) {
        counts.stable++;
        if (absent === undefined) continue;
        counts.stale++;
        if (linearizable) {
          this.#report(found, 'stale-element', element, absent, `the read of operation ${present.completed} shows it`);
        }
      } else if (possible) {
        counts.neverRead++;
      }
    }
  }

  /** Notes what a read shows. */
  #see(read: Read, found: AnomalyList): void {
    const seen = new Set<string>();
    for (const value of read.list) {
      const id = canonical(value);
      const element = this.#elements.get(id);
      const wrong = seen.has(id)
        ? (['duplicated-element', 'twice'] as const)
        : element === undefined
          ? (['unexpected-element', 'which nobody added'] as const)
          : !element.possible
            ? (['unexpected-element', 'of which every add failed'] as const)
            : element.invoked > read.completed
              ? (['unexpected-element', `which was added only by operation ${element.invoked}`] as const)
              : undefined;
      seen.add(id);
      if (wrong !== undefined) {
        found.add({
          kind: wrong[0],
          message: `the read of operation ${read.completed} shows ${show(value)}, ${wrong[1]}`,
          ...this.#where(),
          ops: [...(element === undefined ? [] : [element.invoked]), read.invoked, read.completed],
          evidence: { element: value, read: read.completed },
        });
      }
      if (element === undefined) continue;
      element.known = Math.min(element.known, read.completed);
      element.present = read;
    }
  }

  /**
   * Finds each element's last read that lacks it. From the last read backwards: an element leaves with the first read
   * that lacks it, or when it was not known yet, so that the time is that of reading the lists.
   */
  #miss(): void {
    const open = new Map([...this.#elements].filter(([, { known }]) => known !== NEVER));
    for (let at = this.reads.length - 1; at >= 0 && open.size > 0; at--) {
      const read = this.reads[at]!;
      const shown = new Set(read.list.map(canonical));
      for (const [id, element] of open) {
        const unknownYet = element.known > read.invoked;
        if (!unknownYet && shown.has(id)) continue;
        if (!unknownYet) element.absent = read;
        open.delete(id);
      }
    }
  }

  #report(found: AnomalyList, kind: string, element: Element, absent: Read, then: string): void {
    const { value, invoked, known } = element;
    found.add({
      kind,
      message: `${show(value)}, added by operation ${invoked} and certain from operation ${known} on, is missing from the read of operation ${absent.completed}; ${then}`,
      ...this.#where(),
      ops: [invoked, known, absent.invoked, absent.completed],
      evidence: {
        element: value,
        known,
        missingFrom: absent.completed,
        ...(element.present === undefined ? {} : { shownBy: element.present.completed }),
      },
    });
  }

  #where(): { readonly key?: Value } {
    return this.#key === undefined ? {} : { key: this.#key };
  }
}

function show(value: Value): string {
  return JSON.stringify(value);
}

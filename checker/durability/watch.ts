import { outcomeOf, pairCalls } from '../history/calls.ts';
import { canonical, Events, FAIL, OK } from '../history/events.ts';
import { HistoryError } from '../history/history-error.ts';
import type { History, Value } from '../history/op.ts';
import { type Anomaly, type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { AnomalyList } from './anomaly-list.ts';

/** A change that somebody was told of: the revision, the key, and what it holds since, null when it was deleted. */
interface Change {
  readonly revision: number;
  readonly key: string;
  readonly value: Value;
}

/** A write or a delete. */
interface Write extends Change {
  readonly invoked: number;
  /** The acknowledgement; `NEVER` when there was none. */
  readonly completed: number;
  readonly mayHaveHappened: boolean;
}

/** What one watch delivered before it ended. */
interface Watch {
  readonly watcher: Value;
  /** The first revision that it asked for; undefined: whatever came next. */
  readonly from: number | undefined;
  /** Up to here it knows to have been told of everything. */
  readonly to: number;
  readonly matches: (key: string) => boolean;
  readonly changes: readonly Change[];
  /** The last revision that the same watcher was told of before, when this one goes on from there. */
  readonly resumedAfter: number | undefined;
  readonly invoked: number;
  readonly completed: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** A revision that no answer told. */
const UNTOLD = -1;

/**
 * What a watch promises (etcd's words): ordered, unique, none missed, resumable.
 *
 * - `write` with a `key` (text) and a `value` that is unique for the key, and `delete` with a `key`. Acknowledged
 *   with `[revision, value]`, of a delete `[revision, null]`; with anything else the revision was not told.
 * - `watch` of `{"watcher": W, "from": R, "key": K}` or `"prefix": P`, or neither for every key; `from` null or
 *   missing: from now on. Completed, in whatever way, with `{"watcher": W, "from": R, "to": R, "events":
 *   [[revision, key, value], …]}`: what it was told before it ended (`to`, where it knows, up to which revision that
 *   is all). One that goes on where another ended has the same watcher, and `from` one after its last revision.
 *
 * Anomalies: `out-of-order-event`, `repeated-event`, `early-event` (before `from`: a repeat after a resumption),
 * `unasked-event` (of another key), `missed-event` (an acknowledged write, or what another watcher was told, inside
 * what this one covers), `unexpected-event` (nobody can have written it, or not with that revision),
 * `conflicting-event` (two watchers were told different things), `revision-regression` (a later write got no higher
 * revision), `shared-revision` (two writes were acknowledged with the same). It is `unknown` when no watch was told of
 * anything.
 *
 * @throws HistoryError when completions do not fit invocations, or are of another form
 */
export function checkWatch(history: History | Events): Section {
  const events = history instanceof Events ? history : Events.of(history);
  const { writes, watches } = read(events);
  const found = new AnomalyList();
  const audit = new WatchAudit(writes, found);
  for (const watch of watches) audit.see(watch);
  for (const watch of watches) audit.miss(watch);
  audit.regressions();
  const told = watches.reduce((sum, { changes }) => sum + changes.length, 0);
  const acknowledged = writes.filter(({ completed }) => completed !== NEVER).length;
  const counts = { writes: writes.length, acknowledged, watches: watches.length, events: told };
  const anomalies = found.all();
  if (anomalies.length === 0 && told === 0) return unknown('no watch was told of anything', counts);
  return {
    valid: anomalies.length === 0,
    summary: `watch: ${counted(watches.length, 'watch was', 'watches were')} told of ${counted(told, 'change')}, ${counted(acknowledged, 'write was', 'writes were')} acknowledged; ${found.summary() || 'no anomaly'}`,
    anomalies,
    counts,
  };
}

function read(events: Events): { readonly writes: readonly Write[]; readonly watches: readonly Watch[] } {
  const calls = pairCalls(events);
  const completions = completionsOf(events);
  const writes: Write[] = [];
  const watches: Watch[] = [];
  const lastTold = new Map<string, number>();
  for (let call = 0; call < calls.length; call++) {
    const invoked = calls.invoke[call]!;
    const f = events.names[events.f[invoked]!];
    if (f === 'write' || f === 'delete') {
      const completed = calls.complete[call]!;
      const outcome = outcomeOf(events, completed);
      const isOk = outcome === OK;
      const answer = isOk ? events.valueAt(completed) : null;
      writes.push({
        revision: Array.isArray(answer) && typeof answer[0] === 'number' ? answer[0] : UNTOLD,
        key: textOf(events.op(invoked).key, invoked),
        value: f === 'delete' ? null : events.valueAt(invoked),
        invoked,
        completed: isOk ? completed : NEVER,
        mayHaveHappened: outcome !== FAIL,
      });
    } else if (f === 'watch') {
      const completed = completions.get(invoked);
      const watch = completed === undefined ? undefined : watchOf(events, invoked, completed, lastTold);
      if (watch !== undefined) watches.push(watch);
    }
  }
  return { writes, watches };
}

/** By invocation: the completion, whatever its type; what a watch was told before its connection broke was told. */
function completionsOf(events: Events): Map<number, number> {
  const completions = new Map<number, number>();
  const open = new Map<number, number>();
  for (let at = 0; at < events.length; at++) {
    const process = events.process[at]!;
    if (events.typeAt(at) === 'invoke') open.set(process, at);
    else if (open.has(process)) {
      completions.set(open.get(process)!, at);
      open.delete(process);
    }
  }
  return completions;
}

/** @param lastTold by watcher: the last revision that it was told of, which is brought up to date */
function watchOf(events: Events, invoked: number, completed: number, lastTold: Map<string, number>): Watch | undefined {
  const asked = membersOf(events.valueAt(invoked), invoked);
  const given = events.valueAt(completed);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
  const told = membersOf(given, completed);
  if (told.events === undefined) return undefined;
  if (!Array.isArray(told.events))
    throw new HistoryError(`operation ${completed}: the events of a watch must be a list`);
  const { watcher = null, key, prefix } = asked;
  const from = numberOf(asked.from ?? null, invoked);
  const changes = (told.events as readonly Value[]).map((one) => changeOf(one, completed));
  const last = changes.reduce((to, { revision }) => Math.max(to, revision), UNTOLD);
  const before = lastTold.get(canonical(watcher));
  lastTold.set(canonical(watcher), Math.max(last, before ?? UNTOLD));
  return {
    watcher,
    from,
    to: numberOf(told.to ?? null, completed) ?? last,
    matches: (name) =>
      typeof key === 'string' ? name === key : typeof prefix === 'string' ? name.startsWith(prefix) : true,
    changes,
    resumedAfter: before !== undefined && from === before + 1 ? before : undefined,
    invoked,
    completed,
  };
}

function changeOf(value: Value, at: number): Change {
  const [revision, key, now] = Array.isArray(value) ? (value as readonly Value[]) : [];
  if (typeof revision === 'number' && typeof key === 'string') return { revision, key, value: now ?? null };
  throw new HistoryError(`operation ${at}: an event of a watch is [revision, key, value], not ${show(value)}`);
}

function membersOf(value: Value, at: number): { readonly [name: string]: Value } {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as { readonly [name: string]: Value };
  }
  throw new HistoryError(`operation ${at}: a watch is {"watcher", "from", "key" or "prefix"}, not ${show(value)}`);
}

function numberOf(value: Value, at: number): number | undefined {
  if (value === null) return undefined;
  if (typeof value === 'number') return value;
  throw new HistoryError(`operation ${at}: a revision is a number, not ${show(value)}`);
}

function textOf(key: Value | undefined, at: number): string {
  if (typeof key === 'string') return key;
  throw new HistoryError(`operation ${at}: what is watched has keys that are texts, not ${show(key ?? null)}`);
}

/** A change that certainly happened, with the operation that shows it. */
interface Known extends Change {
  readonly shownBy: number;
}

class WatchAudit {
  readonly #writes: readonly Write[];
  readonly #found: AnomalyList;
  /** By key and value: who wrote it. Deletes are found by their revision. */
  readonly #writers = new Map<string, Write>();
  /** By revision and key. */
  readonly #known = new Map<string, Known>();
  /** By key and value: the revision at which somebody was told of it. */
  readonly #toldAt = new Map<string, Known>();
  /** By key: deletes that may have happened at a revision that nobody was told of yet. */
  readonly #openDeletes = new Map<string, number>();

  constructor(writes: readonly Write[], found: AnomalyList) {
    this.#writes = writes;
    this.#found = found;
    for (const write of writes) {
      const { revision, key, value, completed } = write;
      const name = nameOf(key, value);
      const other = this.#writers.get(name);
      if (value !== null && other?.mayHaveHappened && write.mayHaveHappened) {
        throw new HistoryError(
          `operations ${other.invoked} and ${write.invoked} both wrote ${show(value)} to key ${key}: values must be unique`,
        );
      }
      if (other === undefined || !other.mayHaveHappened) this.#writers.set(name, write);
      if (revision === UNTOLD) {
        if (value === null && write.mayHaveHappened) this.#openDeletes.set(key, (this.#openDeletes.get(key) ?? 0) + 1);
        continue;
      }
      const known = { revision, key, value, shownBy: completed };
      this.#known.set(placeOf(known), known);
      if (value !== null) this.#toldAt.set(name, known);
    }
  }

  /** What is wrong with a watch by itself, and with what it was told of. */
  see(watch: Watch): void {
    const { changes, from, completed } = watch;
    const seen = new Set<string>();
    let last = UNTOLD;
    for (const change of changes) {
      const { revision, key } = change;
      const place = placeOf(change);
      const evidence = { before: last };
      if (seen.has(place)) this.#report('repeated-event', watch, change, 'which it was told already', evidence);
      else if (revision < last) this.#report('out-of-order-event', watch, change, `after revision ${last}`, evidence);
      else if (from !== undefined && revision < from) {
        this.#report('early-event', watch, change, `though it asked for revision ${from} and later`, { from });
      }
      if (!watch.matches(key)) this.#report('unasked-event', watch, change, 'of a key that it did not ask for', {});
      seen.add(place);
      last = Math.max(last, revision);
      this.#attribute(watch, { ...change, shownBy: completed });
    }
  }

  /** Finds who wrote what a watch was told of, and whether others were told the same. */
  #attribute(watch: Watch, change: Known): void {
    const { revision, key, value } = change;
    const known = this.#known.get(placeOf(change));
    if (known !== undefined) {
      if (canonical(known.value) === canonical(value)) return;
      const why = `where operation ${known.shownBy} shows ${show(known.value)}`;
      this.#report('conflicting-event', watch, change, why, { other: known.value }, [known.shownBy]);
      return;
    }
    const writer = value === null ? undefined : this.#writers.get(nameOf(key, value));
    const wrong =
      value === null
        ? this.#takeDelete(key)
          ? undefined
          : 'which nobody can have deleted then'
        : writer === undefined
          ? 'which nobody wrote'
          : !writer.mayHaveHappened
            ? `whose write failed (operation ${writer.invoked})`
            : writer.invoked > watch.completed
              ? `which was written only by operation ${writer.invoked}`
              : undefined;
    if (wrong !== undefined) {
      this.#report('unexpected-event', watch, change, wrong, {}, writer === undefined ? [] : [writer.invoked]);
      return;
    }
    const told = value === null ? undefined : this.#toldAt.get(nameOf(key, value));
    if (told !== undefined) {
      const why = `which operation ${told.shownBy} shows at revision ${told.revision}`;
      this.#report('conflicting-event', watch, change, why, { otherRevision: told.revision }, [told.shownBy]);
      return;
    }
    this.#known.set(placeOf(change), change);
    if (value !== null) this.#toldAt.set(nameOf(key, value), { ...change, revision });
  }

  #takeDelete(key: string): boolean {
    const left = this.#openDeletes.get(key) ?? 0;
    this.#openDeletes.set(key, left - 1);
    return left > 0;
  }

  #sorted: readonly Known[] | undefined;

  /** What a watch was not told of, between the first and the last revision that it covers. */
  miss(watch: Watch): void {
    this.#sorted ??= [...this.#known.values()].sort((a, b) => a.revision - b.revision);
    const from = watch.from ?? watch.changes[0]?.revision ?? NEVER;
    const told = new Set(watch.changes.map(placeOf));
    let at = firstFrom(this.#sorted, from);
    for (; at < this.#sorted.length && this.#sorted[at]!.revision <= watch.to; at++) {
      const known = this.#sorted[at]!;
      if (!watch.matches(known.key) || told.has(placeOf(known))) continue;
      const why = `which operation ${known.shownBy} shows`;
      this.#report('missed-event', watch, known, why, { shownBy: known.shownBy }, [known.shownBy]);
    }
  }

  /** Every write has a revision of its own, and a higher one than those that were acknowledged before it began. */
  regressions(): void {
    const owners = new Map<number, Write>();
    const moments = this.#writes
      .filter(({ revision }) => revision !== UNTOLD)
      .flatMap((write) => [
        { at: write.invoked, write, isEnd: false },
        { at: write.completed, write, isEnd: true },
      ])
      .sort((a, b) => a.at - b.at);
    const before = new Map<Write, Write | undefined>();
    let highest: Write | undefined;
    for (const { write, isEnd } of moments) {
      if (!isEnd) {
        before.set(write, highest);
        continue;
      }
      const { revision, key, completed } = write;
      const owner = owners.get(revision);
      owners.set(revision, write);
      if (owner !== undefined) {
        this.#found.add({
          kind: 'shared-revision',
          message: `operations ${owner.completed} and ${completed} were both acknowledged with revision ${revision}`,
          key,
          ops: [owner.completed, completed],
          evidence: { revision, writes: [owner.completed, completed] },
        });
      }
      const earlier = before.get(write);
      if (earlier !== undefined && earlier.revision > revision) {
        this.#found.add({
          kind: 'revision-regression',
          message: `operation ${completed} wrote key ${key} at revision ${revision}, after operation ${earlier.completed} had completed at revision ${earlier.revision}`,
          key,
          ops: [earlier.completed, write.invoked, completed],
          evidence: { revision, earlier: earlier.revision },
        });
      }
      if (highest === undefined || revision > highest.revision) highest = write;
    }
  }

  #report(
    kind: string,
    watch: Watch,
    { revision, key, value }: Change,
    why: string,
    more: Anomaly['evidence'],
    others: readonly number[] = [],
  ): void {
    const { watcher, from, to, resumedAfter, invoked, completed } = watch;
    const was = kind === 'missed-event' ? 'was not told of' : 'was told of';
    const resumed = resumedAfter === undefined ? '' : `, resumed after revision ${resumedAfter},`;
    const range = `from ${from ?? 'now'} to ${to}`;
    this.#found.add({
      kind,
      message: `watcher ${show(watcher)}${resumed} (operation ${completed}, ${range}) ${was} [${revision}, ${show(key)}, ${show(value)}], ${why}`,
      key,
      ops: [invoked, completed, ...others],
      evidence: { watcher, from: from ?? null, to, event: [revision, key, value], ...more },
    });
  }
}

/** The first of them that has this revision or a later one. */
function firstFrom(sorted: readonly Known[], revision: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.revision < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nameOf(key: string, value: Value): string {
  return `${key} ${canonical(value)}`;
}

function placeOf({ revision, key }: Change): string {
  return `${revision} ${key}`;
}

function show(value: Value): string {
  return JSON.stringify(value);
}

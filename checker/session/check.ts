import { AnomalyList } from '../durability/anomaly-list.ts';
import { OPEN } from '../history/calls.ts';
import { Events, NONE, type Ref } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { components, cyclicComponents, GraphBuilder, WW } from '../txn/graph.ts';
import { Search } from '../txn/search.ts';
import { type Anomaly, type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { explain, type Step } from './guarantees.ts';
import { type Access, readSessions, type Sessions } from './sessions.ts';
import { causalOrder, eachVisible, type Seen } from './visible.ts';

export interface SessionOptions {
  /** What every key holds before the first write; default null. */
  readonly initial?: Value;
}

/** Violations that are explained; the others are counted. */
const EXPLAINED_MAX = 20;

/**
 * The four session guarantees over registers with unique values: read your writes, monotonic reads, monotonic writes,
 * writes follow reads (Terry et al., "Session guarantees for weakly consistent replicated data", 1994). A session is
 * a process. All four together are causal consistency (Brzezinski et al., "From session causality to causal
 * consistency", 2004): they hold when the writes of each key have an order in which no read shows a version older
 * than one that must have been visible to it.
 *
 * An anomaly is named by the guarantees of which not all can have held, the fewest there are: `monotonic-reads`, or
 * `monotonic-reads+monotonic-writes`. What nobody can have written is a `garbage-read`.
 *
 * @throws HistoryError when completions do not fit invocations, or values are not unique
 */
export function checkSession(history: History | Events, options: SessionOptions = {}): Section {
  const events = history instanceof Events ? history : Events.of(history);
  const initial = options.initial ?? null;
  const sessions = readSessions(events, initial);
  const reads = sessions.all.reduce((sum, { isRead }) => sum + (isRead ? 1 : 0), 0);
  const found = new AnomalyList();
  const report = new Reporter(events, sessions, initial, found);
  for (const { op, key, value, why } of sessions.garbage) {
    found.add({
      kind: 'garbage-read',
      message: `operation ${op} read ${JSON.stringify(value)}, ${why}`,
      ...report.where(key),
      ops: [op],
      evidence: { value },
    });
  }
  const causal = causalOrder(sessions);
  if (causal.length < sessions.all.length) report.causalCycle(new Set(causal));
  const builder = new GraphBuilder(sessions.all.length);
  const seenBy = new Map<string, Seen>();
  const isDecided = eachVisible(sessions, causal, (seen) => {
    const after = seen.by.isRead ? seen.by.from : seen.by;
    if (after === undefined) {
      report.initial(seen);
      return;
    }
    const name = `${seen.write.id} ${after.id}`;
    if (seenBy.has(name)) return;
    seenBy.set(name, seen);
    builder.edge(seen.write.id, after.id, WW);
  });
  const graph = builder.build();
  const search = new Search(graph);
  for (const part of cyclicComponents(components(graph, WW))) {
    const members = new Set(part);
    const cycle = search.path(
      part[0]!,
      (v) => v === part[0],
      WW,
      (v) => members.has(v),
      Number.MAX_SAFE_INTEGER,
    );
    if (cycle === undefined || cycle === 'bound') throw new Error('a component without a cycle');
    const { vertices } = cycle;
    report.cycle(vertices.map((v, at) => seenBy.get(`${v} ${vertices[(at + 1) % vertices.length]}`)!));
  }
  const counts = { sessions: sessions.byProcess.size, reads, writes: sessions.all.length - reads };
  const anomalies = found.all();
  if (anomalies.length === 0) {
    if (!isDecided)
      return unknown('there are too many sessions and writes to tell what each of them must have seen', counts);
    if (reads === 0) return unknown('no read completed', counts);
  }
  return {
    valid: anomalies.length === 0,
    summary: `session guarantees: ${counted(reads, 'read')} and ${counted(counts.writes, 'write')} in ${counted(counts.sessions, 'session')}; ${found.summary() || 'no anomaly'}`,
    anomalies,
    counts,
  };
}

/** Puts violations into words. */
class Reporter {
  readonly #events: Events;
  readonly #sessions: Sessions;
  readonly #initial: Value;
  readonly #found: AnomalyList;
  #explained = 0;

  constructor(events: Events, sessions: Sessions, initial: Value, found: AnomalyList) {
    this.#events = events;
    this.#sessions = sessions;
    this.#initial = initial;
    this.#found = found;
  }

  where(key: Ref): { readonly key?: Value } {
    return key === NONE ? {} : { key: this.#events.value(key) };
  }

  /** A read of the initial value where a write must have been visible. */
  initial(seen: Seen): void {
    const [op, was] = [opOf(seen.by), JSON.stringify(this.#initial)];
    this.#explain(
      [seen],
      ([way]) => `operation ${op} read ${was}, the initial value, and must have seen a write: ${way}`,
    );
  }

  /** Writes of which each must have come before the next. */
  cycle(seen: readonly Seen[]): void {
    this.#explain(seen, (ways) => {
      const says = seen.map(({ write, by }, at) => {
        const after = (by.isRead ? by.from : by) as Access;
        return `${JSON.stringify(write.value)} before ${JSON.stringify(after.value)}, since ${ways[at]}`;
      });
      return `the writes have no order: ${says.join('; ')}`;
    });
  }

  causalCycle(ordered: ReadonlySet<Access>): void {
    const ops = this.#sessions.all.filter((access) => !ordered.has(access)).map(opOf);
    this.#found.add({
      kind: 'causal-cycle',
      message: `operations ${ops.slice(0, EXPLAINED_MAX).join(', ')} each saw, or came after, another of them`,
      ops: ops.slice(0, EXPLAINED_MAX),
      evidence: { count: ops.length },
    });
  }

  #explain(seen: readonly Seen[], say: (ways: readonly string[]) => string): void {
    if (this.#explained++ >= EXPLAINED_MAX) return;
    const { guarantees, ways } = explain(this.#sessions, seen);
    const steps = ways.flat();
    const ops = new Set(steps.flatMap(({ from, to }) => [opOf(from), opOf(to)]));
    const anomaly: Anomaly = {
      kind: guarantees.join('+'),
      message: say(ways.map(inWords)),
      ...this.where(seen[0]!.by.key),
      ops: [...ops].sort((a, b) => a - b),
      evidence: {
        guarantees,
        ways: ways.map((way) => way.map(({ from, to, by }) => ({ from: opOf(from), to: opOf(to), by }))),
      },
    };
    this.#found.add(anomaly);
  }
}

/** The event by which an access is named: its completion, or else its invocation. */
function opOf({ invoked, completed }: Access): number {
  return completed === OPEN ? invoked : completed;
}

/** `operation 3 wrote 1, operation 5 read 1, then operation 9 in the same session (monotonic-reads)`. */
function inWords(way: readonly Step[]): string {
  const first = way[0]!.from;
  const steps = way.map(({ to, by }) =>
    by === 'reads-from'
      ? `operation ${opOf(to)} read ${JSON.stringify(to.value)}`
      : `then operation ${opOf(to)} in the same session (${by})`,
  );
  return [`operation ${opOf(first)} wrote ${JSON.stringify(first.value)}`, ...steps].join(', ');
}

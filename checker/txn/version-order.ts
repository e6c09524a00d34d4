import type { Value } from '../history/op.ts';
import { type Findings, show, showKey } from './findings.ts';
import { components, cyclicComponents, type Graph, GraphBuilder } from './graph.ts';
import { Search } from './search.ts';
import type { Touches } from './touches.ts';
import { FAIL, NONE, OK, type Transactions } from './transactions.ts';
import type { Writers } from './writers.ts';

/** What versions of registers can be ordered by, beside what reads and writes themselves show. */
export interface RegisterOptions {
  readonly linearizableKeys?: boolean | undefined;
  readonly sequentialKeys?: boolean | undefined;
  readonly wfrKeys?: boolean | undefined;
  readonly transactionOrder?: { readonly [op: number]: number } | undefined;
  readonly initial?: Value | undefined;
}

/** Where an order between two versions comes from, in the order in which they are trusted (Elle's). */
const SOURCES = ['initial', 'wfr', 'sequential', 'linearizable', 'order'] as const;
export type Source = (typeof SOURCES)[number];

/** The kind of an edge between two versions: one bit for each source. */
function bitOf(source: Source): number {
  return 1 << SOURCES.indexOf(source);
}

/** Why one version comes before another. */
export interface Precedence {
  readonly source: Source;
  readonly because: string;
  /** The operations that show it. */
  readonly ops: readonly number[];
}

/**
 * The partial order of each key's versions, from the sources that the options allow and that do not contradict each
 * other (Kingsbury & Alvaro, "Elle", VLDB 2020, section 5.2). Contradictions are `cyclic-versions`: the later source
 * is then not used for the key.
 */
export class VersionOrder {
  readonly #table: Transactions;
  readonly #findings: Findings;
  readonly #touches: Touches;
  readonly #writers: Writers;
  readonly #options: RegisterOptions;
  /** By key: the version before all writes. */
  readonly #initial: Int32Array;
  /** By source: the keys whose versions it would make cyclic. */
  readonly #dropped = new Map<Source, Set<number>>();
  /** Edges lead to later versions. What comes after an initial version that nobody wrote is not in it: everything does. */
  readonly graph: Graph;

  constructor(
    table: Transactions,
    findings: Findings,
    touches: Touches,
    writers: Writers,
    initial: Int32Array,
    options: RegisterOptions,
  ) {
    this.#table = table;
    this.#findings = findings;
    this.#touches = touches;
    this.#writers = writers;
    this.#initial = initial;
    this.#options = options;
    this.graph = this.#agreeing(this.#gather());
  }

  /** Whether a version was there before all others, since nobody wrote it. */
  isInitial(version: number): boolean {
    return version === this.#initial[this.#table.versionKey.data[version]!] && this.#writers.of[version] === NONE;
  }

  /** The order by all sources, whether they agree or not. */
  #gather(): GraphBuilder {
    const { wfrKeys, sequentialKeys, linearizableKeys, transactionOrder } = this.#options;
    const builder = new GraphBuilder(this.#table.versions);
    // Sources repeat themselves: an edge is known when the last one that came from the same version is the same.
    const lastAfter = new Int32Array(this.#table.versions).fill(NONE);
    const adding = (source: Source) => {
      const bit = bitOf(source);
      lastAfter.fill(NONE);
      return (before: number, after: number): void => {
        if (before === NONE || after === NONE || before === after || lastAfter[before] === after) return;
        lastAfter[before] = after;
        if (!this.isInitial(before)) builder.edge(before, after, bit);
        // The initial version comes before the one that it is said to come after.
        if (this.isInitial(after)) builder.edge(after, before, bitOf('initial'));
      };
    };
    if (wfrKeys) this.#writesFollowReads(adding('wfr'));
    if (sequentialKeys) this.#sequential(adding('sequential'));
    if (linearizableKeys) this.#linearizable(adding('linearizable'));
    if (transactionOrder) this.#givenOrder(transactionOrder, adding('order'));
    return builder;
  }

  /** Drops, key by key, the sources that contradict those before them. */
  #agreeing(builder: GraphBuilder): Graph {
    let graph = builder.build();
    // Nearly always all of them agree.
    if (components(graph, 0xff).count === graph.size) return graph;
    let present = 0;
    for (const kind of graph.kind) present |= kind;
    let trusted = 0;
    for (const source of SOURCES) {
      if ((present & bitOf(source)) === 0) continue;
      trusted |= bitOf(source);
      const cyclic = cyclicComponents(components(graph, trusted));
      if (cyclic.length === 0) continue;
      const dropped = new Set<number>();
      this.#dropped.set(source, dropped);
      const search = new Search(graph);
      for (const part of cyclic) {
        const k = this.#table.versionKey.data[part[0]!]!;
        dropped.add(k);
        this.#cyclic(k, part, search, trusted);
      }
      graph = this.#without(graph, source, dropped);
    }
    return graph;
  }

  /** The graph without the edges of a source between versions of some keys. */
  #without(graph: Graph, source: Source, keys: ReadonlySet<number>): Graph {
    const builder = new GraphBuilder(graph.size);
    const bit = bitOf(source);
    for (let v = 0; v < graph.size; v++) {
      const isDropped = keys.has(this.#table.versionKey.data[v]!);
      for (let e = graph.start[v]!; e < graph.start[v + 1]!; e++) {
        if (!isDropped || graph.kind[e] !== bit) builder.edge(v, graph.target[e]!, graph.kind[e]!);
      }
    }
    return builder.build();
  }

  #cyclic(k: number, part: Int32Array, search: Search, trusted: number): void {
    const table = this.#table;
    this.#findings.add('cyclic-versions', () => {
      const key = table.keyValue(k);
      const members = new Set(part);
      const path = search.path(
        part[0]!,
        (v) => v === part[0],
        trusted,
        (v) => members.has(v),
        Number.MAX_SAFE_INTEGER,
      );
      const versions = path === 'bound' || path === undefined ? [...part] : path.vertices;
      const steps = versions.map((v, i) => {
        const next = versions[(i + 1) % versions.length]!;
        const { source, because, ops } = this.#precedence(k, v, next, () => true)!;
        const facts = { value: table.versionValue(v), next: table.versionValue(next), order: source, support: ops };
        return {
          ops,
          facts,
          said: `${show(table.versionValue(v))} before ${show(table.versionValue(next))}, as ${because}`,
        };
      });
      return {
        message: `the versions of key ${showKey(key)} have no order: ${steps.map(({ said }) => said).join('; ')}`,
        key,
        ops: [...new Set(steps.flatMap(({ ops }) => ops))],
        evidence: { key, steps: steps.map(({ facts }) => facts) },
      };
    });
  }

  #writesFollowReads(add: (before: number, after: number) => void): void {
    const { transaction, read, write, length } = this.#touches;
    for (let i = 0; i < length; i++) {
      if (this.#table.status.data[transaction.data[i]!] === OK) add(read.data[i]!, write.data[i]!);
    }
  }

  #sequential(add: (before: number, after: number) => void): void {
    const touches = this.#touches;
    const last = new Map<number, Map<number, number>>();
    for (let i = 0; i < touches.length; i++) {
      const process = this.#table.process.data[touches.transaction.data[i]!]!;
      let keys = last.get(process);
      if (keys === undefined) {
        keys = new Map();
        last.set(process, keys);
      }
      const k = touches.key.data[i]!;
      const before = keys.get(k);
      if (before !== undefined) add(before, touches.firstMet(i));
      const left = touches.left(i);
      if (left !== NONE) keys.set(k, left);
    }
  }

  /**
   * Each key on its own is in real time: what a transaction meets first comes after what was left by those that
   * had completed before it was invoked. Of these only the frontier counts: those that no other completed one
   * came wholly after.
   */
  #linearizable(add: (before: number, after: number) => void): void {
    const [table, touches] = [this.#table, this.#touches];
    const [invoked, completed, status] = [table.invoked.data, table.completed.data, table.status.data];
    const [key, transaction, start] = [touches.key.data, touches.transaction.data, touches.start];
    // By key the newest of its frontier, and by touch the one before it there.
    const newest = new Int32Array(table.keys).fill(NONE);
    const older = new Int32Array(touches.length);
    table.eachMoment(
      (t) => {
        if (status[t] === FAIL) return;
        for (let i = start[t]!; i < start[t + 1]!; i++) {
          let before = newest[key[i]!]!;
          if (before === NONE) continue;
          const first = touches.firstMet(i);
          for (; before !== NONE; before = older[before]!) add(touches.left(before), first);
        }
      },
      (done) => {
        if (invoked[done] === NONE) return;
        for (let i = start[done]!; i < start[done + 1]!; i++) {
          let last = i;
          for (let before = newest[key[i]!]!; before !== NONE; before = older[before]!) {
            if (completed[transaction[before]!]! < invoked[done]!) continue;
            older[last] = before;
            last = before;
          }
          older[last] = NONE;
          newest[key[i]!] = i;
        }
      },
    );
  }

  #rank(t: number, order: { readonly [op: number]: number }): number | undefined {
    return order[this.#table.completed.data[t]!] ?? order[this.#table.invoked.data[t]!];
  }

  #givenOrder(order: { readonly [op: number]: number }, add: (before: number, after: number) => void): void {
    const { transaction, key, write, length } = this.#touches;
    const writes = new Map<number, [rank: number, version: number][]>();
    for (let i = 0; i < length; i++) {
      const rank = this.#rank(transaction.data[i]!, order);
      if (rank === undefined || write.data[i] === NONE) continue;
      const list = writes.get(key.data[i]!);
      if (list) list.push([rank, write.data[i]!]);
      else writes.set(key.data[i]!, [[rank, write.data[i]!]]);
    }
    for (const list of writes.values()) {
      list.sort(([a], [b]) => a - b);
      for (let i = 1; i < list.length; i++) add(list[i - 1]![1], list[i]![1]);
    }
  }

  /** Why one version of a key comes before another, by the sources that are used for the key. */
  precedence(k: number, a: number, b: number): Precedence | undefined {
    return this.#precedence(k, a, b, (source) => !this.#dropped.get(source)?.has(k));
  }

  #precedence(k: number, a: number, b: number, isUsed: (source: Source) => boolean): Precedence | undefined {
    const { wfrKeys, sequentialKeys, linearizableKeys, transactionOrder } = this.#options;
    if (this.isInitial(a)) {
      return { source: 'initial', because: `${show(this.#table.versionValue(a))} is the initial value`, ops: [] };
    }
    return (
      (wfrKeys && isUsed('wfr') ? this.#byWrite(k, a, b) : undefined) ??
      (sequentialKeys && isUsed('sequential') ? this.#byProcess(k, a, b) : undefined) ??
      (linearizableKeys && isUsed('linearizable') ? this.#byTime(k, a, b) : undefined) ??
      (transactionOrder && isUsed('order') ? this.#byRank(a, b, transactionOrder) : undefined)
    );
  }

  #opOf(touch: number): number {
    return this.#table.op(this.#touches.transaction.data[touch]!);
  }

  #byWrite(k: number, a: number, b: number): Precedence | undefined {
    const [table, touches] = [this.#table, this.#touches];
    const i = touches
      .ofKey(k)
      .find(
        (i) =>
          touches.read.data[i] === a &&
          touches.write.data[i] === b &&
          table.status.data[touches.transaction.data[i]!] === OK,
      );
    if (i === undefined) return undefined;
    const op = this.#opOf(i);
    const [x, y] = [show(table.versionValue(a)), show(table.versionValue(b))];
    return { source: 'wfr', because: `operation ${op} read ${x} and wrote ${y}`, ops: [op] };
  }

  #byProcess(k: number, a: number, b: number): Precedence | undefined {
    const [table, touches] = [this.#table, this.#touches];
    const last = new Map<number, number>();
    for (const i of touches.ofKey(k)) {
      const process = table.process.data[touches.transaction.data[i]!]!;
      const before = last.get(process);
      if (before !== undefined && touches.left(before) === a && touches.firstMet(i) === b) {
        const ops = [this.#opOf(before), this.#opOf(i)];
        const [x, y] = [show(table.versionValue(a)), show(table.versionValue(b))];
        const because = `process ${process} met ${x} (operation ${ops[0]}) and next ${y} (operation ${ops[1]})`;
        return { source: 'sequential', because, ops };
      }
      if (touches.left(i) !== NONE) last.set(process, i);
    }
    return undefined;
  }

  #byTime(k: number, a: number, b: number): Precedence | undefined {
    const [table, touches] = [this.#table, this.#touches];
    const [ended, began] = [table.completed.data, table.invoked.data];
    let [first, last] = [NONE, NONE];
    let [end, begin] = [Number.POSITIVE_INFINITY, NONE];
    for (const i of touches.ofKey(k)) {
      const t = touches.transaction.data[i]!;
      if (began[t] === NONE) continue;
      if (table.status.data[t] === OK && touches.left(i) === a && ended[t]! < end) {
        [first, end] = [i, ended[t]!];
      }
      if (touches.firstMet(i) === b && began[t]! > begin) [last, begin] = [i, began[t]!];
    }
    if (end >= begin) return undefined;
    const ops = [this.#opOf(first), this.#opOf(last)];
    const [x, y] = [show(table.versionValue(a)), show(table.versionValue(b))];
    const because = `operation ${ops[0]} met ${x} and completed before operation ${ops[1]}, which met ${y}, was invoked`;
    return { source: 'linearizable', because, ops };
  }

  #byRank(a: number, b: number, order: { readonly [op: number]: number }): Precedence | undefined {
    const [before, after] = [this.#writers.of[a]!, this.#writers.of[b]!].map((t) => this.#rank(t, order));
    if (before === undefined || after === undefined || before >= after) return undefined;
    return { source: 'order', because: 'the given order of transactions says', ops: [] };
  }
}

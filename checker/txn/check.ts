import type { Events } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { type Anomaly, type Section, unknown, type Valid } from '../verdict.ts';
import { counted } from '../words.ts';
import { ClosedPredicate, readClosedPredicate } from './closed-predicate.ts';
import { type Cycle, findCycles } from './cycles.ts';
import { type Analysis, Findings } from './findings.ts';
import { components, type Graph, GraphBuilder, PROCESS, REALTIME, RW, RWP, WR, WW } from './graph.ts';
import { canonicalModel, cycleExists, prohibitedAnomalies, ruledOut } from './lattice.ts';
import { ListAppend, readListAppend } from './list-append.ts';
import { precedes, processEdges, realtimeEdges } from './order.ts';
import { RwRegister, readRwRegister } from './rw-register.ts';
import { serialOrder } from './serial-order.ts';
import { FAIL, INFO, OK, READ, TransactionError, type Transactions } from './transactions.ts';

/** What transactions did: appends to lists, writes of registers, or writes and predicate reads over a closed universe. */
export type TxnModel = 'list-append' | 'rw-register' | 'closed-predicate';

/** Options as Elle's; a missing one has Elle's default. */
export interface TxnOptions {
  readonly model: TxnModel;
  /** Names as in Elle and on jepsen.io/consistency; default `["strict-serializable"]`. */
  readonly consistencyModels?: readonly string[];
  /** Anomalies to look for beyond those that the models prohibit, for example `["G1", "dirty-update"]`. */
  readonly anomalies?: readonly string[];
  /** rw-register: each key on its own is linearizable, so realtime order orders versions. */
  readonly linearizableKeys?: boolean;
  /** rw-register: each key on its own is sequential, so a process's order orders versions. */
  readonly sequentialKeys?: boolean;
  /** rw-register: within a transaction writes follow reads, so a read version precedes the written one. */
  readonly wfrKeys?: boolean;
  /** rw-register: the rank of transactions, by position in the history, in an order that their writes are known to follow. */
  readonly transactionOrder?: { readonly [op: number]: number };
  /**
   * Gives the order in which the transactions, run one after the other, explain a history without cycles
   * (`details.order`), for `verifySerialOrder`: for list-append always, for rw-register where one was found.
   */
  readonly certificate?: boolean;
  /** rw-register: the value of every key before any write; a read of anything else that nobody wrote is garbage. */
  readonly initial?: Value;
}

/** What `details` of the section holds. */
export type TxnDetails = {
  readonly consistencyModels: readonly string[];
  readonly anomalyTypes: readonly string[];
  /** The weakest models that the history rules out. */
  readonly not: readonly string[];
  /** Stronger models that fall with them. */
  readonly alsoNot: readonly string[];
  /** Kinds of cycle whose presence is not decided because a bound on the search was reached. */
  readonly undecided: readonly string[];
  /** Positions of the transactions' completions, or of their invocations, where a certificate was asked for. */
  readonly order?: readonly number[];
  /** Why there is none though it was asked for. */
  readonly withoutOrder?: string;
};

export type TxnSection = Section & { readonly details: TxnDetails };

/** The graph has no edge at all, so that it cannot have a cycle whatever happened. */
const EMPTY_GRAPH = 'empty-transaction-graph';

const EDGE_NAMES = new Map([
  [WW, 'ww'],
  [WR, 'wr'],
  [RW, 'rw'],
  [RWP, 'rwp'],
  [PROCESS, 'process'],
  [REALTIME, 'realtime'],
]);

/**
 * Checks a history of transactions for the anomalies that the consistency models prohibit (Kingsbury & Alvaro,
 * "Elle: inferring isolation anomalies from experimental observations", VLDB 2020). Anomalies have Elle's names; the
 * evidence of a cycle has its edges, each with a reason.
 *
 * @throws RangeError when options name a model or an anomaly that does not exist
 */
export function checkTxn(history: History | Events, options: TxnOptions): TxnSection {
  const models = (options.consistencyModels ?? ['strict-serializable']).map(canonicalModel);
  const prohibited = prohibitedAnomalies(models, options.anomalies ?? []);
  try {
    return new TxnCheck(history, options, models, prohibited).section();
  } catch (error) {
    if (!(error instanceof TransactionError)) throw error;
    const details = { consistencyModels: models, anomalyTypes: [], not: [], alsoNot: [], undecided: [] };
    return { ...unknown(error.message, { events: history.length }), details };
  }
}

class TxnCheck {
  readonly #options: TxnOptions;
  readonly #models: readonly string[];
  readonly #prohibited: ReadonlySet<string>;
  readonly #table: Transactions;
  readonly #findings = new Findings();
  readonly #undecided = new Set<string>();
  readonly #edges: number;
  #order: readonly number[] | undefined;
  readonly #note: string | undefined;
  #components = 0;
  #predicateReads = 0;

  constructor(
    history: History | Events,
    options: TxnOptions,
    models: readonly string[],
    prohibited: ReadonlySet<string>,
  ) {
    this.#options = options;
    this.#models = models;
    this.#prohibited = prohibited;
    const { table, graph, analysis } = this.#analyse(history);
    this.#table = table;
    // Elle's rule: real time covers the order of processes.
    if ([...prohibited].some((kind) => kind.endsWith('-realtime'))) realtimeEdges(this.#table, graph);
    else if ([...prohibited].some((kind) => kind.endsWith('-process'))) processEdges(this.#table, graph);
    this.#edges = graph.edges;
    this.#addCycles(graph, analysis);
    this.#note = analysis.note;
    if (graph.edges === 0) {
      this.#findings.add(EMPTY_GRAPH, () => ({
        message: 'no transaction depends on another, so that no cycle could be seen',
        ops: [],
        evidence: {},
      }));
    }
  }

  #analyse(history: History | Events): { table: Transactions; graph: GraphBuilder; analysis: Analysis } {
    const { model } = this.#options;
    if (model === 'list-append') {
      const lists = readListAppend(history);
      const graph = new GraphBuilder(lists.table.count);
      return { table: lists.table, graph, analysis: new ListAppend(lists, this.#findings, graph) };
    }
    if (model === 'rw-register') {
      const table = readRwRegister(history);
      const graph = new GraphBuilder(table.count);
      return { table, graph, analysis: new RwRegister(table, this.#findings, graph, this.#options) };
    }
    const closed = readClosedPredicate(history);
    const graph = new GraphBuilder(closed.table.count);
    this.#predicateReads = closed.predicateReads.length;
    return { table: closed.table, graph, analysis: new ClosedPredicate(closed, this.#findings, graph) };
  }

  #addCycles(graph: GraphBuilder, analysis: Analysis): void {
    const table = this.#table;
    const built = graph.build();
    const found = findCycles(built, table.count, (before, after) => precedes(table, before, after));
    if (found.length === 0 && this.#options.certificate) this.#order = this.#orderOf(built);
    this.#components = found.length;
    const nameable = new Set(this.#findings.kinds);
    for (const { cycles, undecided } of found) {
      for (const cycle of cycles) {
        this.#findings.add(cycle.kind, () => explain(table, analysis, cycle));
        if (!nameable.has(cycle.kind) && !isShadowed(analysis, cycle)) nameable.add(cycle.kind);
      }
      for (const kind of undecided) this.#undecided.add(kind);
    }
    for (const kind of this.#findings.kinds) this.#undecided.delete(kind);
    for (const [model, kind] of cycleExists(this.#findings.kinds, nameable)) {
      this.#findings.add(kind, () => ({
        message: `there is a cycle that rules out ${model}`,
        ops: [],
        evidence: { model },
      }));
    }
  }

  /** An order of the transactions that explains a history whose graph has no cycle, if one was found. */
  #orderOf(graph: Graph): readonly number[] | undefined {
    const table = this.#table;
    if (this.#options.model === 'rw-register') return serialOrder(table, this.#options, graph);
    if (this.#options.model !== 'list-append') return undefined;
    // Without cycles every vertex is a component of its own, and edges lead to lower numbers.
    const { of } = components(graph, 0xff);
    return Array.from({ length: table.count }, (_, t) => t)
      .filter((t) => table.status.data[t] !== FAIL)
      .sort((a, b) => of[b]! - of[a]!)
      .map((t) => table.op(t));
  }

  section(): TxnSection {
    const findings = this.#findings;
    const table = this.#table;
    const types = findings.kinds.filter((kind) => this.#prohibited.has(kind) || kind === EMPTY_GRAPH).sort();
    const bad = types.filter((kind) => kind !== EMPTY_GRAPH);
    const undecided = [...this.#undecided].filter((kind) => this.#prohibited.has(kind)).sort();
    const { not, alsoNot } = types.length > 0 ? ruledOut(findings.kinds) : { not: [], alsoNot: [] };
    const [ok, info, fail, reads] = this.#tally();
    const counts = {
      transactions: table.count,
      ok,
      info,
      fail,
      operations: table.kind.length,
      reads,
      keys: table.keys,
      edges: this.#edges,
      components: this.#components,
      ...Object.fromEntries(bad.map((kind) => [kind, findings.count(kind)])),
    };
    const reason =
      reads === 0
        ? 'no transaction that completed read anything'
        : types.length > 0
          ? 'no transaction depends on another, so that no cycle could be seen'
          : undecided.length > 0
            ? `the search for ${undecided.join(', ')} reached its bound`
            : undefined;
    const valid: Valid = bad.length > 0 ? false : reason === undefined ? true : 'unknown';
    const said = bad.length > 0 ? `${bad.join(', ')}: not ${not.join(', not ')}` : (reason ?? 'no anomaly');
    const anomalies: Anomaly[] = types.flatMap((kind) => findings.kept(kind));
    return {
      valid,
      summary: `${this.#options.model}: ${counted(table.count, 'transaction')} over ${counted(table.keys, 'key')}; ${said}${this.#note === undefined ? '' : `; ${this.#note}`}`,
      ...(valid === 'unknown' && reason !== undefined ? { reason } : {}),
      anomalies,
      counts,
      details: {
        consistencyModels: this.#models,
        anomalyTypes: types,
        not,
        alsoNot,
        undecided,
        ...(valid === true ? this.#certificate() : {}),
      },
    };
  }

  #certificate(): Pick<TxnDetails, 'order' | 'withoutOrder'> {
    if (this.#options.certificate !== true) return {};
    if (this.#order !== undefined) return { order: this.#order };
    const isPredicate = this.#options.model === 'closed-predicate';
    return {
      withoutOrder: isPredicate
        ? 'no order is looked for where reads are of predicates'
        : 'no order of the transactions that explains every read was found: nothing contradicts the models, which is less',
    };
  }

  #tally(): [ok: number, info: number, fail: number, reads: number] {
    const table = this.#table;
    const tally: [number, number, number, number] = [0, 0, 0, this.#predicateReads];
    for (let t = 0; t < table.count; t++) {
      const status = table.status.data[t]!;
      tally[status === OK ? 0 : status === INFO ? 1 : 2]++;
      if (status !== OK) continue;
      for (let m = table.first.data[t]!; m < table.first.data[t + 1]!; m++) if (table.kind.data[m] === READ) tally[3]++;
    }
    return tally;
  }
}

/**
 * Whether a cycle's real-time (or process) edge stands beside a data edge between the same transactions. Elle names
 * an edge by its data, so that it cannot name such a cycle, and says only that one exists.
 */
function isShadowed(analysis: Analysis, { transactions, kinds }: Cycle): boolean {
  return kinds.some((kind, i) => {
    if (kind !== PROCESS && kind !== REALTIME) return false;
    const b = transactions[(i + 1) % transactions.length]!;
    return [WW, WR, RW, RWP].some((data) => analysis.reason(transactions[i]!, b, data, '', '') !== undefined);
  });
}

function explain(table: Transactions, analysis: Analysis, cycle: Cycle): Omit<Anomaly, 'kind'> {
  const { transactions, kinds } = cycle;
  const ops = transactions.map((t) => table.op(t));
  // A closed walk can come through a transaction twice; it keeps its name.
  const distinct = [...new Set(transactions)];
  const name = (t: number): string => `T${distinct.indexOf(t) + 1}`;
  const edges = transactions.map((a, i) => {
    const b = transactions[(i + 1) % transactions.length]!;
    const kind = kinds[i]!;
    const { because, facts } = reason(table, analysis, a, b, kind, name(a), name(b));
    return { from: table.op(a), to: table.op(b), kind: EDGE_NAMES.get(kind)!, because, ...facts };
  });
  const steps = edges.map(({ because }, i) => {
    const b = transactions[(i + 1) % transactions.length]!;
    return `${name(transactions[i]!)} < ${name(b)}, because ${because}`;
  });
  const names = distinct.map((t) => `${name(t)} = operation ${table.op(t)}`).join(', ');
  return { message: `${names}. ${steps.join('; ')}: a contradiction`, ops, evidence: { cycle: ops, edges } };
}

function reason(
  table: Transactions,
  analysis: Analysis,
  a: number,
  b: number,
  kind: number,
  nameA: string,
  nameB: string,
): { readonly because: string; readonly facts: { readonly [name: string]: Value } } {
  if (kind === PROCESS) {
    const process = table.process.data[a]!;
    return { because: `process ${process} ran ${nameA} before ${nameB}`, facts: { process } };
  }
  if (kind === REALTIME) {
    const [completed, invoked] = [table.completed.data[a]!, table.invoked.data[b]!];
    return {
      because: `${nameA} completed (operation ${completed}) before ${nameB} was invoked (operation ${invoked})`,
      facts: { completed, invoked },
    };
  }
  const found = analysis.reason(a, b, kind, nameA, nameB);
  if (found === undefined) {
    throw new Error(`no reason for the ${EDGE_NAMES.get(kind)} edge from operation ${table.op(a)} to ${table.op(b)}`);
  }
  return found;
}

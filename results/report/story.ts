import type { Value } from '../../checker/history/op.ts';
import type { Anomaly } from '../../checker/verdict.ts';
import { cycleBlocks } from './cycle-story.ts';
import { describeFault, type FaultSpan } from './fault-span.ts';
import { linearBlocks } from './linear-story.ts';
import type { LogLine } from './log-line.ts';
import { describe, type Operation, shorten, show } from './operation.ts';
import { drawLanes, seconds } from './picture/lanes.ts';
import type { SvgNode } from './picture/svg.ts';

/** What an anomaly's story is told with; the page and `anomaly.txt` show the same blocks. */
export type Block =
  | { readonly type: 'text'; readonly title?: string; readonly text: string }
  | {
      readonly type: 'table';
      readonly title: string;
      readonly columns: readonly string[];
      readonly rows: readonly (readonly string[])[];
      /** Rows to point at. */
      readonly marked?: readonly number[];
      /** Invocation index of the operation that each row is about: the timeline can show it. */
      readonly operations?: readonly number[];
    }
  | { readonly type: 'picture'; readonly title: string; readonly name: string; readonly picture: SvgNode }
  | { readonly type: 'lines'; readonly title: string; readonly lines: readonly string[] };

/** One anomaly, told. */
export interface Story {
  readonly section: string;
  readonly kind: string;
  /** The promise that was broken, in everyday words. */
  readonly promise: string;
  readonly message: string;
  readonly key?: string;
  /** The stretch of the run that it is about, in nanoseconds; missing when it has no time. */
  readonly from?: number;
  readonly to?: number;
  /** Invocation indices of the operations to look at, and of those, the ones that cannot be. */
  readonly operations: readonly number[];
  readonly marked: readonly number[];
  readonly blocks: readonly Block[];
}

/** What a story may draw on. */
export interface Scene {
  readonly byIndex: ReadonlyMap<number, Operation>;
  /** Of the nemesis' own lines, which are no operations: nanoseconds by index in the history. */
  readonly notes: ReadonlyMap<number, number>;
  /** What the checker says beside its anomalies. */
  readonly details: { readonly [name: string]: Value };
  readonly faults: readonly FaultSpan[];
  readonly logs: ReadonlyMap<string, readonly LogLine[]>;
}

/** How many operations a table or a small picture shows; the timeline has them all. */
const operationsMax = 40;
const logLinesMax = 80;
/** How far around an anomaly the nodes' logs are shown. */
const logMarginNs = 1e9;

/** Kinds of anomaly in everyday words. One that is missing here is explained by its section's summary alone. */
const promises: { readonly [kind: string]: string } = {
  nonlinearizable: 'Every operation takes effect once, at one instant between its call and its answer.',
  'lost-write': 'A write that was acknowledged is never lost.',
  'acknowledged-without-effect': 'A write that was acknowledged took effect.',
  'applied-twice': 'A write takes effect once, however often it is retried.',
  'failed-but-applied': 'A write that was reported as failed never takes effect.',
  'log-divergence': 'All nodes apply the same entry at the same index.',
  'state-divergence': 'Nodes that have applied the same entries hold the same state.',
  'two-leaders': 'A term has at most one leader.',
  'term-regression': 'Terms never fall along the log.',
  gap: 'A node applies every entry, or installs a snapshot that holds it.',
  'applied-again': 'A node applies an entry once.',
  'state-from-nowhere': 'A node restarts only with state that it had.',
  crash: 'A node runs until it is told to stop.',
  'ineffective-fault': 'Every fault that was asked for took effect.',
  'no-convergence': 'Once the faults are over, the nodes find a leader and reach the same state.',
  'not-serving': 'Once the faults are over, every node serves again.',
};

function promiseOf(section: string, kind: string): string {
  const known = promises[kind];
  if (known !== undefined) return known;
  if (/^(G|PL|internal|future|dirty|lost-update|duplicate|incompatible|cyclic|predicate|garbage)/.test(kind)) {
    return 'Transactions behave as if they ran one after another.';
  }
  if (/liveness/.test(section)) return 'Once the faults are over, the cluster works again.';
  return `Checked by ${section}.`;
}

/** Tells one anomaly with everything that the run recorded around it. */
export function tell(section: string, anomaly: Anomaly, scene: Scene): Story {
  const involved = unique(anomaly.ops.map((index) => scene.byIndex.get(index))).sort((a, b) => a.invoke - b.invoke);
  const special = linearBlocks(anomaly, scene) ?? cycleBlocks(anomaly, scene);
  const shown = special?.operations ?? involved;
  const marked = special?.marked ?? [];
  const times = shown.flatMap(({ start, end }) => (end === undefined ? [start] : [start, end]));
  if (times.length === 0)
    times.push(...anomaly.ops.map((index) => scene.notes.get(index)).filter((time) => time !== undefined));
  const fault =
    anomaly.kind === 'ineffective-fault' ? scene.faults.find(({ id }) => id === anomaly.evidence.id) : undefined;
  if (fault !== undefined) times.push(fault.start, fault.end ?? fault.start);
  const evidenceTime = anomaly.evidence.time;
  if (times.length === 0 && typeof evidenceTime === 'number') times.push(evidenceTime);
  const span = times.length === 0 ? {} : { from: Math.min(...times), to: Math.max(...times) };
  const focus = shown
    .filter(({ invoke }) => marked.includes(invoke))
    .flatMap(({ start, end }) => [start, end ?? start]);
  const promise = promiseOf(section, anomaly.kind);
  return {
    section,
    kind: anomaly.kind,
    promise,
    message: shorten(anomaly.message, 2000),
    ...(anomaly.key !== undefined && { key: show(anomaly.key, 200) }),
    ...span,
    operations: shown.map((operation) => operation.invoke),
    marked,
    blocks: [
      ...(special?.before ?? []),
      ...operationBlocks(shown, new Set(marked), scene.faults, `${anomaly.kind}: ${anomaly.message}`),
      ...(special?.after ?? []),
      ...evidenceBlocks(anomaly, special?.used ?? new Set()),
      ...contextBlocks(span.from, span.to, focus.length > 0 ? focus : times, scene),
    ],
  };
}

function operationBlocks(
  all: readonly Operation[],
  marked: ReadonlySet<number>,
  faults: readonly FaultSpan[],
  title: string,
): Block[] {
  if (all.length === 0) return [];
  const operations = all.length <= operationsMax ? all : nearest(all, marked);
  const left = all.length - operations.length;
  const note = left === 0 ? '' : ` (${operations.length} of ${all.length}; the timeline has them all)`;
  return [
    {
      type: 'picture',
      title: `What the clients saw${note}`,
      name: 'timeline',
      picture: drawLanes({ operations, marked, faults, title: shorten(title, 300) }),
    },
    {
      type: 'table',
      title: `The operations${note}`,
      columns: ['', 'process', 'called', 'answered', 'operation', 'key', 'outcome', 'node', 'history'],
      rows: operations.map((operation) => row(operation, marked)),
      marked: operations.flatMap((operation, at) => (marked.has(operation.invoke) ? [at] : [])),
      operations: operations.map((operation) => operation.invoke),
    },
  ];
}

/** The operations around those that are marked (or the first ones): order kept. */
function nearest(all: readonly Operation[], marked: ReadonlySet<number>): Operation[] {
  const at = all.findIndex((operation) => marked.has(operation.invoke));
  const from = Math.min(Math.max(0, at - operationsMax / 2), all.length - operationsMax);
  return all.filter((operation, i) => (i >= from && i < from + operationsMax) || marked.has(operation.invoke));
}

function row(operation: Operation, marked: ReadonlySet<number>): string[] {
  const { process, start, end, key, outcome, error, node, invoke, complete } = operation;
  return [
    marked.has(invoke) ? '▶' : '',
    String(process),
    seconds(start),
    end === undefined ? 'never' : seconds(end),
    describe(operation),
    show(key),
    outcome === 'info'
      ? `unknown${error === undefined ? '' : `: ${shorten(error, 80)}`}`
      : outcome === 'fail'
        ? `failed${error === undefined ? '' : `: ${shorten(error, 80)}`}`
        : 'ok',
    node ?? '',
    complete === undefined ? String(invoke) : `${invoke}, ${complete}`,
  ];
}

/** Evidence of a kind that has no story of its own: lists become tables, the rest facts. */
function evidenceBlocks(anomaly: Anomaly, used: ReadonlySet<string>): Block[] {
  const facts: string[][] = [];
  const blocks: Block[] = [];
  for (const [name, value] of Object.entries(anomaly.evidence)) {
    if (used.has(name)) continue;
    if (Array.isArray(value) && value.length > 0 && value.every(isRecord)) {
      const records = value as readonly { readonly [name: string]: Value }[];
      const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
      blocks.push({
        type: 'table',
        title: words(name),
        columns,
        rows: records.slice(0, operationsMax).map((record) => columns.map((column) => factOf(record[column] ?? null))),
      });
    } else if (
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((item) => typeof item === 'string') &&
      /lines|words/i.test(name)
    ) {
      blocks.push({
        type: 'lines',
        title: words(name),
        lines: value.slice(0, logLinesMax).map((line) => shorten(String(line), 2000)),
      });
    } else {
      facts.push([words(name), name === 'time' && typeof value === 'number' ? seconds(value) : factOf(value)]);
    }
  }
  if (facts.length > 0) blocks.unshift({ type: 'table', title: 'Evidence', columns: ['fact', 'value'], rows: facts });
  return blocks;
}

function factOf(value: Value): string {
  if (value === null) return 'none';
  if (typeof value === 'string') return shorten(value, 2000);
  if (!Array.isArray(value)) return show(value, 2000);
  return value.length === 0 ? 'none' : shorten(value.map(factOf).join(', '), 2000);
}

/** What the cluster was doing then: faults, and the nodes' logs, of which those nearest to `focus` come first. */
function contextBlocks(
  from: number | undefined,
  to: number | undefined,
  focus: readonly number[],
  scene: Scene,
): Block[] {
  if (from === undefined || to === undefined) return [];
  const blocks: Block[] = [];
  const during = scene.faults.filter((fault) => fault.start <= to && (fault.end ?? Number.POSITIVE_INFINITY) >= from);
  const before = scene.faults.filter((fault) => fault.end !== undefined && fault.end < from).at(-1);
  if (during.length > 0) {
    blocks.push({
      type: 'table',
      title: 'Faults in force meanwhile',
      columns: ['fault', 'from', 'to', 'took effect'],
      rows: during
        .slice(0, operationsMax)
        .map((fault) => [
          describeFault(fault),
          seconds(fault.start),
          fault.end === undefined ? 'never ended' : seconds(fault.end),
          fault.effect,
        ]),
    });
  } else if (scene.faults.length > 0) {
    const last =
      before?.end === undefined
        ? ''
        : ` The last before it was ${describeFault(before)}, until ${seconds(before.end)}.`;
    blocks.push({ type: 'text', title: 'Faults meanwhile', text: `No fault was in force.${last}` });
  }
  const near = [...scene.logs]
    .flatMap(([node, lines]) => lines.map((line) => ({ node, ...line, time: line.time ?? Number.NaN })))
    .filter(({ time }) => time >= from - logMarginNs && time <= to + logMarginNs);
  if (near.length > 0) {
    const distance = (time: number): number => Math.min(...focus.map((point) => Math.abs(point - time)));
    const shown = near
      .toSorted((a, b) => distance(a.time) - distance(b.time))
      .slice(0, logLinesMax)
      .sort((a, b) => a.time - b.time);
    const left = near.length - shown.length;
    blocks.push({
      type: 'table',
      title: `The nodes' logs from a second before to a second after${left === 0 ? '' : ` (the nearest ${shown.length} of ${near.length} lines)`}`,
      columns: ['time by its clock', 'node', 'line'],
      rows: shown.map(({ time, node, text }) => [seconds(time), node, shorten(text, 400)]),
      marked: shown.flatMap(({ level }, i) => (/error|fatal/.test(level) ? [i] : [])),
    });
  }
  return blocks;
}

/** Names in evidence that say too little by themselves. */
const named: { readonly [name: string]: string } = {
  op: 'Operation id',
  f: 'Function',
  at: 'Where it stands in the log',
  lackedBy: 'Nodes that lack it',
  variants: 'What stands there',
};

function words(name: string): string {
  const known = named[name];
  if (known !== undefined) return known;
  const spaced = name
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll(/[-_]/g, ' ')
    .toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function isRecord(value: Value): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unique<T>(items: readonly (T | undefined)[]): T[] {
  return [...new Set(items)].filter((item) => item !== undefined);
}

import type { NodeAudit } from '../../checker/durability/audit-record.ts';
import type { Value } from '../../checker/history/op.ts';
import type { Anomaly } from '../../checker/verdict.ts';
import type { MessageRecord } from '../store/schema.ts';
import { contextBlocks } from './context-blocks.ts';
import { cycleBlocks } from './cycle-story.ts';
import { entryBlocks } from './entry-story.ts';
import { evidenceBlocks } from './evidence-blocks.ts';
import type { FaultSpan } from './fault-span.ts';
import { linearBlocks } from './linear-story.ts';
import type { LogLine } from './log-line.ts';
import { messageBlocks } from './message-blocks.ts';
import { commandBlocks, convergenceBlocks, crashBlocks, electionBlocks } from './node-story.ts';
import { type Operation, shorten, show } from './operation.ts';
import { operationBlocks } from './operation-blocks.ts';
import type { Down, Leadership } from './page-data.ts';
import { labelOf } from './picture/lanes.ts';
import type { SvgNode } from './picture/svg.ts';
import { promiseOf } from './promises.ts';

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
  | { readonly type: 'lines'; readonly title: string; readonly lines: readonly string[] }
  /** Files of the run, by their paths in its folder. */
  | { readonly type: 'links'; readonly title: string; readonly paths: readonly string[] };

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
  /** What a picture writes on each of the operations. */
  readonly labels: readonly string[];
  readonly blocks: readonly Block[];
}

/** What a story may draw on. */
export interface Scene {
  readonly byIndex: ReadonlyMap<number, Operation>;
  /** By the operation id that its request carried. */
  readonly byOp: ReadonlyMap<string, Operation>;
  /** Of the nemesis' own lines, which are no operations: nanoseconds by index in the history. */
  readonly notes: ReadonlyMap<number, number>;
  /** What the checker says beside its anomalies. */
  readonly details: { readonly [name: string]: Value };
  readonly faults: readonly FaultSpan[];
  readonly leaderships: readonly Leadership[];
  readonly downs: readonly Down[];
  /** What each node wrote down of what it applied. */
  readonly audits: readonly NodeAudit[];
  readonly logs: ReadonlyMap<string, readonly LogLine[]>;
  /** What the nodes' clocks showed at the run's time 0. */
  readonly clockOriginMs: number;
  /** Paths of the whole logs in the run's folder. */
  readonly logPaths: readonly string[];
  /** Nanoseconds: the simulator ended the run here, because of what it had just seen. */
  readonly stoppedNs: number | undefined;
  readonly nodes: readonly string[];
  /** Between nodes, in the order in which they were sent. */
  readonly messages: readonly MessageRecord[];
  /** The history says when its events were. */
  readonly timed: boolean;
}

/** What the story of one family of anomalies adds to what all stories have. */
export interface SpecialBlocks {
  /** Shorter than the checker's own sentence, where the blocks say the rest. */
  readonly message?: string;
  readonly operations: readonly Operation[];
  readonly marked: readonly number[];
  /** What the story calls its operations, by invocation index: `T1`. */
  readonly names?: ReadonlyMap<number, string>;
  /** The keys that it is about. */
  readonly keys?: readonly Value[];
  /** Nanoseconds; where it has no operations. */
  readonly times?: readonly number[];
  readonly before: readonly Block[];
  readonly after: readonly Block[];
  /** Names in the evidence that are told already. */
  readonly used: ReadonlySet<string>;
}

/** Tells one anomaly with everything that the run recorded around it. */
export function tell(section: string, anomaly: Anomaly, scene: Scene): Story {
  const special =
    linearBlocks(anomaly, scene) ??
    cycleBlocks(anomaly, scene) ??
    commandBlocks(anomaly, scene) ??
    electionBlocks(anomaly, scene) ??
    crashBlocks(anomaly, scene) ??
    convergenceBlocks(anomaly) ??
    entryBlocks(anomaly, scene) ??
    plainBlocks(anomaly, scene);
  const { operations, before, after, used, names = new Map(), keys = [] } = special;
  const cast = { operations, marked: new Set(special.marked), names, keys };
  const message = shorten(special.message ?? anomaly.message, 2000);
  const times = timesOf(anomaly, special, scene);
  const span = times.length === 0 ? {} : { from: Math.min(...times), to: Math.max(...times) };
  const focus = operations
    .filter(({ invoke }) => cast.marked.has(invoke))
    .flatMap(({ start, end }) => [start, end ?? start]);
  return {
    section,
    kind: anomaly.kind,
    promise: promiseOf(section, anomaly.kind),
    message,
    ...(anomaly.key !== undefined && { key: show(anomaly.key, 200) }),
    ...span,
    operations: operations.map(({ invoke }) => invoke),
    marked: special.marked,
    labels: operations.map((operation) => labelOf(operation, cast)),
    blocks: [
      ...before,
      ...operationBlocks(cast, scene.faults, scene.timed, `${anomaly.kind}: ${anomaly.message}`),
      ...after,
      ...(span.from === undefined ? [] : messageBlocks(span.from, span.to, cast, scene)),
      ...evidenceBlocks(anomaly, used, scene),
      ...(span.from === undefined ? [] : contextBlocks(span.from, span.to, focus.length > 0 ? focus : times, scene)),
    ],
  };
}

/** An anomaly whose evidence is simple: its operations, of which what somebody read is what cannot be. */
function plainBlocks({ ops, evidence }: Anomaly, { byIndex }: Scene): SpecialBlocks {
  const operations = [
    ...new Set(ops.map((index) => byIndex.get(index)).filter((operation) => operation !== undefined)),
  ].sort((a, b) => a.invoke - b.invoke);
  const reader = typeof evidence.reader === 'number' ? byIndex.get(evidence.reader) : undefined;
  const { key } = evidence;
  return {
    operations,
    marked: reader === undefined ? [] : [reader.invoke],
    keys: key === undefined ? [] : [key],
    before: [],
    after: [],
    used: new Set(),
  };
}

/** When it was, in nanoseconds: when its operations were, else what the history or the evidence says. */
function timesOf({ kind, ops, evidence }: Anomaly, { operations, times = [] }: SpecialBlocks, scene: Scene): number[] {
  const told = operations.flatMap(({ start, end }) => (end === undefined ? [start] : [start, end]));
  const { fromNs, untilNs, time, id } = evidence;
  if (typeof fromNs === 'number' && typeof untilNs === 'number') told.push(fromNs, untilNs);
  if (kind === 'ineffective-fault') {
    const fault = scene.faults.find((one) => one.id === id);
    if (fault !== undefined) told.push(fault.start, fault.end ?? fault.start);
  }
  if (told.length > 0) return told;
  if (times.length === 0 && scene.stoppedNs !== undefined) return [scene.stoppedNs];
  const noted = ops.map((index) => scene.notes.get(index)).filter((at) => at !== undefined);
  if (noted.length > 0) return noted;
  return times.length > 0 ? [...times] : typeof time === 'number' ? [time] : [];
}

import type { History, Op, Value } from '../../checker/history/op.ts';
import type { Anomaly, Section } from '../../checker/verdict.ts';
import { isAnswer } from './operations.ts';

/**
 * The line of the nemesis that says which nodes are the core from now on: a majority of the voters that run, each
 * connected with each other both ways and undisturbed, while no other node both hears one of them and is heard by it,
 * so that none of the others can lead. No nodes: there is no such majority. Only a world that knows its links tells.
 */
export const coreName = 'core';

/** A core may take `boundMs` to find itself a leader; from then on it serves. */
export interface Core {
  readonly nodes: readonly string[];
  readonly boundMs: number;
}

/** Fewer writes say nothing. */
const writesMin = 20;
/** Of the writes through a core that has had its time: messages are lost on good links, too, and disks stall. */
const shareMin = 0.5;
/** Writes that hang are few: so many are enough where none at all completed for as long again as a core may take. */
const hangingMin = 5;

interface Window extends Core {
  readonly fromNs: number;
  readonly untilNs: number;
}

/**
 * While faults are on: whatever the other nodes suffer, writes through a core complete (TigerBeetle's liveness; Raft
 * needs PreVote and CheckQuorum for it).
 * @returns undefined when the history knows of no cores, or of no write through one: nothing was looked at
 */
export function checkCoreLiveness(history: History): Section | undefined {
  const windows = windowsOf(history);
  if (windows.length === 0) return undefined;
  const settled = windows.filter(
    ({ nodes, fromNs, untilNs, boundMs }) => nodes.length > 0 && untilNs - fromNs > boundMs * 1e6,
  );
  const writes = writesOf(history);
  const judged = settled.map((window) => judge(window, writes));
  const anomalies = judged.flatMap(({ anomaly }) => anomaly ?? []);
  const [tried, served] = [sum(judged, 'tried'), sum(judged, 'served')];
  const counts = { cores: judged.length, writes: tried, served };
  const [first] = anomalies;
  if (first !== undefined) return { valid: false, summary: first.message, anomalies, counts };
  if (tried === 0) return undefined;
  const summary = `${served} of ${tried} writes through ${judged.length} connected majorities completed`;
  return { valid: true, summary, anomalies: [], counts };
}

/** An operation that is not a read, from its invocation to its end. */
interface Write {
  readonly invoke: Op;
  readonly end: Op;
}

function judge(window: Window, writes: readonly Write[]) {
  const { nodes, boundMs, fromNs, untilNs } = window;
  const within = writes.filter(
    ({ invoke, end }) =>
      nodes.includes(invoke.node ?? '') && invoke.time >= fromNs + boundMs * 1e6 && end.time <= untilNs,
  );
  const served = within.filter(({ end }) => isAnswer(end)).length;
  const tried = within.length;
  const isStuck = served === 0 && tried >= hangingMin && untilNs - fromNs >= 2 * boundMs * 1e6;
  const isPoor = tried >= writesMin && served < tried * shareMin;
  if (!isStuck && !isPoor) return { tried, served, anomaly: undefined };
  const seconds = ((untilNs - fromNs) / 1e9).toFixed(1);
  const anomaly: Anomaly = {
    kind: 'core-not-serving',
    message: `nodes ${nodes.join(', ')} were a connected majority for ${seconds} s, but of ${tried} writes through them after the first ${boundMs / 1000} s only ${served} completed`,
    ops: within
      .filter(({ end }) => !isAnswer(end))
      .slice(0, writesMin)
      .map(({ invoke }) => invoke.index),
    evidence: { nodes: [...nodes], fromNs, untilNs, boundMs, tried, served },
  };
  return { tried, served, anomaly };
}

function windowsOf(history: History): readonly Window[] {
  const lines = history.flatMap((op) => {
    const core = op.process === 'nemesis' && op.f === coreName ? readCore(op.value) : undefined;
    return core === undefined ? [] : [{ ...core, fromNs: op.time }];
  });
  const endNs = history.at(-1)?.time ?? 0;
  return lines.map((line, at) => ({ ...line, untilNs: lines[at + 1]?.fromNs ?? endNs }));
}

function writesOf(history: History): readonly Write[] {
  const open = new Map<Op['process'], Op>();
  const writes: Write[] = [];
  for (const op of history) {
    if (op.process === 'nemesis' || op.f === 'read') continue;
    const invoke = open.get(op.process);
    if (op.type === 'invoke') open.set(op.process, op);
    else if (invoke !== undefined) writes.push({ invoke, end: op });
  }
  return writes;
}

function readCore(value: Value | undefined): Core | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { nodes, boundMs } = value as { readonly [name: string]: Value };
  if (!Array.isArray(nodes) || typeof boundMs !== 'number') return undefined;
  return { nodes: nodes.map(String), boundMs };
}

function sum<K extends string>(all: readonly { readonly [name in K]: number }[], name: K): number {
  return all.reduce((total, one) => total + one[name], 0);
}

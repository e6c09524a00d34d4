import { basename } from 'node:path';
import type { Value } from '../../checker/history/op.ts';
import type { Section, Valid } from '../../checker/verdict.ts';
import { files } from '../store/layout.ts';
import type { TestDescription } from '../store/schema.ts';
import { columnsOf, ratesOf, stringMax } from './columns.ts';
import { type FaultSpan, faultSpans } from './fault-span.ts';
import { downs, leaderships } from './leadership.ts';
import { type LogLine, parseLogLine } from './log-line.ts';
import type { ReportModel } from './model.ts';
import { type Operation, operationsByIndex, pairOperations } from './operation.ts';
import type { Columns, PageData, Phase } from './page-data.ts';
import { type Story, tell } from './story.ts';

/** Up to this many operations are embedded whole. */
const embeddedWholeMax = 200_000;
/** How many anomalies are told in full; the rest stay in results.json, and the report says how many. */
const storiesMax = 100;
const logLinesMax = 20_000;

export interface Page {
  readonly page: PageData;
  readonly columns: Columns;
}

/**
 * Works out everything that the page and `anomaly.txt` show.
 * @param embeddedMax how many operations are embedded whole; of more, those around anomalies and faults
 */
export function pageOf(model: ReportModel, embeddedMax = embeddedWholeMax): Page {
  const { test, results, history } = model;
  const timed = history.some(({ time, index }) => time !== index);
  const operations = pairOperations(timed ? history : inSteps(history));
  const faults = faultSpans(model.faults);
  const clockOriginMs = Date.parse(test.clockOrigin ?? test.started);
  const logs = new Map(
    [...model.logs].map(([node, lines]): [string, LogLine[]] => [
      node,
      lines.slice(-logLinesMax).map((line) => parseLogLine(line, clockOriginMs)),
    ]),
  );
  const byIndex = operationsByIndex(operations);
  const notes = new Map(history.filter(({ process }) => process === 'nemesis').map(({ index, time }) => [index, time]));
  const stopsThere = stopsAtViolations(test);
  const sections = Object.entries(results.sections).sort(([, a], [, b]) => rank(a.valid) - rank(b.valid));
  const told = sections.flatMap(([section, { anomalies, counts, details = {} }]) =>
    anomalies.map((anomaly, at) => ({ section, anomaly, details, stopped: stopsThere && at < (counts.steps ?? 0) })),
  );
  const endNs = Math.max(
    1,
    timed ? lastOf(history) : history.length * stepNs,
    ...faults.map((fault) => fault.end ?? fault.start),
  );
  const scene = {
    byIndex,
    byOp: new Map(operations.flatMap((operation) => (operation.op === undefined ? [] : [[operation.op, operation]]))),
    notes,
    faults,
    leaderships: leaderships(logs, model.processes, endNs),
    downs: downs(model.processes, endNs),
    audits: model.audits,
    logs,
    clockOriginMs,
    nodes: test.nodes,
    messages: model.messages,
    logPaths: model.files.filter((path) => basename(path) === files.log),
    timed,
  };
  const stories = told
    .slice(0, storiesMax)
    .map(({ section, anomaly, details, stopped }) =>
      tell(section, anomaly, { ...scene, details, stoppedNs: stopped ? endNs : undefined }),
    );

  const unitNs = endNs / 1000 < 0xffffffff ? 1000 : Math.ceil(endNs / 0xffffffff);
  const embedded = embeddedOf(
    operations,
    stories,
    faults.flatMap(({ start, end }) => (end === undefined ? [start] : [start, end])),
    embeddedMax,
  );
  const { columns, shortened } = columnsOf(embedded.operations, unitNs);

  const leftOut = [...embedded.leftOut];
  if (told.length > stories.length) {
    leftOut.push(
      `${told.length - stories.length} more anomalies are in results.json; the first ${stories.length} are told here.`,
    );
  }
  if (shortened > 0) {
    leftOut.push(
      `${shortened} values of more than ${stringMax.toLocaleString('en')} characters are shortened; history.ndjson has them whole.`,
    );
  }
  for (const [node, lines] of model.logs) {
    if (lines.length > logLinesMax)
      leftOut.push(
        `Of node ${node}'s log the last ${logLinesMax.toLocaleString('en')} of ${lines.length.toLocaleString('en')} lines were read.`,
      );
  }

  const nodes =
    test.nodes.length > 0 ? test.nodes : [...new Set([...model.logs.keys(), ...model.audits.map(({ node }) => node)])];
  return {
    columns,
    page: {
      test,
      results: {
        valid: results.valid,
        sections: sections.map(([name, section]) => ({
          name,
          valid: section.valid,
          summary: section.summary,
          ...(section.reason !== undefined && { reason: section.reason }),
          anomalies: section.anomalies.length,
          counts: Object.entries(section.counts),
        })),
      },
      headline: headlineOf(results.valid, sections, stories),
      stories,
      faults,
      leaderships: scene.leaderships,
      downs: scene.downs,
      phases: phasesOf(history, endNs),
      rates: ratesOf(operations, endNs),
      notChecked: notChecked(model, faults, sections),
      leftOut,
      ...(embedded.windows !== undefined && { windows: embedded.windows }),
      counts: {
        operations: operations.length,
        ok: operations.filter(({ outcome }) => outcome === 'ok').length,
        fail: operations.filter(({ outcome }) => outcome === 'fail').length,
        info: operations.filter(({ outcome }) => outcome === 'info').length,
      },
      keys: new Set(operations.flatMap(({ key }) => (key === undefined ? [] : [JSON.stringify(key)]))).size,
      nodes,
      endNs,
      timed,
      unitNs,
      commands: Object.entries(test.commands).map(([purpose, command]) => ({ purpose, command })),
      links: model.files,
    },
  };
}

/** A simulation ends at the first invariant that it sees broken, unless it was told to go on. */
function stopsAtViolations({ world, options: { plan } }: TestDescription): boolean {
  return world === 'simulated' && !(isRecord(plan) && plan.onViolation === 'record');
}

function isRecord(value: Value | undefined): value is { readonly [name: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Worst first: what went wrong must not be looked for. */
function rank(valid: Valid): number {
  return valid === false ? 0 : valid === 'unknown' ? 1 : 2;
}

/** An event of a history without times, as long as a second so that the axis counts events. */
const stepNs = 1e9;

function inSteps(history: ReportModel['history']): ReportModel['history'] {
  return history.map((op) => ({ ...op, time: op.index * stepNs }));
}

function lastOf(history: ReportModel['history']): number {
  let last = 0;
  for (const { time } of history) if (time > last) last = time;
  return last;
}

/** The parts of the run, as the runner notes them in the history. */
function phasesOf(history: ReportModel['history'], endNs: number): Phase[] {
  const starts = history.filter(
    ({ process, f, value }) => process === 'nemesis' && f === 'phase' && typeof value === 'string',
  );
  return starts.map(({ time, value }, i) => ({ name: String(value), from: time, to: starts[i + 1]?.time ?? endNs }));
}

function headlineOf(
  valid: Valid,
  sections: readonly (readonly [string, Section])[],
  stories: readonly Story[],
): string {
  if (valid === false)
    return stories[0]?.message ?? sections.find(([, section]) => section.valid === false)?.[1].summary ?? '';
  if (valid === 'unknown') {
    return sections.find(([, section]) => section.valid === 'unknown')?.[1].reason ?? 'Nothing was checked.';
  }
  const checks = sections.length;
  return `No violation was found by ${checks === 1 ? 'the one check' : `any of the ${checks} checks`} that ran.`;
}

/** What a green page might be thought to say and does not. */
function notChecked(
  model: ReportModel,
  faults: readonly FaultSpan[],
  sections: readonly (readonly [string, Section])[],
): string[] {
  const { test, audits } = model;
  const list = [...(test.notChecked ?? [])];
  for (const [name, section] of sections) {
    if (section.valid === 'unknown') list.push(`${name}: ${section.reason ?? section.summary}`);
  }
  if (model.historyCut)
    list.push(
      'The last line of the history was cut short and is left out; operations still open then count as unknown.',
    );
  list.push(...model.unreadable.map((text) => `Could not be read: ${text}`));
  if (test.world === 'history') {
    list.push(
      'Only the history was judged: what the cluster was doing, and what its nodes applied, is not known here.',
    );
    return list;
  }
  const kinds = [...new Set(faults.map(({ kind }) => kind))];
  list.push(
    kinds.length === 0
      ? 'No fault was injected: the run says nothing about how the cluster stands them.'
      : `Only these faults were injected: ${kinds.join(', ')}. The run says nothing about others.`,
  );
  if (audits.length === 0)
    list.push(
      'There is no audit of what the nodes applied, so lost or repeated entries would show only in what clients read.',
    );
  if (test.world === 'real' && !kinds.includes('power-loss'))
    list.push(
      'Power loss: processes were killed, machines were not. What the kernel had not yet written to disk survived.',
    );
  if (test.world === 'simulated') list.push('Real disks, sockets and schedulers: this run was simulated.');
  return list;
}

interface Embedded {
  readonly operations: readonly Operation[];
  readonly windows?: readonly (readonly [number, number])[];
  readonly leftOut: readonly string[];
}

/** All of them, or those within one distance of an anomaly or a fault's start or end: as far as there is room. */
function embeddedOf(
  operations: readonly Operation[],
  stories: readonly Story[],
  edges: readonly number[],
  embeddedMax: number,
): Embedded {
  if (operations.length <= embeddedMax) return { operations, leftOut: [] };
  const always = new Set(stories.flatMap((story) => story.operations));
  const points = [
    ...stories.flatMap(({ from, to }) => (from === undefined || to === undefined ? [] : [from, to])),
    ...edges,
  ].sort((a, b) => a - b);
  if (points.length === 0) points.push(0);
  const distances = Float64Array.from(operations, ({ start }) => distanceTo(points, start));
  const radius = Float64Array.from(distances).sort()[embeddedMax - 1] ?? 0;
  const kept = operations.filter(({ invoke }, i) => (distances[i] ?? 0) < radius || always.has(invoke));
  const windows: [number, number][] = [];
  for (const point of points) {
    const last = windows.at(-1);
    if (last !== undefined && point - radius <= last[1]) last[1] = point + radius;
    else windows.push([point - radius, point + radius]);
  }
  const count = (number: number): string => number.toLocaleString('en');
  return {
    operations: kept,
    windows,
    leftOut: [
      `${count(operations.length - kept.length)} of ${count(operations.length)} operations are not in this file: it has those within ${(radius / 1e9).toFixed(2)} s of an anomaly or of a fault's start or end. Rates and latencies over time are of all of them; history.ndjson has each.`,
    ],
  };
}

function distanceTo(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return Math.min(
    Math.abs((sorted[low] ?? Number.POSITIVE_INFINITY) - value),
    Math.abs((sorted[low - 1] ?? Number.NEGATIVE_INFINITY) - value),
  );
}

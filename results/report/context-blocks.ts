import { describeFault } from './fault-span.ts';
import type { LogLine } from './log-line.ts';
import { shorten } from './operation.ts';
import { seconds } from './picture/lanes.ts';
import type { Block, Scene } from './story.ts';

const rowsMax = 40;
const logLinesMax = 60;
/** Of each node, where none logged anything near. */
const lastLinesMax = 6;
/** Said many times a second while there is no leader, and of no help. */
const chatter = /dropping proposal/;
/** How far around an anomaly the nodes' logs are shown. */
const logMarginNs = 1e9;

/**
 * What the cluster was doing then: faults, who led and who was down, and the nodes' logs.
 * @param focus times in nanoseconds: of the log lines, those nearest to these are shown
 */
export function contextBlocks(from: number, to: number, focus: readonly number[], scene: Scene): Block[] {
  return [...faultBlocks(from, to, scene), ...nodeBlocks(from, to, scene), ...logBlocks(from, to, focus, scene)];
}

function faultBlocks(from: number, to: number, { faults }: Scene): Block[] {
  if (faults.length === 0) return [];
  const during = faults.filter((fault) => fault.start <= to && (fault.end ?? Number.POSITIVE_INFINITY) >= from);
  if (during.length === 0) {
    const last = faults.filter((fault) => fault.end !== undefined && fault.end < from).at(-1);
    const before =
      last?.end === undefined ? '' : ` The last before it was ${describeFault(last)}, until ${seconds(last.end)}.`;
    return [{ type: 'text', title: 'Faults meanwhile', text: `No fault was in force.${before}` }];
  }
  return [
    {
      type: 'table',
      title: 'Faults in force meanwhile',
      columns: ['fault', 'from', 'to', 'took effect'],
      rows: during
        .slice(0, rowsMax)
        .map((fault) => [
          describeFault(fault),
          seconds(fault.start),
          fault.end === undefined ? 'never ended' : seconds(fault.end),
          fault.effect,
        ]),
    },
  ];
}

function nodeBlocks(from: number, to: number, { leaderships, downs }: Scene): Block[] {
  if (leaderships.length + downs.length === 0) return [];
  const during = <T extends { readonly from: number; readonly to: number }>(spans: readonly T[]): T[] =>
    spans.filter((span) => span.from <= to && span.to >= from);
  const rows = [
    ...during(leaderships).map((led) => ({ ...led, what: `held itself for the leader of term ${led.term}` })),
    ...during(downs).map((down) => ({ ...down, what: down.ordered ? 'down, as ordered' : 'crashed' })),
  ].sort((a, b) => a.from - b.from);
  if (rows.length === 0) {
    return [{ type: 'text', title: 'Nodes meanwhile', text: 'No node held itself for the leader, and none was down.' }];
  }
  return [
    {
      type: 'table',
      title: 'Nodes meanwhile',
      columns: ['node', 'from', 'to', 'what it was'],
      rows: rows.slice(0, rowsMax).map((row) => [row.node, seconds(row.from), seconds(row.to), row.what]),
    },
  ];
}

function logBlocks(from: number, to: number, focus: readonly number[], { logs, logPaths }: Scene): Block[] {
  const whole: Block[] = logPaths.length === 0 ? [] : [{ type: 'links', title: 'The whole logs', paths: logPaths }];
  const near = [...logs]
    .flatMap(([node, lines]) => lines.map((line) => ({ node, ...line, time: line.time ?? Number.NaN })))
    .filter(({ time, text }) => time >= from - logMarginNs && time <= to + logMarginNs && !chatter.test(text));
  if (near.length === 0) {
    const last = [...logs].flatMap(([node, lines]) =>
      lines
        .filter(({ time, text }) => time !== undefined && time < from && !chatter.test(text))
        .slice(-lastLinesMax)
        .map((line) => ({ node, ...line, time: line.time ?? Number.NaN })),
    );
    return last.length === 0 ? whole : [logTable('What each node logged last before it', last), ...whole];
  }
  // Who leads, who came and went and what failed tell more than who voted for whom.
  const dull = ({ level, event }: LogLine): boolean => level === 'info' && event === 'raft';
  const distance = (time: number): number => Math.min(...focus.map((point) => Math.abs(point - time)));
  const shown = near
    .toSorted((a, b) => Number(dull(a)) - Number(dull(b)) || distance(a.time) - distance(b.time))
    .slice(0, logLinesMax)
    .sort((a, b) => a.time - b.time);
  const left = near.length - shown.length;
  const note = left === 0 ? '' : ` (${shown.length} of ${near.length} lines)`;
  return [logTable(`The nodes' logs from a second before to a second after${note}`, shown), ...whole];
}

type NodeLine = LogLine & { readonly node: string; readonly time: number };

function logTable(title: string, lines: readonly NodeLine[]): Block {
  return {
    type: 'table',
    title,
    columns: ['time by its clock', 'node', 'line'],
    rows: lines.map(({ time, node, text }) => [seconds(time), node, shorten(text, 400)]),
    marked: lines.flatMap(({ level }, i) => (/error|fatal/.test(level) ? [i] : [])),
  };
}

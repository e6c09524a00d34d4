import { z } from 'zod';
import type { Anomaly } from '../../checker/verdict.ts';
import { commandText, recordTable } from './evidence-blocks.ts';
import { parseLogLine } from './log-line.ts';
import { shorten } from './operation.ts';
import { seconds } from './picture/lanes.ts';
import type { Block, Scene, SpecialBlocks } from './story.ts';

/** The evidence of what became of one command in the nodes' logs. docs/results.md explains it. */
const commandEvidence = z.object({
  op: z.string(),
  f: z.string(),
  at: z.array(z.object({ index: z.number(), term: z.number(), effect: z.string(), nodes: z.array(z.string()) })),
  lackedBy: z.array(z.string()).optional(),
});

/** A command that was lost, or took effect when it should not have: what the client was told, and what stands in the logs. */
export function commandBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  const parsed = commandEvidence.safeParse(anomaly.evidence);
  const operation = scene.byIndex.get(anomaly.ops[0] ?? -1);
  if (!parsed.success || operation === undefined) return undefined;
  const { op, at, lackedBy } = parsed.data;
  const { outcome, error, node, end } = operation;
  const by = node === undefined ? '' : ` by node ${node}`;
  const told =
    end === undefined
      ? 'nothing'
      : outcome === 'ok'
        ? `acknowledged${by} at ${seconds(end)}`
        : `${outcome === 'fail' ? 'failed' : 'unknown'}${by} at ${seconds(end)}${error === undefined ? '' : `: ${shorten(error, 200)}`}`;
  const before: Block[] = [
    {
      type: 'table',
      title: 'The command',
      columns: ['fact', 'value'],
      rows: [
        ['Command', commandText(operation)],
        ['Operation id', op],
        ['What its client was told', told],
        ...(lackedBy === undefined || lackedBy.length === 0 ? [] : [['Nodes that lack it', lackedBy.join(', ')]]),
      ],
    },
    at.length === 0
      ? { type: 'text', title: 'Where it stands in the logs', text: 'Nowhere: no node ever applied it.' }
      : recordTable(
          'Where it stands in the logs',
          at.map(({ nodes, ...entry }) => ({ ...entry, 'on nodes': nodes.join(', ') })),
          scene,
        ),
  ];
  return {
    operations: [operation],
    marked: [operation.invoke],
    before,
    after: [],
    used: new Set(['op', 'f', 'key', 'value', 'acknowledgedBy', 'at', 'lackedBy']),
  };
}

const electionEvidence = z.object({ term: z.number(), nodes: z.array(z.string()) });

/** Two leaders of one term: when each held itself for it, as the nodes' logs tell. */
export function electionBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  const parsed = electionEvidence.safeParse(anomaly.evidence);
  if (anomaly.kind !== 'two-leaders' || !parsed.success) return undefined;
  const { term, nodes } = parsed.data;
  const led = scene.leaderships.filter((one) => one.term === term && nodes.includes(one.node));
  const before: Block[] =
    led.length === 0
      ? []
      : [
          {
            type: 'table',
            title: `Who held itself for the leader of term ${term}`,
            columns: ['node', 'from', 'to'],
            rows: led.map(({ node, from, to }) => [node, seconds(from), seconds(to)]),
          },
        ];
  return {
    message: `nodes ${nodes.join(' and ')} were both leader in term ${term}`,
    operations: [],
    marked: [],
    before,
    after: [],
    used: new Set(led.length === 0 ? [] : ['term', 'nodes']),
    times: led.map(({ from }) => from),
  };
}

/** Of what it logged, the end tells most. */
const lastLinesMax = 12;

const crashEvidence = z.object({ node: z.string(), time: z.number(), lastLogLines: z.array(z.string()) });

/** A node that ended by itself: what it said last, which is usually why. */
export function crashBlocks(anomaly: Anomaly, { clockOriginMs }: Scene): SpecialBlocks | undefined {
  const parsed = crashEvidence.safeParse(anomaly.evidence);
  if (anomaly.kind !== 'crash' || !parsed.success) return undefined;
  const lines = parsed.data.lastLogLines.slice(-lastLinesMax).map((line) => parseLogLine(line, clockOriginMs));
  const fatal = lines.findLast(({ level }) => level === 'fatal');
  const error = typeof fatal?.fields.error === 'string' ? fatal.fields.error.split('\n') : [];
  const before: Block[] = [];
  if (error.length > 0) before.push({ type: 'lines', title: 'What it died of', lines: error });
  if (lines.length > 0) {
    before.push({
      type: 'table',
      title: 'What it logged last',
      columns: ['time by its clock', 'line'],
      rows: lines.map(({ time, text }) => [time === undefined ? '' : seconds(time), shorten(text, 400)]),
    });
  }
  return {
    ...(error[0] !== undefined && { message: `${anomaly.message}: ${error[0]}` }),
    operations: [],
    marked: [],
    before,
    after: [],
    used: new Set(['lastLogLines']),
  };
}

const convergenceEvidence = z.object({
  nodes: z.array(z.looseObject({ node: z.string(), applied: z.number().nullish(), hash: z.string().nullish() })),
});

/** Nodes that did not come together: which of them is where. */
export function convergenceBlocks(anomaly: Anomaly): SpecialBlocks | undefined {
  const parsed = convergenceEvidence.safeParse(anomaly.evidence);
  if (anomaly.kind !== 'no-convergence' || !parsed.success) return undefined;
  const { nodes } = parsed.data;
  const placeOf = ({ applied, hash }: (typeof nodes)[number]): string =>
    typeof applied === 'number' ? `at index ${applied}${sameIndex ? ` with state ${hash}` : ''}` : 'without an answer';
  const sameIndex = new Set(nodes.map(({ applied }) => applied)).size === 1;
  const groups = new Map<string, string[]>();
  for (const one of nodes) groups.set(placeOf(one), [...(groups.get(placeOf(one)) ?? []), one.node]);
  const told = [...groups].map(([place, group]) => `node${group.length === 1 ? '' : 's'} ${group.join(', ')} ${place}`);
  return {
    ...(groups.size > 1 && { message: `${anomaly.message}: ${told.join('; ')}` }),
    operations: [],
    marked: [],
    before: [],
    after: [],
    used: new Set(['converged']),
  };
}

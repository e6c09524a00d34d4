import { z } from 'zod';
import type { Anomaly } from '../../checker/verdict.ts';
import { describe, show } from './operation.ts';
import { drawCycle } from './picture/cycle.ts';
import type { Block, Scene, SpecialBlocks } from './story.ts';

/** The evidence of a cycle among transactions. docs/results.md explains it. */
const cycleEvidence = z.object({
  edges: z
    .array(
      z.object({ from: z.number(), to: z.number(), kind: z.string(), because: z.string(), key: z.json().optional() }),
    )
    .min(1),
});

/** What an arrow means, for those who do not know the letters. */
const meanings: { readonly [kind: string]: string } = {
  ww: 'overwrites what the other wrote',
  wr: 'reads what the other wrote',
  rw: 'overwrites what the other read',
  rwp: 'changes what the other asked for',
  wrp: 'is seen by what the other asked for',
  process: 'comes later in the same process',
  realtime: 'begins after the other has ended',
};

const stepsMax = 8;

/** The cycle, drawn and in words, and what it rules out. */
export function cycleBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  const parsed = cycleEvidence.safeParse(anomaly.evidence);
  if (!parsed.success) return undefined;
  const { edges: cycle } = parsed.data;
  const indices = [...new Set(cycle.flatMap(({ from, to }) => [from, to]))];
  const name = new Map(indices.map((index, i) => [index, `T${i + 1}`]));
  const nameOf = (index: number): string => name.get(index) ?? `history ${index}`;
  const keys = [
    ...new Map(cycle.flatMap(({ key }) => (key === undefined ? [] : [[JSON.stringify(key), key]]))).values(),
  ];
  const vertices = indices.map((index) => {
    const operation = scene.byIndex.get(index);
    return {
      name: nameOf(index),
      note: operation === undefined ? `history ${index}` : `process ${operation.process}, history ${operation.invoke}`,
      lines: operation === undefined ? [] : describe(operation, { keys, most: 40 }).split(', ').slice(0, stepsMax),
    };
  });
  const edges = cycle.map(({ from, to, kind, key }) => ({
    from: nameOf(from),
    to: nameOf(to),
    kind,
    label: key === undefined ? kind : `${kind} of ${show(key, 20)}`,
  }));
  const words = cycle.map(({ from, to, because }) => `${nameOf(from)} < ${nameOf(to)}, because ${because}`);
  const kinds = [...new Set(cycle.map(({ kind }) => kind))];
  const operations = indices.map((index) => scene.byIndex.get(index)).filter((operation) => operation !== undefined);
  const round = [...indices, indices[0] ?? 0].map(nameOf).join(' < ');
  return {
    message: `${indices.length} transactions, each of which must come before the next: ${round}`,
    operations: operations.toSorted((a, b) => a.invoke - b.invoke),
    marked: [],
    names: new Map(
      indices.flatMap((index) => {
        const operation = scene.byIndex.get(index);
        return operation === undefined ? [] : [[operation.invoke, nameOf(index)] as const];
      }),
    ),
    keys,
    before: [
      {
        type: 'lines',
        title: 'In words',
        lines: [...words, `So ${nameOf(indices[0] ?? 0)} would have to come before itself: a contradiction.`],
      },
      { type: 'picture', title: 'The cycle', name: 'cycle', picture: drawCycle(vertices, edges, words.join('; ')) },
      {
        type: 'text',
        text: `An arrow goes to what must come later. ${kinds.map((kind) => `${kind}: the later one ${meanings[kind] ?? 'depends on the other'}`).join('; ')}.`,
      },
      ...ruledOut(scene),
    ],
    after: [],
    used: new Set(['cycle', 'edges']),
  };
}

/** What the checker says of the whole history, for each of its anomalies. */
function ruledOut({ details }: Scene): Block[] {
  const list = (name: string): readonly string[] => {
    const value = details[name];
    return Array.isArray(value) ? value.map(String) : [];
  };
  const [not, alsoNot] = [list('not'), list('alsoNot')];
  if (not.length === 0) return [];
  return [
    {
      type: 'text',
      title: 'What the history rules out',
      text: `It is not ${not.join(', not ')}${alsoNot.length === 0 ? '' : `; nor anything stronger: ${alsoNot.join(', ')}`}.`,
    },
  ];
}

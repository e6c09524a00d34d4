import { z } from 'zod';
import type { Anomaly } from '../../checker/verdict.ts';
import type { SpecialBlocks } from './linear-story.ts';
import { describe } from './operation.ts';
import { drawCycle } from './picture/cycle.ts';
import type { Block, Scene } from './story.ts';

/** The evidence of a cycle among transactions. docs/results.md explains it. */
const cycleEvidence = z.object({
  edges: z.array(z.object({ from: z.number(), to: z.number(), kind: z.string(), because: z.string() })).min(1),
});

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

/** The cycle, drawn and in words. */
export function cycleBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  const parsed = cycleEvidence.safeParse(anomaly.evidence);
  if (!parsed.success) return undefined;
  const { edges: cycle } = parsed.data;
  const indices = [...new Set(cycle.flatMap(({ from, to }) => [from, to]))];
  const name = new Map(indices.map((index, i) => [index, `T${i + 1}`]));
  const nameOf = (index: number): string => name.get(index) ?? `history ${index}`;
  const vertices = indices.map((index) => {
    const operation = scene.byIndex.get(index);
    return {
      name: nameOf(index),
      lines: operation === undefined ? [`history ${index}`] : describe(operation).split(', ').slice(0, 8),
    };
  });
  const edges = cycle.map(({ from, to, kind }) => ({ from: nameOf(from), to: nameOf(to), kind, label: kind }));
  const words = cycle.map(({ from, to, because }) => `${nameOf(from)} < ${nameOf(to)}, because ${because}`);
  const operations = indices.map((index) => scene.byIndex.get(index)).filter((operation) => operation !== undefined);
  const before: Block[] = [
    { type: 'picture', title: 'The cycle', name: 'cycle', picture: drawCycle(vertices, edges, words.join('; ')) },
    {
      type: 'lines',
      title: 'In words',
      lines: [...words, `So ${nameOf(indices[0] ?? 0)} would have to come before itself: a contradiction.`],
    },
  ];
  return { operations, marked: [], before, after: ruledOut(scene), used: new Set(['cycle', 'edges']) };
}

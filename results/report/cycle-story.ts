import { z } from 'zod';
import type { Anomaly } from '../../checker/verdict.ts';
import type { SpecialBlocks } from './linear-story.ts';
import { describe } from './operation.ts';
import { drawCycle } from './picture/cycle.ts';
import type { Block, Scene } from './story.ts';

/** The evidence of a cycle among transactions. docs/results.md explains it. */
const cycleEvidence = z.object({
  cycle: z.array(z.object({ from: z.number(), to: z.number(), kind: z.string(), why: z.string() })).min(1),
});

/** The cycle, drawn and in words. */
export function cycleBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  const parsed = cycleEvidence.safeParse(anomaly.evidence);
  if (!parsed.success) return undefined;
  const { cycle } = parsed.data;
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
  const words = cycle.map(({ from, to, why }) => `${nameOf(from)} < ${nameOf(to)}, because ${why}`);
  const operations = indices.map((index) => scene.byIndex.get(index)).filter((operation) => operation !== undefined);
  const before: Block[] = [
    { type: 'picture', title: 'The cycle', name: 'cycle', picture: drawCycle(vertices, edges, words.join('; ')) },
    {
      type: 'lines',
      title: 'In words',
      lines: [...words, `So ${nameOf(indices[0] ?? 0)} would have to come before itself: a contradiction.`],
    },
  ];
  return { operations, marked: [], before, after: [], used: new Set(['cycle']) };
}

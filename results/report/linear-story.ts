import { z } from 'zod';
import type { Anomaly } from '../../checker/verdict.ts';
import { describe, type Operation } from './operation.ts';
import { seconds } from './picture/lanes.ts';
import type { Block, Scene } from './story.ts';

/** What a story of one kind adds around the operations it shows. */
export interface SpecialBlocks {
  readonly operations: readonly Operation[];
  readonly marked: readonly number[];
  readonly before: readonly Block[];
  readonly after: readonly Block[];
  /** Names in the evidence that are told already. */
  readonly used: ReadonlySet<string>;
}

/** The evidence of a `nonlinearizable` anomaly. docs/results.md explains it. */
const linearEvidence = z.object({
  model: z.string().optional(),
  subHistory: z.array(z.number()).optional(),
  prefix: z.array(z.number()).optional(),
  state: z.string().optional(),
  candidates: z
    .array(
      z.object({ invoke: z.number(), why: z.string(), expected: z.string().optional(), seen: z.string().optional() }),
    )
    .optional(),
});

const prefixShown = 12;

/** Expected against seen, the longest linearization, and why nothing can follow it. */
export function linearBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  if (anomaly.kind !== 'nonlinearizable') return undefined;
  const parsed = linearEvidence.safeParse(anomaly.evidence);
  if (!parsed.success) return undefined;
  const { subHistory = [], prefix = [], state, candidates = [], model } = parsed.data;
  const find = (indices: readonly number[]): Operation[] =>
    indices.map((index) => scene.byIndex.get(index)).filter((operation) => operation !== undefined);
  const operations = [...new Set(find(subHistory.length > 0 ? subHistory : anomaly.ops))].sort(
    (a, b) => a.invoke - b.invoke,
  );
  const marked = candidates.length > 0 ? find(candidates.map(({ invoke }) => invoke)).map(({ invoke }) => invoke) : [];
  const after: Block[] = [];
  if (candidates.length > 0) {
    after.push({
      type: 'table',
      title: `Expected against seen${state === undefined ? '' : `: the state was ${state}`}${model === undefined ? '' : ` (${model})`}`,
      columns: ['operation', 'would have been legal', 'came', 'why it cannot come next'],
      rows: candidates.map(({ invoke, why, expected, seen }) => {
        const operation = scene.byIndex.get(invoke);
        return [
          operation === undefined ? `history ${invoke}` : `process ${operation.process}: ${describe(operation)}`,
          expected ?? '',
          seen ?? '',
          why,
        ];
      }),
      operations: candidates.map(({ invoke }) => invoke),
    });
  }
  if (prefix.length > 0) {
    const told = find(prefix);
    const shown = told.slice(-prefixShown);
    after.push({
      type: 'table',
      title: `The longest order found (${prefix.length} operations${shown.length < told.length ? `, the last ${shown.length} of them` : ''})`,
      columns: ['', 'operation', 'process', 'called', 'answered'],
      rows: shown.map((operation, i) => [
        String(told.length - shown.length + i + 1),
        describe(operation),
        String(operation.process),
        seconds(operation.start),
        operation.end === undefined ? 'never' : seconds(operation.end),
      ]),
      operations: shown.map(({ invoke }) => invoke),
    });
  }
  return {
    operations,
    marked,
    before: [],
    after,
    used: new Set(['model', 'subHistory', 'prefix', 'state', 'candidates']),
  };
}

import { z } from 'zod';
import type { Anomaly } from '../../checker/verdict.ts';
import { describe, type Operation, show } from './operation.ts';
import type { Block, Scene, SpecialBlocks } from './story.ts';

/** Why the checker knows it, where it did not have to search. */
const conflicts: { readonly [conflict: string]: string } = {
  'never-written': 'Nobody ever wrote what was read.',
  'read-before-write': 'It was read before anybody had begun to write it.',
  'two-cas-from-one-value': 'Two compare-and-sets both found the same value, and each changed it.',
  'cas-order':
    'Compare-and-sets fix the order in which the values came, and one that needs an earlier value began after one that needs a later value had ended.',
  'cas-cycle': 'Compare-and-sets built upon each other in a circle.',
  'cas-mismatch': 'A compare-and-set was told that another value stood there, and no order has another value there.',
  zones: 'Of two values, each would have had to be there both before and after the other, though each came once.',
};

/** The evidence of a `nonlinearizable` anomaly. docs/results.md explains it. */
const linearEvidence = z.object({
  conflict: z.string().optional(),
  minimal: z.boolean().optional(),
  prefixes: z
    .array(
      z.object({
        state: z.string(),
        ahead: z.array(z.number()),
        refused: z.array(z.object({ op: z.number(), why: z.string() })),
        open: z.array(z.number()),
      }),
    )
    .optional(),
});

/** The shrunk history, expected against seen, and the longest orders of it with what each open operation says to them. */
export function linearBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  if (anomaly.kind !== 'nonlinearizable') return undefined;
  const parsed = linearEvidence.safeParse(anomaly.evidence);
  if (!parsed.success || anomaly.ops.length === 0) return undefined;
  const { prefixes = [], minimal, conflict } = parsed.data;
  const find = (indices: readonly number[]): Operation[] => [
    ...new Set(indices.map((index) => scene.byIndex.get(index)).filter((operation) => operation !== undefined)),
  ];
  const operations = find(anomaly.ops).sort((a, b) => a.invoke - b.invoke);
  const refused = find(prefixes.flatMap((prefix) => prefix.refused.map(({ op }) => op)));
  const before: Block[] = [];
  const count = operations.length;
  const these = count === 1 ? 'This operation alone' : `These ${count} operations alone`;
  const why = conflict === undefined ? undefined : conflicts[conflict];
  before.push({
    type: 'text',
    text: [
      `${these} cannot be put into any order that explains ${count === 1 ? 'its answer' : 'their answers'}.`,
      ...(why === undefined ? [] : [why]),
      ...(minimal === true && count > 1 ? ['Without any one of them, the rest can.'] : []),
      ...(minimal === false ? ['Fewer may already be enough: the search for that reached its bound.'] : []),
    ].join(' '),
  });
  const after: Block[] = [];
  const rows = prefixes.flatMap(({ state, refused: list }) =>
    list.map(({ op, why }) => ({ op, state, why, operation: scene.byIndex.get(op) })),
  );
  if (rows.length > 0) {
    after.push({
      type: 'table',
      title: 'Expected against seen',
      columns: ['operation', 'at that point', 'would have been legal', 'came', 'so'],
      rows: rows.map(({ op, state, why, operation }) => [
        operation === undefined ? `history ${op}` : `${asked(operation)} by process ${operation.process}`,
        state,
        operation === undefined ? '' : legalAnswer(operation, state),
        operation === undefined ? '' : answer(operation),
        why,
      ]),
      operations: rows.map(({ op }) => op),
    });
    const list = (chosen: readonly Operation[]): string =>
      chosen.length === 0 ? 'none' : chosen.map((operation) => describe(operation)).join('\n');
    after.push({
      type: 'table',
      title: 'The longest orders that were found, and why none goes on',
      columns: ['in place', 'of those, not yet answered', 'leads to', 'could still come', 'refused'],
      rows: prefixes.map(({ state, ahead, refused: no, open }) => {
        const later = new Set(find([...no.map(({ op }) => op), ...open]));
        return [
          list(operations.filter((operation) => !later.has(operation))),
          list(find(ahead)),
          state,
          list(find(open)),
          no.map(({ why }) => why).join('\n'),
        ];
      }),
    });
  }
  const used = new Set(['minimal', 'prefixes', 'counterexample', 'initial', 'conflict']);
  return { operations, marked: refused.map(({ invoke }) => invoke), before, after, used };
}

/** What was asked, without what came back. */
function asked(operation: Operation): string {
  return describe({ ...operation, outcome: 'info' });
}

/** For operations whose answer shows the state; for the rest the state must speak for itself. */
function legalAnswer({ f, input }: Operation, state: string): string {
  const held = /holds (.+)$/.exec(state)?.[1];
  if (f === 'read' && held !== undefined) return `read → ${held}`;
  if (f === 'cas' && Array.isArray(input)) return `ok only when it holds ${show(input[0])}, else a mismatch`;
  return '';
}

function answer(operation: Operation): string {
  const { outcome, error } = operation;
  return outcome === 'ok' ? describe(operation) : `${outcome}${error === undefined ? '' : `: ${error}`}`;
}

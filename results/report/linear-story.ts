import { z } from 'zod';
import type { Value } from '../../checker/history/op.ts';
import type { Anomaly } from '../../checker/verdict.ts';
import { describe, type Operation, show } from './operation.ts';
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
  prefixes: z
    .array(z.object({ state: z.string(), ahead: z.array(z.number()), pending: z.array(z.number()) }))
    .optional(),
  expected: z.string().optional(),
});

const prefixesShown = 8;
/** How many operations before the one that cannot be placed are shown, when the evidence does not choose them. */
const before = 6;

/** Expected against seen, the longest orders found, and what stood open at their ends. */
export function linearBlocks(anomaly: Anomaly, scene: Scene): SpecialBlocks | undefined {
  if (anomaly.kind !== 'nonlinearizable') return undefined;
  const parsed = linearEvidence.safeParse(anomaly.evidence);
  if (!parsed.success) return undefined;
  const { prefixes = [] } = parsed.data;
  const find = (indices: readonly number[]): Operation[] => [
    ...new Set(indices.map((index) => scene.byIndex.get(index)).filter((operation) => operation !== undefined)),
  ];
  const involved = find(anomaly.ops);
  // The one that cannot be placed: the last to complete of those that are blamed and certain.
  const culprit = involved
    .filter(({ outcome }) => outcome !== 'info')
    .toSorted((a, b) => (a.complete ?? 0) - (b.complete ?? 0))
    .at(-1);
  if (culprit === undefined) return undefined;
  const open = find(prefixes.flatMap(({ ahead, pending }) => [...ahead, ...pending]));
  const operations =
    involved.length > 1
      ? [...new Set([...involved, ...open])]
      : [...new Set([...leadingTo(culprit, scene), ...open, culprit])];
  const after: Block[] = [];
  const states = [...new Set(prefixes.map(({ state }) => state))];
  if (states.length > 0) {
    const legal = legalAnswers(culprit, states);
    after.push({
      type: 'table',
      title: 'Expected against seen',
      columns: ['operation', 'state before it', 'would have been legal', 'came'],
      rows: [
        [
          `process ${culprit.process}: ${describe({ ...culprit, outcome: 'info' })}`,
          states.join(' or '),
          legal,
          answer(culprit),
        ],
      ],
      operations: [culprit.invoke],
    });
  }
  if (prefixes.length > 0) {
    const list = (indices: readonly number[]): string =>
      indices.length === 0
        ? 'none'
        : find(indices)
            .map((operation) => `${describe(operation)} (process ${operation.process})`)
            .join('\n');
    after.push({
      type: 'table',
      title: `The longest orders found: everything that completed before history ${culprit.complete ?? culprit.invoke} in place, then none can go on`,
      columns: ['state there', 'open, and already placed', 'open, and still to come', 'why it ends there'],
      rows: prefixes
        .slice(0, prefixesShown)
        .map(({ state, ahead, pending }) => [
          state,
          list(ahead),
          list(pending.filter((index) => index !== culprit.invoke)),
          `${describe(culprit)} does not fit ${state}${pending.length > 1 ? ', nor any state that the open ones lead to' : ''}`,
        ]),
    });
  }
  return {
    operations: operations.sort((a, b) => a.invoke - b.invoke),
    marked: [culprit.invoke],
    before: [],
    after,
    used: new Set(['prefixes']),
  };
}

/** The operations on its key that completed last before it, and the one that its answer comes from. */
function leadingTo(culprit: Operation, scene: Scene): Operation[] {
  const key = JSON.stringify(culprit.key);
  const earlier = [...new Set(scene.byIndex.values())].filter(
    (operation) =>
      operation !== culprit &&
      JSON.stringify(operation.key) === key &&
      operation.invoke < (culprit.complete ?? Number.POSITIVE_INFINITY),
  );
  const source = earlier.filter(
    ({ input, f }) =>
      f !== 'read' && culprit.output !== undefined && culprit.output !== null && wrote(input, culprit.output),
  );
  return [
    ...source.slice(-1),
    ...earlier.filter(({ outcome, f }) => outcome !== 'fail' && !(f === 'read' && outcome === 'info')).slice(-before),
  ];
}

function wrote(input: Value | undefined, value: Value): boolean {
  const text = JSON.stringify(value);
  return JSON.stringify(input) === text || (Array.isArray(input) && JSON.stringify(input.at(-1)) === text);
}

/** For operations whose answer shows the state; for the rest the state must speak for itself. */
function legalAnswers({ f, input }: Operation, states: readonly string[]): string {
  if (f === 'read') return states.map((state) => `read → ${state}`).join(' or ');
  if (f === 'cas' && Array.isArray(input)) return `ok only when the state is ${show(input[0])}; else a mismatch`;
  return '';
}

function answer(operation: Operation): string {
  const { outcome, error } = operation;
  return outcome === 'ok' ? `${describe(operation)}, ok` : `${outcome}${error === undefined ? '' : `: ${error}`}`;
}

import type { FaultSpan } from './fault-span.ts';
import { describe, type Operation, shorten, show } from './operation.ts';
import { type Cast, drawLanes, seconds } from './picture/lanes.ts';
import type { Block } from './story.ts';

/** How many operations a table or a small picture shows; the timeline has them all. */
const operationsMax = 40;
/** How much of a value the table shows; the history has the whole. */
const valueMax = 300;

/** As lanes and as a table. */
export function operationBlocks(cast: Cast, faults: readonly FaultSpan[], timed: boolean, title: string): Block[] {
  const { operations: all, marked } = cast;
  if (all.length === 0) return [];
  const operations = all.length <= operationsMax ? all : nearest(all, marked);
  const left = all.length - operations.length;
  const note = left === 0 ? '' : ` (${operations.length} of ${all.length}; the timeline has them all)`;
  return [
    {
      type: 'picture',
      title: `What the clients saw${note}`,
      name: 'timeline',
      picture: drawLanes({ ...cast, operations, faults, timed, title: shorten(title, 300) }),
    },
    tableOf(cast, operations, timed, `The operations${note}`),
  ];
}

/** The operations around those that are marked (or the first ones): order kept. */
function nearest(all: readonly Operation[], marked: ReadonlySet<number>): Operation[] {
  const at = all.findIndex((operation) => marked.has(operation.invoke));
  const from = Math.min(Math.max(0, at - operationsMax / 2), all.length - operationsMax);
  return all.filter((operation, i) => (i >= from && i < from + operationsMax) || marked.has(operation.invoke));
}

interface Column {
  readonly name: string;
  readonly of: (operation: Operation) => string;
}

/** Columns that would be empty throughout are left out. */
function tableOf({ marked, names }: Cast, operations: readonly Operation[], timed: boolean, title: string): Block {
  const columns: readonly Column[] = [
    { name: '', of: ({ invoke }) => `${marked.has(invoke) ? '▶' : ''}${names.get(invoke) ?? ''}` },
    { name: 'process', of: ({ process }) => String(process) },
    ...(timed
      ? [
          { name: 'called', of: ({ start }: Operation) => seconds(start) },
          { name: 'answered', of: ({ end }: Operation) => (end === undefined ? 'never' : seconds(end)) },
        ]
      : []),
    { name: 'operation', of: (operation) => describe(operation, { most: valueMax }) },
    { name: 'key', of: ({ key }) => show(key) },
    { name: 'outcome', of: outcomeOf },
    { name: 'sent to node', of: ({ node }) => node ?? '' },
    {
      name: 'history',
      of: ({ invoke, complete }) => (complete === undefined ? String(invoke) : `${invoke}, ${complete}`),
    },
  ];
  const shown = columns.filter(({ of }) => operations.some((operation) => of(operation) !== ''));
  return {
    type: 'table',
    title,
    columns: shown.map(({ name }) => name),
    rows: operations.map((operation) => shown.map(({ of }) => of(operation))),
    marked: operations.flatMap(({ invoke }, at) => (marked.has(invoke) ? [at] : [])),
    operations: operations.map(({ invoke }) => invoke),
  };
}

function outcomeOf({ outcome, error }: Operation): string {
  const why = error === undefined ? '' : `: ${shorten(error, 80)}`;
  return outcome === 'ok' ? 'ok' : outcome === 'fail' ? `failed${why}` : `unknown${why}`;
}

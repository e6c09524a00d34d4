import type { VNode } from 'preact';
import { type Columns, never, outcomes, type PageData } from '../page-data.ts';
import { Folded } from './folded.tsx';
import { shortText } from './operation-text.ts';
import { Table } from './table.tsx';
import type { ViewState } from './view.ts';

const rowsMax = 200;

interface TimelineTableProps {
  readonly page: PageData;
  readonly columns: Columns;
  readonly state: ViewState;
}

/** What is in sight in the timeline, in words. */
export function TimelineTable({ page, columns, state }: TimelineTableProps): VNode {
  return (
    <Folded summary="What is in sight as a table">
      {() => (
        <>
          <NodeTable page={page} state={state} />
          <OperationTable page={page} columns={columns} state={state} />
        </>
      )}
    </Folded>
  );
}

function NodeTable({ page, state }: { page: PageData; state: ViewState }): VNode | null {
  const rows = [
    ...page.phases.map(({ name, from, to }) => ({ who: 'the run', what: name, from, to })),
    ...page.leaderships.map(({ node, term, from, to }) => ({
      who: `node ${node}`,
      what: `leader, term ${term}`,
      from,
      to,
    })),
    ...page.downs.map(({ node, ordered, from, to }) => ({
      who: `node ${node}`,
      what: ordered ? 'down' : 'crashed',
      from,
      to,
    })),
  ]
    .filter(({ from, to }) => to / 1e9 >= state.from && from / 1e9 <= state.to)
    .sort((a, b) => a.from - b.from);
  if (rows.length === 0) return null;
  return (
    <Table
      columns={['who', 'what', 'from', 'to']}
      rows={rows
        .slice(0, rowsMax)
        .map(({ who, what, from, to }) => [who, what, `${(from / 1e9).toFixed(3)} s`, `${(to / 1e9).toFixed(3)} s`])}
    />
  );
}

function OperationTable({ page, columns, state }: TimelineTableProps): VNode {
  const unit = page.unitNs / 1e9;
  const text = (column: Uint32Array, i: number): string => columns.strings[column[i] ?? 0] ?? '';
  const rows: string[][] = [];
  let more = 0;
  for (let i = 0; i < columns.count; i++) {
    const start = (columns.start[i] ?? 0) * unit;
    if (start > state.to) break;
    const duration = columns.duration[i] ?? never;
    const end = duration === never ? start : start + duration * unit;
    if (end < state.from) continue;
    if (rows.length === rowsMax) {
      more++;
      continue;
    }
    const outcome = outcomes[columns.outcome[i] ?? 2] ?? 'info';
    const error = text(columns.error, i);
    rows.push([
      ...(page.timed
        ? [`${start.toFixed(4)} s`, duration === never ? 'never' : `${(duration * unit * 1e3).toFixed(2)} ms`]
        : []),
      shortText(columns, i),
      text(columns.key, i),
      `${outcome === 'ok' ? 'ok' : outcome === 'fail' ? 'failed' : 'unknown'}${error === '' ? '' : `: ${error}`}`,
      String(columns.process[i]),
      text(columns.node, i),
      String(columns.invoke[i]),
    ]);
  }
  return (
    <>
      <Table
        columns={[
          ...(page.timed ? ['called', 'took'] : []),
          'operation',
          'key',
          'outcome',
          'process',
          'sent to node',
          'history',
        ]}
        rows={rows}
      />
      {more > 0 && <p class="quiet">and {more.toLocaleString('en')} more: look closer to see them.</p>}
    </>
  );
}

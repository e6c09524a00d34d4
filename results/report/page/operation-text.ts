import type { Value } from '../../../checker/history/op.ts';
import { describe } from '../operation.ts';
import { type Columns, never, outcomes, type PageData } from '../page-data.ts';

function valueAt(columns: Columns, column: Uint32Array, i: number): Value | undefined {
  const text = columns.strings[column[i] ?? 0] ?? '';
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as Value;
  } catch {
    // Shortened: no longer JSON, still worth showing.
    return text;
  }
}

/** `write 5`, `read → 5`. */
export function shortText(columns: Columns, i: number): string {
  const input = valueAt(columns, columns.input, i);
  const output = valueAt(columns, columns.output, i);
  return describe({
    f: columns.strings[columns.f[i] ?? 0] ?? '',
    outcome: outcomes[columns.outcome[i] ?? 2] ?? 'info',
    ...(input !== undefined && { input }),
    ...(output !== undefined && { output }),
  });
}

/** All that is known of an operation, a fact a line. */
export function factsOf(columns: Columns, i: number, { unitNs, timed }: PageData): string[] {
  const start = ((columns.start[i] ?? 0) * unitNs) / 1e9;
  const duration = columns.duration[i] ?? never;
  const text = (column: Uint32Array): string => columns.strings[column[i] ?? 0] ?? '';
  const complete = columns.complete[i] ?? never;
  const outcome = outcomes[columns.outcome[i] ?? 2] ?? 'info';
  const milliseconds = (duration * unitNs) / 1e6;
  return [
    shortText(columns, i),
    `${outcome === 'ok' ? 'ok' : outcome === 'fail' ? '✗ failed' : '? outcome unknown'}${text(columns.error) === '' ? '' : `: ${text(columns.error)}`}`,
    ...(text(columns.key) === '' ? [] : [`key ${text(columns.key)}`]),
    `process ${columns.process[i]}${text(columns.node) === '' ? '' : `, node ${text(columns.node)}`}`,
    ...(timed ? [times(start, duration, milliseconds)] : duration === never ? ['never answered'] : []),
    `history ${columns.invoke[i]}${complete === never ? '' : `, ${complete}`}`,
  ];
}

function times(start: number, duration: number, milliseconds: number): string {
  return duration === never
    ? `called at ${start.toFixed(6)} s, never answered`
    : `${start.toFixed(6)} s, took ${milliseconds.toFixed(milliseconds < 10 ? 3 : 1)} ms`;
}

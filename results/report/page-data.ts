import type { Results } from '../../checker/verdict.ts';
import type { TestDescription } from '../store/schema.ts';
import type { FaultSpan } from './fault-span.ts';
import type { Story } from './story.ts';

/** What the page is given, beside the operations' columns. No Node and no DOM here: both sides compile it. */
export interface PageData {
  readonly test: TestDescription;
  readonly results: Pick<Results, 'valid'> & { readonly sections: readonly SectionSummary[] };
  readonly headline: string;
  readonly stories: readonly Story[];
  readonly faults: readonly FaultSpan[];
  readonly leaderships: readonly Leadership[];
  readonly downs: readonly Down[];
  readonly phases: readonly Phase[];
  readonly rates: Rates;
  readonly notChecked: readonly string[];
  /** What was left out of this file, a sentence each. */
  readonly leftOut: readonly string[];
  /** Stretches whose operations are embedded, in nanoseconds; missing when all are. */
  readonly windows?: readonly (readonly [from: number, to: number])[];
  readonly counts: { readonly operations: number; readonly ok: number; readonly fail: number; readonly info: number };
  readonly keys: number;
  readonly nodes: readonly string[];
  readonly endNs: number;
  /** The history has times; otherwise its events are a second apart, and only their order means something. */
  readonly timed: boolean;
  readonly commands: readonly { readonly purpose: string; readonly command: string }[];
  /** Files beside this one, by relative path. */
  readonly links: readonly string[];
  /** The unit of the columns' times, in nanoseconds: microseconds, or longer for a run of more than an hour. */
  readonly unitNs: number;
}

interface SectionSummary {
  readonly name: string;
  readonly valid: Results['valid'];
  readonly summary: string;
  readonly reason?: string;
  readonly anomalies: number;
  readonly counts: readonly (readonly [string, number])[];
}

/** A stretch in which a node held itself for the leader of a term. */
export interface Leadership {
  readonly node: string;
  readonly term: number;
  readonly from: number;
  readonly to: number;
}

/** A stretch in which a node had no process. */
export interface Down {
  readonly node: string;
  readonly from: number;
  readonly to: number;
  /** Somebody asked for it; otherwise it crashed. */
  readonly ordered: boolean;
}

/** A part of the run: operations, heal, converge, final … */
export interface Phase {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Sums over equal stretches of the run, over all its operations. */
export interface Rates {
  readonly bucketNs: number;
  readonly ok: readonly number[];
  readonly fail: readonly number[];
  readonly info: readonly number[];
  /** Latency in milliseconds of those that completed ok; null where there were none. */
  readonly p50: readonly (number | null)[];
  readonly p95: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly max: readonly (number | null)[];
}

const columnNames = [
  'start',
  'duration',
  'outcome',
  'f',
  'key',
  'input',
  'output',
  'error',
  'node',
  'process',
  'invoke',
  'complete',
] as const;
type ColumnName = (typeof columnNames)[number];

/** The operations as columns, in the order of invocation. */
export interface Columns {
  readonly count: number;
  /** In units of `PageData.unitNs` since the start of the run; `duration` is `never` where nothing completed. */
  readonly start: Uint32Array;
  readonly duration: Uint32Array;
  /** Index into `outcomes`. */
  readonly outcome: Uint32Array;
  /** Indices into `strings`; 0 is the empty one, which stands for a missing value. */
  readonly f: Uint32Array;
  readonly key: Uint32Array;
  readonly input: Uint32Array;
  readonly output: Uint32Array;
  readonly error: Uint32Array;
  readonly node: Uint32Array;
  readonly process: Uint32Array;
  /** Indices into the history; `complete` is `never` where nothing completed. */
  readonly invoke: Uint32Array;
  readonly complete: Uint32Array;
  readonly strings: readonly string[];
}

export const outcomes = ['ok', 'fail', 'info'] as const;
export const never = 0xffffffff;

/**
 * The container: u32 length of the JSON, the JSON of `{page, strings, count}`, padding to four bytes, then each
 * column as little-endian u32. `start` and `invoke`, which only grow, are stored as differences: deflate packs
 * them to little.
 */
export function encodePage(page: PageData, columns: Columns): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify({ page, strings: columns.strings, count: columns.count }));
  const from = (4 + json.length + 3) & ~3;
  const bytes = new Uint8Array(from + columnNames.length * columns.count * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, json.length, true);
  bytes.set(json, 4);
  let at = from;
  for (const name of columnNames) {
    const column = columns[name];
    let before = 0;
    for (let i = 0; i < columns.count; i++) {
      const value = column[i] ?? 0;
      const isDelta = deltas.has(name);
      view.setUint32(at, isDelta ? (value - before) >>> 0 : value, true);
      if (isDelta) before = value;
      at += 4;
    }
  }
  return bytes;
}

const deltas: ReadonlySet<ColumnName> = new Set(['start', 'invoke']);

/** The other way round. The columns are made in place: the container is used up. */
export function decodePage(bytes: Uint8Array): { page: PageData; columns: Columns } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const { page, strings, count } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as {
    page: PageData;
    strings: string[];
    count: number;
  };
  const from = (4 + length + 3) & ~3;
  const columnBytes = bytes.subarray(from, from + columnNames.length * count * 4);
  // Columns are views of the container where it lies on four bytes, as it does in the page; otherwise of a copy.
  const aligned = columnBytes.byteOffset % 4 === 0 ? columnBytes : columnBytes.slice();
  const column = (name: ColumnName): Uint32Array => {
    const numbers = new Uint32Array(aligned.buffer, aligned.byteOffset + columnNames.indexOf(name) * count * 4, count);
    if (!deltas.has(name)) return numbers;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum = (sum + (numbers[i] ?? 0)) >>> 0;
      numbers[i] = sum;
    }
    return numbers;
  };
  return {
    page,
    columns: {
      count,
      start: column('start'),
      duration: column('duration'),
      outcome: column('outcome'),
      f: column('f'),
      key: column('key'),
      input: column('input'),
      output: column('output'),
      error: column('error'),
      node: column('node'),
      process: column('process'),
      invoke: column('invoke'),
      complete: column('complete'),
      strings,
    },
  };
}

import type { Operation } from './operation.ts';
import { shorten } from './operation.ts';
import { type Columns, never, outcomes, type Rates } from './page-data.ts';

/** How much of one value the page carries; the whole is in the history. */
export const stringMax = 2_000;

/** Turns operations into columns with one table of strings. */
export function columnsOf(operations: readonly Operation[], unitNs: number): { columns: Columns; shortened: number } {
  const table = new Map<string, number>([['', 0]]);
  let shortened = 0;
  const intern = (text: string): number => {
    const short = shorten(text, stringMax);
    if (short !== text) shortened++;
    const known = table.get(short);
    if (known !== undefined) return known;
    table.set(short, table.size);
    return table.size - 1;
  };
  const json = (value: unknown): number => (value === undefined ? 0 : intern(JSON.stringify(value)));
  const numbers = (of: (operation: Operation) => number): Uint32Array => Uint32Array.from(operations, of);
  const columns = {
    count: operations.length,
    start: numbers(({ start }) => Math.max(0, Math.round(start / unitNs))),
    duration: numbers(({ start, end }) =>
      end === undefined ? never : Math.max(0, Math.round(end / unitNs) - Math.round(start / unitNs)),
    ),
    outcome: numbers(({ outcome }) => outcomes.indexOf(outcome)),
    f: numbers(({ f }) => intern(f)),
    key: numbers(({ key }) => json(key)),
    input: numbers(({ input }) => json(input)),
    output: numbers(({ output }) => json(output)),
    error: numbers(({ error }) => intern(error ?? '')),
    node: numbers(({ node }) => intern(node ?? '')),
    process: numbers(({ process }) => process),
    invoke: numbers(({ invoke }) => invoke),
    complete: numbers(({ complete }) => complete ?? never),
  };
  return { columns: { ...columns, strings: [...table.keys()] }, shortened };
}

const bucketsMax = 240;

/** Rates and quantiles of latency over equal stretches, from every operation. */
export function ratesOf(operations: readonly Operation[], endNs: number): Rates {
  const bucketNs = niceBucket(endNs);
  const count = Math.max(1, Math.ceil((endNs + 1) / bucketNs));
  const zeros = (): number[] => new Array<number>(count).fill(0);
  const rates = { ok: zeros(), fail: zeros(), info: zeros() };
  const latencies: number[][] = Array.from({ length: count }, () => []);
  for (const { start, end, outcome } of operations) {
    const at = Math.min(count - 1, Math.max(0, Math.floor(start / bucketNs)));
    rates[outcome][at] = (rates[outcome][at] ?? 0) + 1;
    if (outcome === 'ok' && end !== undefined) latencies[at]?.push((end - start) / 1e6);
  }
  const sorted = latencies.map((list) => Float64Array.from(list).sort());
  const quantile = (q: number): (number | null)[] =>
    sorted.map((list) => list[Math.min(list.length - 1, Math.floor(q * list.length))] ?? null);
  return { bucketNs, ...rates, p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), max: quantile(1) };
}

/** 1, 2 or 5 times a power of ten nanoseconds, at least 100 ms, and not more than `bucketsMax` of them. */
function niceBucket(endNs: number): number {
  for (let power = 1e8; ; power *= 10) {
    for (const step of [1, 2, 5]) if (endNs / (power * step) <= bucketsMax) return power * step;
  }
}

import type { History, Op, Value } from '../../checker/history/op.ts';
import { type Section, unknown } from '../../checker/verdict.ts';
import { observations } from '../target/target.ts';
import { latenessName } from './phase.ts';

const observed: ReadonlySet<string | undefined> = new Set(observations);

/** Whether the store did what it was asked for, or looked and said why not. */
export function isAnswer({ type, error }: Op): boolean {
  return type === 'ok' || (type === 'fail' && observed.has(error));
}

/** Whether enough happened for the other sections to mean anything: every function was answered at least once. */
export function checkOperations(history: History): Section {
  const counts = { invoked: 0, ok: 0, fail: 0, info: 0 };
  const answered = new Map<string, boolean>();
  let lateness: { readonly [count: string]: number } = {};
  for (const op of history) {
    const { process, type, f } = op;
    if (process === 'nemesis') {
      if (f === latenessName) lateness = readLateness(op.value);
      continue;
    }
    if (type === 'invoke') {
      counts.invoked++;
      if (!answered.has(f)) answered.set(f, false);
    } else {
      counts[type]++;
      if (isAnswer(op)) answered.set(f, true);
    }
  }
  if (counts.invoked === 0) return unknown('no operation was begun', counts);
  if (counts.ok === 0) return unknown(`none of ${counts.invoked} operations succeeded`, counts);
  const silent = [...answered].filter(([, was]) => !was).map(([f]) => f);
  if (silent.length > 0) return unknown(`no ${silent.join(' and no ')} was ever answered`, counts);
  const { invoked, ok, fail } = counts;
  // Those that were never answered, too.
  const summary = `${invoked} operations: ${ok} ok, ${fail} fail, ${invoked - ok - fail} of unknown outcome`;
  return { valid: true, summary, anomalies: [], counts: { ...counts, ...lateness } };
}

function readLateness(value: Value | undefined): { readonly [count: string]: number } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const { late, maxNs } = value as { readonly [name: string]: Value };
  return typeof late === 'number' && typeof maxNs === 'number' ? { late, lateMaxMs: Math.round(maxNs / 1e6) } : {};
}

import type { History } from '../../checker/history/op.ts';
import { type Section, unknown } from '../../checker/verdict.ts';

/** A definite answer that is recorded as `fail`: the store looked and said that the state was different. */
const observed = 'cas-mismatch';

/** Whether enough happened for the other sections to mean anything: every function was answered at least once. */
export function checkOperations(history: History): Section {
  const counts = { invoked: 0, ok: 0, fail: 0, info: 0 };
  const answered = new Map<string, boolean>();
  for (const { process, type, f, error } of history) {
    if (process === 'nemesis') continue;
    if (type === 'invoke') {
      counts.invoked++;
      if (!answered.has(f)) answered.set(f, false);
    } else {
      counts[type]++;
      if (type === 'ok' || (type === 'fail' && error === observed)) answered.set(f, true);
    }
  }
  if (counts.invoked === 0) return unknown('no operation was begun', counts);
  if (counts.ok === 0) return unknown(`none of ${counts.invoked} operations succeeded`, counts);
  const silent = [...answered].filter(([, was]) => !was).map(([f]) => f);
  if (silent.length > 0) return unknown(`no ${silent.join(' and no ')} was ever answered`, counts);
  const { invoked, ok, fail, info } = counts;
  const summary = `${invoked} operations: ${ok} ok, ${fail} fail, ${info} of unknown outcome`;
  return { valid: true, summary, anomalies: [], counts };
}

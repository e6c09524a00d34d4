import type { Events } from '../history/events.ts';
import { canonical } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { Findings, show } from './findings.ts';
import { eachOp } from './read-transactions.ts';

export interface LongForkOptions {
  /** How many keys every read must cover; by default any number, and reads of the same keys are compared. */
  readonly groupSize?: number;
}

interface Read {
  readonly at: number;
  /** What was there: key to value, without the keys that were empty. */
  readonly seen: ReadonlyMap<string, Value>;
}

/**
 * Jepsen's long-fork test: every key is written once, and reads cover a whole group of keys. Two reads of which each
 * saw a write that the other did not see have no order (parallel snapshot isolation allows that, snapshot isolation
 * does not). Values are `[["w", key, value]]` and `[["r", key, value], …]`; the anomaly is `long-fork`.
 */
export function checkLongFork(history: History | Events, options: LongForkOptions = {}): Section {
  const groups = new Map<string, Read[]>();
  const written = new Set<string>();
  let reads = 0;
  let reason: string | undefined;
  eachOp(history, (op, at) => {
    if (!Array.isArray(op.value) || !op.value.every(Array.isArray)) return;
    const mops = op.value as readonly (readonly Value[])[];
    if (op.type === 'invoke' && mops.length === 1 && mops[0]![0] === 'w') {
      const key = canonical(mops[0]![1]!);
      if (written.has(key)) reason ??= `key ${key} is written more than once (operation ${at})`;
      written.add(key);
    }
    if (op.type !== 'ok' || mops.length === 0 || mops.some((mop) => mop[0] !== 'r')) return;
    reads++;
    const keys = mops.map((mop) => canonical(mop[1]!)).sort();
    if (options.groupSize !== undefined && keys.length !== options.groupSize) {
      reason ??= `operation ${at} read ${counted(keys.length, 'key')} instead of ${options.groupSize}`;
    }
    const seen = new Map(
      mops.flatMap(([, key, value]) => (value === null || value === undefined ? [] : [[canonical(key!), value]])),
    );
    const group = groups.get(keys.join());
    if (group) group.push({ at, seen });
    else groups.set(keys.join(), [{ at, seen }]);
  });
  const findings = new Findings();
  let early = 0;
  let late = 0;
  for (const [keys, group] of groups) {
    for (const { seen } of group) {
      if (seen.size === 0) early++;
      if (seen.size === keys.split(',').length) late++;
    }
    reason ??= contradiction(group);
    // In order of size each read must have seen what the one before it saw.
    group.sort((a, b) => a.seen.size - b.seen.size || a.at - b.at);
    for (let i = 1; i < group.length; i++) {
      const [a, b] = [group[i - 1]!, group[i]!];
      const onlyA = [...a.seen.keys()].filter((key) => !b.seen.has(key));
      if (onlyA.length === 0) continue;
      const onlyB = [...b.seen.keys()].filter((key) => !a.seen.has(key));
      findings.add('long-fork', () => ({
        message: `operation ${a.at} saw the write of ${onlyA.join(', ')} and not that of ${onlyB.join(', ')}; operation ${b.at} saw it the other way round`,
        ops: [a.at, b.at],
        evidence: { onlyFirst: onlyA, onlySecond: onlyB },
      }));
    }
  }
  const counts = { reads, writes: written.size, groups: groups.size, early, late, forks: findings.count('long-fork') };
  if (reads === 0) return unknown('no read of a group of keys completed', counts);
  if (reason !== undefined) return unknown(`this is no long-fork history: ${reason}`, counts);
  const forks = findings.count('long-fork');
  return {
    valid: forks === 0,
    summary: `long-fork: ${counted(reads, 'read')} of ${counted(groups.size, 'group')}, ${early} too early and ${late} too late to see anything; ${forks === 0 ? 'no fork' : `${counted(forks, 'fork')}`}`,
    anomalies: findings.kept('long-fork'),
    counts,
  };
}

/** Two values of one key: it was written twice after all. */
function contradiction(group: readonly Read[]): string | undefined {
  const values = new Map<string, Value>();
  for (const { at, seen } of group) {
    for (const [key, value] of seen) {
      const known = values.get(key) ?? value;
      if (canonical(known) !== canonical(value)) {
        return `key ${key} was read as ${show(known)} and as ${show(value)} (operation ${at})`;
      }
      values.set(key, known);
    }
  }
  return undefined;
}

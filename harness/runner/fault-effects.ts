import type { Op } from '../../checker/history/op.ts';
import { type Section, unknown } from '../../checker/verdict.ts';
import { type FaultOutcome, summarizeFaults } from '../../nemesis/summarize.ts';

/** So many operations must have succeeded while faults of a kind were on, or until the next one began. */
const okMin = 1;

/**
 * Whether the faults that were asked for took effect. One that a probe showed to have had none makes the run
 * unknown, and so does a kind of which none was seen to work, or in whose windows no operation succeeded: what it would
 * have broken was not tried.
 * @param swarm the kinds were drawn, with no promise that each has its turn: it takes one that worked, and under which
 * operations succeeded
 */
export function checkFaults(
  kinds: readonly string[],
  records: readonly FaultOutcome[],
  history: readonly Op[],
  swarm = false,
): Section {
  const byKind = summarizeFaults(records);
  const okByKind = succeededIn(windows(records), history);
  const counts = Object.fromEntries(
    kinds.flatMap((kind) => {
      const { proven = 0, moot = 0, ineffective = 0 } = byKind[kind] ?? {};
      return [
        [kind, proven],
        [`${kind}-moot`, moot],
        [`${kind}-ineffective`, ineffective],
        [`${kind}-operations`, okByKind.get(kind) ?? 0],
      ];
    }),
  );
  const without = new Set<string>();
  for (const { kind, effects } of records)
    if (effects.some(({ effect }) => effect === 'ineffective')) without.add(kind);
  const anomalies = records.flatMap((record) =>
    record.effects
      .filter(({ effect }) => effect === 'ineffective')
      .map(({ mechanism, proof, node }) => ({
        kind: 'ineffective-fault',
        message: `${record.kind} ${record.variant} ${record.phase}${node === undefined ? '' : ` on node ${node}`} had no effect (${mechanism})`,
        ops: [],
        evidence: { id: record.id, mechanism, proof, node: node ?? null },
      })),
  );
  const [first] = anomalies;
  if (first !== undefined)
    return {
      ...unknown(`${anomalies.length} without effect (${[...without].join(', ')}): ${first.message}`, counts),
      anomalies,
    };
  const tried = kinds.filter((kind) => (byKind[kind]?.proven ?? 0) > 0);
  const untried = kinds.filter((kind) => !tried.includes(kind));
  if (swarm ? tried.length === 0 : untried.length > 0) {
    return unknown(`no ${untried.join(' and no ')} fault was seen to take effect`, counts);
  }
  const silent = tried.filter((kind) => (okByKind.get(kind) ?? 0) < okMin);
  if (swarm ? silent.length === tried.length : silent.length > 0) {
    return unknown(`no operation succeeded under or after ${silent.join(' and ')}`, counts);
  }
  const summary = tried.map((kind) => `${byKind[kind]?.proven ?? 0} ${kind}`).join(', ');
  const drawn = untried.length === 0 ? '' : `; drawn, and not seen to: ${untried.join(', ')}`;
  return { valid: true, summary: `took effect: ${summary}${drawn}`, anomalies: [], counts };
}

interface Window {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
}

/** Each fault from its start to its end, and on to the start of the next: what was down must first come back. */
function windows(records: readonly FaultOutcome[]): readonly Window[] {
  const starts = records.filter(({ phase }) => phase === 'start');
  const ends = new Map(records.filter(({ phase }) => phase === 'end').map(({ id, doneTime }) => [id, doneTime]));
  return starts.map(({ id, kind, time }) => {
    const end = ends.get(id) ?? Number.POSITIVE_INFINITY;
    const next = starts.find((other) => other.time >= end);
    return { kind, from: time, to: next?.time ?? Number.POSITIVE_INFINITY };
  });
}

function succeededIn(windows: readonly Window[], history: readonly Op[]): ReadonlyMap<string, number> {
  const times = history.filter(({ type, process }) => type === 'ok' && process !== 'nemesis').map(({ time }) => time);
  const counts = new Map<string, number>();
  for (const { kind, from, to } of windows) {
    const count = times.filter((time) => time >= from && time < to).length;
    counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  return counts;
}

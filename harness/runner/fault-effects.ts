import { type Section, unknown } from '../../checker/verdict.ts';
import { type FaultOutcome, summarizeFaults } from '../../nemesis/summarize.ts';

/**
 * Whether the faults that were asked for took effect. One that a probe showed to have had none makes the run
 * unknown, and so does a kind of which none was seen to work: what it would have broken was not tried.
 */
export function checkFaults(kinds: readonly string[], records: readonly FaultOutcome[]): Section {
  const byKind = summarizeFaults(records);
  const counts = Object.fromEntries(
    kinds.flatMap((kind) => {
      const { proven = 0, moot = 0, ineffective = 0 } = byKind[kind] ?? {};
      return [
        [kind, proven],
        [`${kind}-moot`, moot],
        [`${kind}-ineffective`, ineffective],
      ];
    }),
  );
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
    return { ...unknown(`${anomalies.length} without effect: ${first.message}`, counts), anomalies };
  const untried = kinds.filter((kind) => (byKind[kind]?.proven ?? 0) === 0);
  if (untried.length > 0) return unknown(`no ${untried.join(' and no ')} fault was seen to take effect`, counts);
  const summary = kinds.map((kind) => `${byKind[kind]?.proven ?? 0} ${kind}`).join(', ');
  return { valid: true, summary: `took effect: ${summary}`, anomalies: [], counts };
}

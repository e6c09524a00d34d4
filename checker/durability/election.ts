import { type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { AnomalyList } from './anomaly-list.ts';
import type { NodeAudit } from './audit-record.ts';
import type { MergedLog } from './committed-log.ts';

/** Election safety (Raft, figure 3): at most one leader in a term, from the nodes' own records of leadership. */
export function checkElection(audits: readonly NodeAudit[], merged: MergedLog): Section {
  const leaders = new Map<number, Set<string>>();
  for (const { node, records } of audits) {
    for (const record of records) {
      if (record.type !== 'leader') continue;
      const nodes = leaders.get(record.term) ?? new Set();
      leaders.set(record.term, nodes.add(node));
    }
  }

  const anomalies = new AnomalyList();
  for (const [term, nodes] of leaders) {
    if (nodes.size < 2) continue;
    anomalies.add({
      kind: 'two-leaders',
      message: `nodes ${[...nodes].join(' and ')} were both leader in term ${term}`,
      ops: [],
      evidence: { term, nodes: [...nodes] },
    });
  }
  const counts = { terms: leaders.size };
  const found = anomalies.all();
  if (found.length > 0) return { valid: false, summary: anomalies.summary(), anomalies: found, counts };
  if (leaders.size === 0) return unknown('no node recorded a leadership', counts);
  for (const [index, variants] of merged.entries) {
    const orphan = variants.find((v) => v.op !== undefined && !leaders.has(v.term));
    if (orphan !== undefined)
      return unknown(`index ${index} is of term ${orphan.term}, which no leader recorded`, counts);
  }
  return { valid: true, summary: `one leader in each of ${counted(leaders.size, 'term')}`, anomalies: [], counts };
}

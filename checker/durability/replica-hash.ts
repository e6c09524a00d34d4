import { type Section, unknown } from '../verdict.ts';
import { AnomalyList } from './anomaly-list.ts';
import type { NodeAudit } from './audit-record.ts';
import type { MergedLog } from './committed-log.ts';

interface Claim {
  readonly node: string;
  readonly hash: string;
  readonly what: string;
}

/**
 * State machine safety by state: nodes that have applied the same index hold the same state, whether they got
 * there entry by entry, by replay after a restart, or through an installed snapshot.
 */
export function checkReplicaHashes(audits: readonly NodeAudit[], merged: MergedLog): Section {
  const snapshots = new Map<number, Claim[]>();
  for (const { node, records } of audits) {
    for (const record of records) {
      if (record.type !== 'snapshot') continue;
      const claims = snapshots.get(record.index) ?? [];
      snapshots.set(record.index, claims);
      claims.push({ node, hash: record.hash, what: 'installed snapshot' });
    }
  }

  const anomalies = new AnomalyList();
  let compared = 0;
  const compare = (index: number, claims: readonly Claim[]): void => {
    const [first] = claims;
    if (first === undefined || claims.length < 2) return;
    compared++;
    const other = claims.find((claim) => claim.hash !== first.hash || claim.what !== first.what);
    if (other === undefined) return;
    anomalies.add({
      kind: 'state-divergence',
      message: `at index ${index} node ${first.node} has state ${first.hash} (${first.what}), node ${other.node} ${other.hash} (${other.what})`,
      ops: [],
      evidence: { index, claims: claims.map(({ node, hash, what }) => ({ node, hash, what })) },
    });
  };
  for (const [index, variants] of merged.entries) {
    const [variant] = variants;
    // Different entries at one index are the log's anomaly; their states differ as a matter of course.
    if (variant === undefined || variants.length > 1) continue;
    const claims = variant.hashes.map(({ node, hash, effect }) => ({ node, hash, what: effect }));
    compare(index, claims);
    const installed = snapshots.get(index) ?? [];
    // A snapshot has no effect of its own to compare, only the state.
    if (claims[0] !== undefined) {
      for (const { node, hash } of installed) compare(index, [claims[0], { node, hash, what: claims[0].what }]);
    }
  }

  const counts = { compared, snapshots: snapshots.size };
  const found = anomalies.all();
  if (found.length > 0) return { valid: false, summary: anomalies.summary(), anomalies: found, counts };
  if (compared === 0) return unknown('no index was applied by two nodes, so no states could be compared', counts);
  return { valid: true, summary: `states equal at each of ${compared} indices compared`, anomalies: [], counts };
}

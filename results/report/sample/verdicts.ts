import type { Op } from '../../../checker/history/op.ts';
import { type Anomaly, type Section, unknown } from '../../../checker/verdict.ts';
import { cycle, lostWrite, noLeader, plainAnomaly, staleRead } from './anomalies.ts';
import { hostileTexts, type SampleKind } from './kinds.ts';

const pass = (summary: string, counts: Section['counts']): Section => ({ valid: true, summary, anomalies: [], counts });

/** What the checkers would have said of it. */
export function sectionsOf(kind: SampleKind, history: readonly Op[]): { [checker: string]: Section } {
  const others = {
    log: pass('812 acknowledged writes each took effect once in 830 entries on 5 nodes', {
      acknowledged: 812,
      entries: 830,
    }),
    hash: pass('states equal at each of 830 indices compared', { compared: 830 }),
    election: pass('one leader in each of 6 terms', { terms: 6 }),
    crash: pass('9 starts, no node ended by itself', { starts: 9, exits: 4 }),
    faults: pass('7 of 7 faults took effect', { faults: 7 }),
    liveness: pass('healed, all 5 nodes served again after 1.2 s', { nodes: 5 }),
  };
  const linear = pass(`${history.length / 2} operations on 5 keys are linearizable`, {
    operations: history.length / 2,
    keys: 5,
  });
  const bad = (summary: string, ...anomalies: Anomaly[]): Section => ({
    valid: false,
    summary,
    anomalies,
    counts: { operations: history.length / 2 },
  });
  switch (kind) {
    case 'valid':
    case 'interrupted':
      return { linear, ...others };
    case 'stale-read':
    case 'simulated':
      return { linear: bad('key "stale" is not linearizable', staleRead(history)), ...others };
    case 'history':
      return { linear: bad('key "account" is not linearizable', plainAnomaly(history)) };
    case 'cycle':
      return { txn: bad('the history is not strict-serializable: G-single', cycle(history)), ...others };
    case 'lost-write':
      return { linear, ...others, log: bad('2 lost-write', lostWrite(history, 200), lostWrite(history, 600)) };
    case 'liveness':
      return {
        linear,
        ...others,
        liveness: bad('no leader within 20 s after the faults were over', noLeader(history)),
      };
    case 'unknown':
      return {
        linear,
        ...others,
        faults: unknown('the partition at 12.5 s was asked for, but node 3 still answered node 1', { faults: 7 }),
      };
    case 'hostile':
      return { linear: bad(`key ${hostileTexts[0]} is not linearizable`, plainAnomaly(history)), ...others };
  }
}

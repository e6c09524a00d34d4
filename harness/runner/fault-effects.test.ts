import t from 'tap';
import type { Op } from '../../checker/history/op.ts';
import type { Effect, FaultRecord } from '../../nemesis/world.ts';
import { planFor } from '../simulate/plan.ts';
import { checkFaults } from './fault-effects.ts';
import { judgeEvidence } from './judge-evidence.ts';

/** One fault of each kind. */
const ids = ['pause', 'kill', 'clock'];
const fault = (kind: string, effect: Effect['effect'], phase: 'start' | 'end' = 'start', time = 1): FaultRecord => ({
  kind,
  variant: 'one',
  id: ids.indexOf(kind),
  phase,
  time,
  doneTime: time + 1,
  nodes: ['1'],
  effects: [{ effect, mechanism: 'sigstop', proof: { state: 'S' }, node: '1' }],
});
const succeeded: readonly Op[] = [
  { index: 0, time: 3, process: 0, type: 'invoke', f: 'read', key: 'x' },
  { index: 1, time: 3, process: 0, type: 'ok', f: 'read', key: 'x', value: 1 },
];

t.test('of kinds that were named each must have worked, and operations succeeded under it', async (t) => {
  t.match(checkFaults(['pause'], [fault('pause', 'proven')], succeeded), { valid: true, counts: { pause: 1 } });
  t.match(checkFaults(['pause'], [fault('pause', 'proven'), fault('pause', 'ineffective', 'end')], succeeded), {
    valid: 'unknown',
    anomalies: [{ kind: 'ineffective-fault' }],
  });
  t.match(checkFaults(['pause', 'kill'], [fault('pause', 'proven'), fault('kill', 'moot')], succeeded), {
    valid: 'unknown',
    reason: 'no kill fault was seen to take effect',
  });
  t.match(checkFaults(['pause'], [], succeeded), { valid: 'unknown' });
  for (const history of [[], succeeded.map((op) => ({ ...op, time: 0 }))]) {
    t.match(checkFaults(['pause'], [fault('pause', 'proven')], history), {
      valid: 'unknown',
      reason: 'no operation succeeded under or after pause',
    });
  }
});

t.test('of kinds that were drawn one that worked is enough, and the others are named', async (t) => {
  const drawn = (kinds: readonly string[], records: readonly FaultRecord[], history = succeeded) =>
    checkFaults(kinds, records, history, true);
  const kinds = ['pause', 'kill', 'clock'];
  t.match(drawn(kinds, [fault('pause', 'proven'), fault('kill', 'moot')]), {
    valid: true,
    summary: 'took effect: 1 pause; drawn, and not seen to: kill, clock',
    counts: { pause: 1, kill: 0, 'kill-moot': 1, clock: 0 },
  });
  t.match(drawn(kinds, [fault('pause', 'moot')]), {
    valid: 'unknown',
    reason: 'no pause and no kill and no clock fault was seen to take effect',
  });
  t.match(drawn(kinds, [fault('pause', 'proven'), fault('kill', 'ineffective')]), {
    valid: 'unknown',
    anomalies: [{ kind: 'ineffective-fault' }],
  });
  t.match(drawn(kinds, [fault('pause', 'proven')], []), {
    valid: 'unknown',
    reason: 'no operation succeeded under or after pause',
  });
  t.match(drawn(kinds, [fault('pause', 'proven'), fault('kill', 'proven', 'start', 10)]), { valid: true });
});

t.test('a simulation that drew its kinds is judged by one of them, one whose kinds were named by all', async (t) => {
  const options = { workload: 'register', timeLimitMs: 60_000, ratePerS: 50, opTimeoutMs: 2000 };
  const named = planFor({ ...options, faults: ['pause', 'kill'] }, 1);
  t.notOk(named.swarm);
  t.ok(planFor(options, 1).swarm);
  const judged = ({ workload, swarm }: { readonly workload: string; readonly swarm: boolean }) =>
    judgeEvidence({
      workload,
      faultKinds: named.faults,
      swarm,
      history: succeeded,
      faults: () => [fault('pause', 'proven')],
      audits: undefined,
      crash: undefined,
      steps: [],
    }).sections.faults;
  t.match(judged({ ...named, swarm: true }), { valid: true, summary: /drawn, and not seen to: kill/ });
  t.match(judged(named), { valid: 'unknown', reason: 'no kill fault was seen to take effect' });
});

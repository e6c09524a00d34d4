import { canonical, Events, NO_PROCESS } from '../history/events.ts';
import type { History } from '../history/op.ts';
import { type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { AnomalyList } from './anomaly-list.ts';

/**
 * Jepsen's unique-ids: each `generate` that is acknowledged gives an id that no other gave. An id that was given
 * again is a `duplicate-id`.
 */
export function checkUniqueIds(history: History | Events): Section {
  const events = history instanceof Events ? history : Events.of(history);
  const first = new Map<string, number>();
  const found = new AnomalyList();
  const counts = { attempted: 0, acknowledged: 0 };
  for (let at = 0; at < events.length; at++) {
    if (events.process[at] === NO_PROCESS || events.names[events.f[at]!] !== 'generate') continue;
    if (events.typeAt(at) === 'invoke') counts.attempted++;
    if (events.typeAt(at) !== 'ok') continue;
    counts.acknowledged++;
    const id = events.valueAt(at);
    const before = first.get(canonical(id));
    if (before === undefined) {
      first.set(canonical(id), at);
      continue;
    }
    found.add({
      kind: 'duplicate-id',
      message: `operations ${before} and ${at} were both given the id ${JSON.stringify(id)}`,
      ops: [before, at],
      evidence: { id },
    });
  }
  if (counts.acknowledged === 0) return unknown('no id was generated', counts);
  const anomalies = found.all();
  return {
    valid: anomalies.length === 0,
    summary: `unique-ids: ${counted(counts.acknowledged, 'id')}; ${found.summary() || 'no anomaly'}`,
    anomalies,
    counts,
  };
}

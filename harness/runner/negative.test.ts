import t from 'tap';
import type { Op } from '../../checker/history/op.ts';
import { FlagWorld, seeded } from '../../nemesis/flag-world.ts';
import { faultKinds } from '../../nemesis/kinds.ts';
import { startNemesis } from '../../nemesis/nemesis.ts';
import type { Effect, FaultRecord, Moment, World } from '../../nemesis/world.ts';
import { checkFaults } from './fault-effects.ts';

const endMs = 60_000;
/** One that succeeds every 100 ms: what is missing is only the faults. */
const history: readonly Op[] = Array.from({ length: endMs / 100 }, (_, index) => ({
  index,
  time: index * 1e8,
  process: 0,
  type: 'ok',
  f: 'read',
  value: 1,
}));

const moments: ReadonlySet<Moment> = new Set([
  'elected',
  'first-append',
  'old-append',
  'committed',
  'snapshot-taken',
  'snapshot-sent',
  'snapshot-received',
  'configuration-entered',
]);

/** A world whose mechanisms do nothing. @param seen what looking comes to then */
function idleWorld(world: FlagWorld, seen: Effect['effect']): World {
  const happening: readonly PropertyKey[] = ['nodes', 'primaries', 'sleep', 'random'];
  const idle = async (): Promise<Effect> => {
    await world.sleep(40).catch(() => {}); // Healing goes on when the time is over.
    return { effect: seen, mechanism: 'none', proof: {} };
  };
  return new Proxy<World>(world, {
    get(target, name) {
      if (name === 'next') return async () => ({ node: '1', peer: '2' });
      if (name === 'moments') return moments;
      const value: unknown = Reflect.get(target, name);
      if (!happening.includes(name)) return idle;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function faultsIn(kind: string, seen: Effect['effect']): Promise<readonly FaultRecord[]> {
  const time = new FlagWorld(5, endMs);
  const records: FaultRecord[] = [];
  const nemesis = startNemesis({
    world: idleWorld(time, seen),
    phases: [{ kinds: [kind], intervalMs: 4000 }],
    random: seeded(1),
    now: () => time.nowMs * 1e6,
    record: (fault) => records.push(fault),
  });
  await time.run();
  // Healing waits for members, and its time is over, too.
  await nemesis.stop().catch((error: Error) => {
    if (error.name !== 'AbortError') throw error;
  });
  return records;
}

t.test('a kind of fault whose mechanism does nothing makes the run unknown, and is named', async (t) => {
  for (const kind of faultKinds) {
    for (const seen of ['ineffective', 'moot'] as const) {
      const records = await faultsIn(kind, seen);
      const wasTried = records.some((record) => record.kind === kind);
      const { valid, reason } = checkFaults([kind], records, history);
      t.ok(wasTried && valid === 'unknown', `${kind}, ${seen}`);
      t.match(reason, kind);
    }
  }
});

t.test('and when its mechanism works it does not', async (t) => {
  for (const kind of faultKinds)
    t.equal(checkFaults([kind], await faultsIn(kind, 'proven'), history).valid, true, kind);
});

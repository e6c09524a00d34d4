import t from 'tap';
import { corruption } from '../../nemesis/damage.ts';
import { disks } from '../../nemesis/disk.ts';
import { seededRandom } from '../generator/random.ts';
import { EventLog } from './event-log.ts';
import { planFor } from './plan.ts';
import { eventKind, harnessProcess, Scheduler } from './scheduler.ts';
import { SimCluster } from './sim-cluster.ts';
import { simulate } from './simulation.ts';
import { loadSystem, ownSystem } from './system-module.ts';

t.setTimeout(240_000);

const options = { workload: 'register', timeLimitMs: 12_000, ratePerS: 60, opTimeoutMs: 2000 };

/** What a run with this kind of fault must have gone through. */
const counted: { readonly [kind: string]: string } = {
  'disk-full': 'writes refused by a full disk',
  'disk-error': 'syncs failed',
  'disk-slow': 'syncs slowed down',
  'disk-hung': 'syncs held by a hung disk',
  'disk-crash': 'processes ended in a write or sync',
  'disk-lying': 'syncs that did nothing',
  corruption: 'starts refused for a damaged file',
};

t.test('the store bears every disk fault, and no node ends by itself', async (t) => {
  const system = await loadSystem(ownSystem);
  for (const kind of [...Object.keys(disks), 'corruption']) {
    // It has more variants than fit into a short run, and some of them are mended by the node itself.
    const timeLimitMs = kind === 'corruption' ? 5 * options.timeLimitMs : options.timeLimitMs;
    const { results, cluster } = await simulate(planFor({ ...options, timeLimitMs, faults: [kind] }, 7), system);
    t.match(results, { valid: true, sections: { crash: { valid: true }, faults: { valid: true } } }, kind);
    const what = counted[kind] ?? kind;
    t.ok((cluster.coverage.counts[what] ?? 0) > 0, what);
  }
});

/** Three nodes that have served for two seconds, then what the test does with them. */
async function clusterOf(act: (cluster: SimCluster, endWithError: (error: Error) => void) => Promise<void>) {
  const scheduler = new Scheduler(new EventLog());
  const tuning = { tickMs: 50, electionTicks: 10, heartbeatTicks: 1, snapshotEntries: 30, segmentBytes: 1 << 14 };
  const random = (purpose: string) => seededRandom(3, purpose);
  const cluster = new SimCluster({ nodes: 3, system: await loadSystem(ownSystem), scheduler, random, tuning });
  scheduler.onError = (owner, error) => cluster.failed(owner, error);
  let failure: unknown;
  const course = async () => {
    await Promise.all(cluster.nodes.map((node) => cluster.start(node)));
    await cluster.sleep(2000);
    await act(cluster, (error) => cluster.failed(cluster.machine('1').process!, error));
  };
  scheduler.schedule(0, eventKind.harness, harnessProcess, () => {
    course()
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => scheduler.stop());
  });
  await scheduler.run(100_000_000);
  if (failure !== undefined) throw failure;
  return cluster;
}

const ends = ({ machines }: SimCluster) =>
  machines.flatMap(({ life }) => life.flatMap((record) => (record.type === 'exit' ? [record] : [])));

t.test('an end that the disk did not bring about is a crash, whatever the disk does', async (t) => {
  const cluster = await clusterOf(async (cluster, endWithError) => {
    await cluster.setDisk('1', { type: 'slow', delayMs: 1 });
    endWithError(new Error('boom'));
  });
  t.match(ends(cluster), [{ ordered: false, code: 70 }]);
});

t.test('an emptied machine comes back as a new member, and not before', async (t) => {
  await clusterOf(async (cluster) => {
    await t.rejects(cluster.wipe('2'), /is running/);
    for (let round = 1; round <= 2; round++) {
      await cluster.kill('2');
      t.match(await cluster.wipe('2'), { effect: 'proven' });
      t.match(await cluster.start('2'), { effect: 'moot', proof: { reason: /forgotten/ } });
      t.match(await cluster.removeMember('2'), { effect: 'proven' });
      t.match(await cluster.addMember('2'), { effect: 'proven' });
      t.equal(cluster.machine('2').number, 3 + round);
    }
    t.equal((await cluster.primaries()).length, 1);
  });
});

t.test(
  'old snapshots put back show: a log that does not reach back to them keeps the node from starting',
  async (t) => {
    const harm = { nodes: ['1'], setting: { type: 'damage', damage: { file: 'snapshot', how: 'old' } } } as const;
    await clusterOf(async (cluster) => {
      const { disk } = cluster.machine('1');
      const snapshots = () => disk.paths().filter((path) => path.startsWith('snapshots/')).length;
      await cluster.kill('1');
      t.match(await cluster.damage('1', harm.setting.damage), { effect: 'moot' });
      await cluster.start('1');
      while (snapshots() < 2) await cluster.sleep(100);
      const [seen] = await corruption.start(cluster, harm);
      t.match(seen, { effect: 'proven', proof: { putBack: '', refused: /no readable snapshot reaches that far/ } });
      t.match(await corruption.end(cluster, harm), [{ effect: 'proven' }]);
      t.equal(cluster.machine('1').number, 4, 'it is a new member');
    });
  },
);

t.test('a refusal to start is a crash unless it is about a file that was damaged', async (t) => {
  const harm = { nodes: ['1'], setting: { type: 'damage', damage: { file: 'log', how: 'flip' } } } as const;
  const cluster = await clusterOf(async (cluster) => {
    t.match(await corruption.start(cluster, harm), [{ effect: 'proven', proof: { refused: /wal\/0+1.wal at byte/ } }]);
    const restore = { file: 'log', how: 'restore' } as const;
    t.match(await cluster.damage('1', restore), { effect: 'proven' });
    t.match(await cluster.start('1'), { effect: 'proven', proof: { up: true } });
    await t.rejects(cluster.damage('1', harm.setting.damage), /is running/);
    await cluster.kill('1');
    await t.rejects(cluster.damage('1', restore), /has served since/);
    // Not by the nemesis.
    const { disk } = cluster.machine('1');
    disk.file(disk.paths().find((path) => path.endsWith('1.wal'))!).truncate(100);
    await cluster.start('1');
  });
  t.match(
    ends(cluster).map(({ ordered, code }) => ({ ordered, code })),
    [
      { ordered: true, code: null },
      { ordered: true, code: 70 },
      { ordered: true, code: null },
      { ordered: false, code: 70 },
    ],
  );
});

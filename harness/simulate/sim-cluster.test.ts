import t from 'tap';
import { SimCluster } from './sim-cluster.ts';
import { loadSystem, ownSystem } from './system-module.ts';
import { emptyWorld, second } from './testing-world.ts';

async function emptyCluster() {
  const { scheduler, random } = emptyWorld();
  const tuning = { tickMs: 50, electionTicks: 10, heartbeatTicks: 1, snapshotEntries: 30, segmentBytes: 1 << 14 };
  const system = await loadSystem(ownSystem);
  return { scheduler, cluster: new SimCluster({ nodes: 3, system, scheduler, random: () => random, tuning }) };
}

t.test('a process that is paused while it starts has not failed to start', async (t) => {
  const { scheduler, cluster } = await emptyCluster();
  const effects: string[] = [];
  const course = async () => {
    const started = cluster.start('1');
    await cluster.sleep(0);
    await cluster.pause('1');
    effects.push((await started).effect);
  };
  void course();
  await scheduler.run(60 * second);
  t.strictSame(effects, ['moot']);
});

t.test('a process that is ended while it starts is not waited for, though the next one runs', async (t) => {
  const { scheduler, cluster } = await emptyCluster();
  const effects: string[] = [];
  const course = async () => {
    const first = cluster.start('1');
    await cluster.sleep(0.5);
    await cluster.kill('1');
    const second = cluster.start('1');
    effects.push((await second).effect, (await first).effect);
  };
  void course();
  await scheduler.run(60 * second);
  t.strictSame(effects, ['proven', 'moot']);
});

t.test('a sleep is never shorter than asked for, however short', async (t) => {
  const { scheduler, cluster } = await emptyCluster();
  const wokenUs: number[] = [];
  const sleeping = async () => {
    for (const ms of [0.0001, 1.0001, 2]) {
      await cluster.sleep(ms);
      wokenUs.push(scheduler.nowUs);
    }
  };
  void sleeping();
  await scheduler.run(second);
  t.strictSame(wokenUs, [1, 1002, 3002]);
});

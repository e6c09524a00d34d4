import { once } from 'node:events';
import { readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { Effect, Link, NodeId } from '../../nemesis/world.ts';
import { isFree } from './client-ports.ts';
import { type Cluster, ClusterError, startCluster } from './cluster.ts';
import type { ProcessRecord } from './exits.ts';
import { LinkTable } from './links.ts';
import { NodeProcess } from './node-process.ts';
import { PeerProxy } from './peer-proxy.ts';
import { PreloadControl } from './preload-control.ts';
import { processStat } from './proc.ts';

const main = fileURLToPath(new URL('test-node.js', import.meta.url));
/** Not seeded: only the fates of frames on disturbed links hang on it. */
const random = (bound: number): number => Math.floor(Math.random() * bound);
const proven = (effect: Effect): boolean => effect.effect === 'proven';

async function cluster(test: Test, nodes: number): Promise<Cluster & { readonly folder: string }> {
  const folder = test.testdir({});
  const started = await startCluster({ nodes, folder, main, random, now: () => 0 });
  test.teardown(() => started.stop());
  return Object.assign(started, { folder });
}

function records(folder: string, node: NodeId): readonly ProcessRecord[] {
  const text = readFileSync(join(folder, 'nodes', node, 'exits.ndjson'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ProcessRecord);
}

function pidOf(folder: string, node: NodeId): number {
  return records(folder, node).findLast((record) => record.type === 'start')!.pid;
}

async function get(address: string, path: string): Promise<unknown> {
  return (await fetch(`${address}${path}`)).json();
}

function both(a: NodeId, b: NodeId): readonly Link[] {
  return [
    { from: a, to: b },
    { from: b, to: a },
  ];
}

t.test('a cluster of processes', async (t) => {
  const world = await cluster(t, 3);
  const { folder } = world;

  t.test('every node answers at its address', async (t) => {
    t.same(world.nodes, ['1', '2', '3']);
    for (const node of world.nodes) t.match(await get(world.address(node), '/v1/status'), { id: node });
    t.same(await world.primaries(), ['1']);
  });

  t.test('a cut is exact, one way, and heals', async (t) => {
    const cut = await world.cut([{ from: '1', to: '2' }]);
    t.match(cut, { effect: 'proven', mechanism: 'tcp-proxy', proof: { linksProven: 1, framesPassedOnCutLinks: 0 } });
    const pings = async () => (await get(world.address('2'), '/peers')) as Record<string, number>;
    const before = await pings();
    t.ok(proven(await world.cut([{ from: '1', to: '2' }, ...both('1', '3')])));
    let after = await pings();
    while (after['3']! < before['3']! + 5) after = await pings();
    t.equal(after['1'], before['1'], 'others were heard meanwhile');
    const healed = await world.cut([]);
    t.match(healed, { effect: 'proven', proof: { linksCut: 0, linksHealed: 3, linksProven: 3 } });
  });

  t.test('links are disturbed and reset', async (t) => {
    const none = { delayMs: 0, jitterMs: 0, lossPercent: 0, duplicatePercent: 0, reorderPercent: 0, bytesPerS: 0 };
    const all = { delayMs: 5, jitterMs: 5, lossPercent: 20, duplicatePercent: 20, reorderPercent: 20, bytesPerS: 0 };
    const disturbed = await world.disturb(both('1', '3'), all);
    t.match(disturbed, { effect: 'proven', mechanism: 'tcp-proxy', proof: { links: 2, lossPercent: 20 } });
    for (const what of ['delayed', 'lost', 'duplicated', 'overtaken']) t.ok(Number(disturbed.proof[what]) > 0, what);
    t.match(await world.disturb([], none), { effect: 'proven', proof: { links: 0 } });
    t.match(await world.disturb([], none), { effect: 'moot' });
    const slow = await world.disturb(both('1', '3'), { ...none, bytesPerS: 1000 });
    t.match(slow, { effect: 'proven', proof: { links: 2, bytesPerS: 1000 } });
    t.ok(Number(slow.proof.delayed) > 0);
    t.match(await world.disturb([], none), { effect: 'proven' });
    t.match(await world.reset(both('1', '3')), { effect: 'proven', proof: { connections: 2 } });
  });

  t.test('healing a disk that nothing could break is moot', async (t) => {
    t.match(await world.setDisk?.('1', undefined), { effect: 'moot' });
    await t.rejects(world.setDisk!('1', { type: 'full' }), /without a way to break its disks/);
  });

  t.test('a pause stops one process and no other', async (t) => {
    const pid = pidOf(folder, '2');
    t.match(await world.pause('2'), { effect: 'proven', proof: { pid, state: 'T', siblingsStopped: '' } });
    t.match(await world.pause('2'), { effect: 'moot' });
    t.match(await world.cut([{ from: '2', to: '1' }]), { effect: 'moot', proof: { linksMoot: 1 } });
    t.ok(proven(await world.resume('2')));
    t.not(processStat(pid)?.state, 'T');
    t.ok(proven(await world.cut([])));
  });

  t.test('a kill and a restart, at the same address', async (t) => {
    const address = world.address('3');
    const pid = pidOf(folder, '3');
    t.match(await world.kill('3'), { effect: 'proven', proof: { pid, signal: 'SIGKILL' } });
    t.match(await world.kill('3'), { effect: 'moot' });
    t.notOk(processStat(pid));
    t.match(await world.start('3'), { effect: 'proven' });
    t.match(await world.start('3'), { effect: 'moot' });
    t.equal(world.address('3'), address);
    t.not(pidOf(folder, '3'), pid);
    t.match(records(folder, '3')[1], { type: 'exit', pid, ordered: true, signal: 'SIGKILL', lastLogLines: [] });
  });

  t.test('asked to start twice at once, it starts once', async (t) => {
    await world.kill('3');
    const [first, second] = await Promise.all([world.start('3'), world.start('3')]);
    t.match(first, { effect: 'proven' });
    t.match(second, { effect: 'moot', proof: { reason: 'it was being started' } });
  });

  t.test('clocks bend and straighten, by the word of the node itself', async (t) => {
    const straight = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };
    t.match(await world.setClock('1', { ...straight, wallOffsetMs: 60_000 }), { effect: 'proven' });
    t.match(await world.setClock('1', { ...straight, wallRate: 1.5 }), { effect: 'proven' });
    t.match(await world.setClock('1', { ...straight, monotonicRate: 0.5 }), { effect: 'proven' });
    t.match(await world.setClock('1', straight), { effect: 'proven' });
    t.match(await world.setClock('1', straight), { effect: 'moot' });
  });

  t.test('a bent clock outlives its process', async (t) => {
    await world.setClock('1', { wallOffsetMs: -3_600_000, wallRate: 1, monotonicRate: 1 });
    await world.kill('1');
    t.ok(proven(await world.start('1')));
    const { clock } = (await get(world.address('1'), '/v1/status')) as { clock: { wallMs: number } };
    t.ok(Math.abs(clock.wallMs + 3_600_000 - Date.now()) < 60_000);
    t.ok(proven(await world.setClock('1', { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 })));
  });

  t.test('an end that nobody ordered is on record, and the node can be started again', async (t) => {
    const changes = watch(join(folder, 'nodes', '2', 'exits.ndjson'));
    await t.rejects(get(world.address('2'), '/exit'));
    while (!records(folder, '2').some((record) => record.type === 'exit')) await once(changes, 'change');
    changes.close();
    t.ok(proven(await world.start('2')));
    t.match(
      records(folder, '2').find((record) => record.type === 'exit'),
      { ordered: false, code: 7, signal: null, lastLogLines: [/listening/] },
    );
  });

  t.test('nothing is left after the end', async (t) => {
    const pids = world.nodes.map((node) => pidOf(folder, node));
    const slept = world.sleep(1e9);
    await world.pause('1');
    await Promise.all([world.stop(), t.rejects(slept, { name: 'AbortError' })]);
    for (const pid of pids) t.notOk(processStat(pid));
    for (const node of world.nodes) {
      t.match(records(folder, node).at(-1), { type: 'exit', ordered: true });
      t.ok(await isFree(Number(new URL(world.address(node)).port)));
      t.same(readdirSync(join(folder, 'nodes', node)).sort(), ['audit.ndjson', 'exits.ndjson', 'node.log']);
    }
    t.match(await world.start('1'), { effect: 'moot' });
  });
});

t.test('every fault takes effect on the real node', async (t) => {
  const folder = t.testdir({});
  const real = fileURLToPath(new URL('../../system/main.js', import.meta.url));
  const world = await startCluster({ nodes: 3, folder, main: real, random, now: () => 0 });
  t.teardown(() => world.stop());
  const straight = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };
  t.ok(proven(await world.cut([{ from: '2', to: '1' }])));
  t.ok(proven(await world.cut([])));
  t.ok(proven(await world.pause('1')));
  t.ok(proven(await world.resume('1')));
  t.ok(proven(await world.kill('2')));
  t.ok(proven(await world.start('2')));
  for (const fault of [{ wallOffsetMs: 1000 }, { wallRate: 2 }, { monotonicRate: 0.5 }, {}]) {
    t.ok(proven(await world.setClock('3', { ...straight, ...fault })), JSON.stringify(fault));
  }
  t.ok(proven(await world.reset(both('1', '3'))));
  while ((await world.primaries()).length === 0) await world.sleep(20);
  await world.stop();
  for (const node of world.nodes) t.match(records(folder, node).at(-1), { ordered: true, code: 0 });
});

t.test('a mechanism that does nothing is found out', async (t) => {
  const world = await cluster(t, 3);

  t.test('partition', async (t) => {
    t.capture(LinkTable.prototype, 'cut', () => {});
    t.match(await world.cut(both('1', '2')), { effect: 'ineffective', proof: { ineffectiveLinks: /[12]>[12]/ } });
    await world.cut([]);
  });

  t.test('disturbance', async (t) => {
    t.capture(LinkTable.prototype, 'disturb', () => {});
    const none = { delayMs: 0, jitterMs: 0, lossPercent: 0, duplicatePercent: 0, reorderPercent: 0, bytesPerS: 0 };
    t.match(await world.disturb(both('1', '2'), { ...none, lossPercent: 50 }), {
      effect: 'ineffective',
      proof: { missing: 'lost', lost: 0 },
    });
  });

  t.test('reset', async (t) => {
    t.capture(PeerProxy.prototype, 'reset', () => 0);
    t.match(await world.reset(both('1', '2')), { effect: 'ineffective', proof: { connections: 0 } });
  });

  t.test('pause', async (t) => {
    t.capture(NodeProcess.prototype, 'signal', () => true);
    t.match(await world.pause('1'), { effect: 'ineffective', proof: { state: /[RS]/ } });
    await world.resume('1');
  });

  t.test('kill', async (t) => {
    t.capture(NodeProcess.prototype, 'signal', () => true);
    t.match(await world.kill('1'), { effect: 'ineffective', proof: { reason: /did not end/ } });
    t.match(await world.start('1'), { effect: 'moot' });
  });

  t.test('clock', async (t) => {
    t.capture(PreloadControl.prototype, 'tell', async () => {});
    const straight = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };
    for (const fault of [{ wallOffsetMs: -2000 }, { wallRate: 0.5 }, { monotonicRate: 2 }]) {
      t.match(await world.setClock('1', { ...straight, ...fault }), {
        effect: 'ineffective',
        proof: { acknowledged: true, ...(fault.wallOffsetMs !== undefined && { askedWallOffsetMs: -2000 }) },
      });
      await world.setClock('1', straight);
    }
  });
});

t.test('what a user can mend is one clear line, and leaves nothing behind', async (t) => {
  const world = await cluster(t, 1);
  const port = Number(new URL(world.address('1')).port);
  const options = { folder: t.testdir({}), main, random: () => 0, now: () => 0 };
  await t.rejects(startCluster({ ...options, nodes: 2, portFirst: port - 1 }), ClusterError);
  await t.rejects(startCluster({ ...options, nodes: 1, portFirst: port }), {
    message: `port ${port} (node 1) is not free; choose others with --port`,
  });
  const missing = join(options.folder, 'missing.js');
  await t.rejects(startCluster({ ...options, nodes: 2, main: missing }), { name: 'ClusterError', message: /node \d/ });
  const stack = /node 1 ended before it served \(exit code 1\): Node\.js v/;
  await t.rejects(startCluster({ ...options, folder: t.testdir({}), nodes: 1, main: missing }), { message: stack });
  await t.rejects(startCluster({ ...options, nodes: 1, signal: AbortSignal.abort() }), { name: 'AbortError' });
});

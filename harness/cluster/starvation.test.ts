import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { NodeId } from '../../nemesis/world.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { findHierarchy } from './control-group.ts';
import type { ProcessRecord } from './exits.ts';
import { isControlGroup } from './reaper-records.ts';

t.setTimeout(120_000);
const main = fileURLToPath(new URL('../../system/main.js', import.meta.url));
const faults = ['starve-cpu', 'starve-memory', 'starve-descriptors'];
const random = (bound: number): number => Math.floor(Math.random() * bound);

async function busyCluster(
  t: Test,
  wantedMechanisms: readonly string[],
): Promise<Cluster & { readonly folder: string }> {
  const folder = t.testdir({});
  const world = await startCluster({ nodes: 3, folder, main, random, now: () => 0, faults, wantedMechanisms });
  let busy = true;
  const writes = (async () => {
    for (let value = 0; busy; value++) {
      const request = { method: 'PUT', body: 'x'.repeat(2000), signal: AbortSignal.timeout(500) };
      await fetch(`${world.address(world.nodes[value % 3]!)}/v1/kv/${value % 50}`, request).catch(() => {});
    }
  })();
  t.teardown(async () => {
    busy = false;
    await writes;
    await world.stop();
  });
  while ((await world.primaries()).length === 0) await world.sleep(20);
  return Object.assign(world, { folder });
}

/** An abort of the node's process, as V8 ends it; nothing when the starvation has ended it already. */
async function endOnItsOwn(world: Cluster & { readonly folder: string }, node: NodeId): Promise<void> {
  const exits = exitsOf(world.folder, node).length;
  const text = readFileSync(join(world.folder, 'nodes', node, 'exits.ndjson'), 'utf8').trimEnd();
  const last = JSON.parse(text.split('\n').at(-1) ?? '') as ProcessRecord;
  if (last.type === 'exit') return;
  process.kill(last.pid, 'SIGABRT');
  while (exitsOf(world.folder, node).length === exits) await world.sleep(5);
}

function recordsOf(folder: string, node: NodeId): readonly ProcessRecord[] {
  const text = readFileSync(join(folder, 'nodes', node, 'exits.ndjson'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ProcessRecord);
}

function exitsOf(folder: string, node: NodeId): readonly ProcessRecord[] {
  return recordsOf(folder, node).filter(({ type }) => type === 'exit');
}

/** The control groups in a folder that were made for processes of this cluster: others may be testing, too. */
function groupsOf({ folder, nodes }: Cluster & { readonly folder: string }, hierarchy: string): readonly string[] {
  const pids = nodes.flatMap((node) => recordsOf(folder, node).map(({ pid }) => pid));
  return readdirSync(hierarchy).filter(
    (name) => isControlGroup(join(hierarchy, name)) && pids.some((pid) => name.includes(`-${pid}-`)),
  );
}

for (const wanted of [['cgroup'], ['sigstop-duty-cycle', 'prlimit']]) {
  t.test(`nodes have too little, by ${wanted.join(' and ')}`, async (t) => {
    const hierarchies = [findHierarchy('cpu'), findHierarchy('memory')].flatMap((found) => found?.folder ?? []);
    if (wanted.includes('cgroup') && hierarchies.length < 2) return t.comment('skipped: no control groups here');
    const world = await busyCluster(t, wanted);
    const mechanism = (kind: string): RegExp => {
      t.ok(wanted.includes(world.mechanisms[kind]!) || kind === 'starve-descriptors', kind);
      return new RegExp(world.mechanisms[kind]!);
    };

    t.match(await world.starve('1', { of: 'cpu' }), { effect: 'proven', mechanism: mechanism('starve-cpu') });
    if (wanted.includes('cgroup')) t.equal(hierarchies.flatMap((one) => groupsOf(world, one)).length, 1);
    t.match(await world.pause('2'), { effect: 'proven' }, 'which leaves the others alone');
    t.match(await world.resume('2'), { effect: 'proven' });
    t.match(await world.starve('1', undefined), { effect: 'proven', proof: { answers: true } });
    t.match(await world.starve('1', undefined), { effect: 'moot' });
    t.match(await world.starve('1', { of: 'cpu' }), { effect: 'proven' }, 'again');
    await world.starve('1', undefined);
    for (const time of ['once', 'again']) {
      t.match(await world.starve('1', { of: 'memory' }), { effect: /proven|moot/ }, time);
      await world.starve('1', undefined);
    }
    await world.start('1');

    const descriptors = await world.starve('2', { of: 'descriptors' });
    t.match(descriptors, { effect: 'proven', mechanism: 'prlimit', proof: { answersNewConnections: false } });
    t.match(await world.starve('2', undefined), { effect: 'proven', proof: { answers: true } });

    // A process that happens to want no more memory has not too little.
    const memory = await world.starve('3', { of: 'memory' });
    t.match(memory, {
      effect: wanted.includes('cgroup') ? 'proven' : /proven|moot/,
      mechanism: mechanism('starve-memory'),
    });
    await world.starve('3', undefined);
    await world.start('3');

    // Who has enough again and answers may have been about to end all the while.
    await world.starve('1', { of: 'memory' });
    await world.starve('1', undefined);
    await endOnItsOwn(world, '1');
    await world.start('1');
    for (const node of world.nodes)
      t.same(
        exitsOf(world.folder, node).filter((exit) => !('ordered' in exit && exit.ordered)),
        [],
      );
    await world.stop();
    t.same(
      hierarchies.flatMap((one) => groupsOf(world, one)),
      [],
    );
  });
}

t.test('one that has just ended for want of something is not taken for one that does not recover', async (t) => {
  const world = await busyCluster(t, ['cgroup']);
  const started = await world.starve('1', { of: 'memory' });
  if (started.proof.ended !== false) return t.comment('skipped: it ended, or cannot be starved here');
  const text = readFileSync(join(world.folder, 'nodes/1/exits.ndjson'), 'utf8').trimEnd();
  process.kill((JSON.parse(text.split('\n').at(-1) ?? '') as ProcessRecord).pid, 'SIGKILL');
  t.match(await world.starve('1', undefined), { effect: 'moot' });
});

t.test('what starves nobody is found out', async (t) => {
  const world = await busyCluster(t, ['sigstop-duty-cycle', 'prlimit']);
  const programs = join(world.folder, 'programs');
  mkdirSync(programs);
  writeFileSync(join(programs, 'prlimit'), '#!/bin/sh\n', { mode: 0o755 });
  const { PATH } = process.env;
  process.env.PATH = `${programs}:${PATH}`;
  t.teardown(() => {
    process.env.PATH = PATH;
  });
  t.match(await world.starve('1', { of: 'descriptors' }), { effect: 'ineffective', proof: { isLimited: false } });
  t.match(await world.starve('2', { of: 'memory' }), { effect: 'moot' });
  t.capture(process, 'kill', () => true);
  t.match(await world.starve('3', { of: 'cpu' }), { effect: 'ineffective', proof: { stopsSeen: 0 } });
});

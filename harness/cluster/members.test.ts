import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startCluster } from './cluster.ts';

const main = fileURLToPath(new URL('../../system/main.js', import.meta.url));
t.setTimeout(120_000);

t.test('a node that is emptied comes back as another member, and as no other', async (t) => {
  const folder = t.testdir({});
  const options = { nodes: 3, folder, main, faults: ['reformat', 'partition'], random: () => 0, now: () => 0 };
  const world = await startCluster(options);
  t.teardown(() => world.stop());
  while ((await world.primaries()).length === 0) await world.sleep(20);
  const write = async (value: string) =>
    (await fetch(`${world.address('2')}/v1/kv/x`, { method: 'PUT', body: value })).status;
  t.equal(await write('before'), 200);
  t.match(await world.addMember('1'), { effect: 'moot', proof: { reason: 'it is a member' } });

  await world.kill('1');
  t.match(await world.wipe('1'), { effect: 'proven' });
  t.match(await world.start('1'), { effect: 'moot', proof: { reason: /must be added/ } });
  t.match(await world.removeMember('1'), { effect: 'proven', proof: { removed: '1' } });
  t.match(await world.start('1'), { effect: 'moot', proof: { reason: 'it is no member any more' } });
  t.match(await world.addMember('1'), { effect: 'proven', proof: { added: '4' } });
  t.equal(await write('after'), 200);
  const read = async () => (await fetch(`${world.address('1')}/v1/kv/x`)).text();
  let answer = await read();
  for (let looks = 1; answer !== 'after' && looks < 100; looks++) {
    // An election may be under way.
    await world.sleep(100);
    answer = await read();
  }
  t.equal(answer, 'after', 'it serves, where it always did');

  const links = [
    { from: '1', to: '2' },
    { from: '2', to: '1' },
  ];
  t.match(await world.cut(links), { effect: 'proven' }, 'and what it says is known to be its own');
  t.match(await world.cut([]), { effect: 'proven' });
});

t.test('one that runs is removed, ends, and comes back as another member, more than once', async (t) => {
  const folder = t.testdir({});
  const world = await startCluster({ nodes: 3, folder, main, faults: ['members'], random: () => 0, now: () => 0 });
  t.teardown(() => world.stop());
  while ((await world.primaries()).length === 0) await world.sleep(20);
  for (const id of ['4', '5']) {
    t.match(await world.removeMember('3'), { effect: 'proven' });
    t.match(await world.addMember('3'), { effect: 'proven', proof: { added: id } });
  }
});

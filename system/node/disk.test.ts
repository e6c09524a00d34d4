import t from 'tap';
import { PortError } from '../ports.ts';
import { Cluster } from './testing/cluster.ts';

t.test('a sync that fails ends the leader: it acknowledges nothing more, and what it had is safe', async (t) => {
  const cluster = await Cluster.start(3, 21);
  const leader = cluster.leader!;
  t.equal((await cluster.send(leader, 'PUT', '/kept', 'x')).status, 204);
  cluster.world.breakDisk(String(leader), (operation) =>
    operation === 'sync' ? new PortError('EIO', 'syncing') : undefined,
  );
  const failed = cluster.ask(leader, 'PUT', '/lost', 'y');
  await cluster.world.until('it stops', () => cluster.stopped.length > 0);
  t.same(cluster.stopped, [`${leader}: PortError: syncing`], 'once');
  t.equal(failed(), undefined, 'neither yes nor no');
  await cluster.world.until('another leads', () => cluster.leader !== undefined);
  t.equal((await cluster.send(cluster.leader!, 'GET', '/kept')).text, 'x');
  t.equal((await cluster.send(cluster.leader!, 'PUT', '/later', 'z')).status, 204);
  // The disk is replaced; what the failed sync left behind is gone with the machine's memory.
  cluster.world.mendDisk(String(leader));
  cluster.crash(leader);
  await cluster.restart(leader);
  t.equal((await cluster.send(leader, 'GET', '/later')).text, 'z');
  await cluster.agree();
});

t.test('the more keys there are, the more entries lie between two snapshots', async (t) => {
  const cluster = await Cluster.start(1, 29, { snapshotEntries: 10 });
  const node = cluster.nodes.get(1)!;
  const snapshots = new Set<number>();
  for (let at = 0; at < 300; at++) {
    t.equal((await cluster.send(1, 'PUT', `/key-${at}`, 'x')).status, 204);
    await cluster.world.pass(100);
    snapshots.add(node.inspect().snapshotIndex);
  }
  const indices = [...snapshots];
  const gaps = indices.slice(1).map((index, at) => index - indices[at]!);
  t.equal(gaps[0], 10, 'few keys: as many entries as asked for');
  for (const [at, gap] of gaps.entries()) {
    // Two of the entries were no keys of ours: the member's and the leader's.
    const keys = indices[at + 1]! - 2;
    t.ok(gap * 4 >= keys && (gap - 1) * 4 < Math.max(keys, 40), `${gap} entries for ${keys} keys`);
  }
  t.ok(gaps.at(-1)! > 50);
});

t.test('one node alone: a write whose sync failed is never acknowledged, and not retried', async (t) => {
  const cluster = await Cluster.start(1, 22);
  let syncs = 0;
  cluster.world.breakDisk('1', (operation) => {
    if (operation !== 'sync') return undefined;
    syncs++;
    // Only the first fails: one who tried again would be told that all is well (fsyncgate).
    return syncs === 1 ? new PortError('EIO', 'syncing') : undefined;
  });
  const node = cluster.nodes.get(1)!;
  const first = cluster.ask(1, 'PUT', '/a', 'x');
  const read = cluster.ask(1, 'GET', '/a');
  await cluster.world.until('it stops', () => cluster.stopped.length > 0);
  const { applied } = node.inspect();
  let late: number | undefined;
  node.handle({ method: 'PUT', target: '/b', headers: {}, body: new Uint8Array(1) }, ({ status }) => {
    late = status;
  });
  await cluster.world.pass(10_000);
  t.equal(syncs, 1, 'no second sync');
  t.equal(first(), undefined);
  t.not(read()?.status, 200);
  t.equal(late, 503, 'refused for certain');
  t.equal(node.inspect().applied, applied, 'nothing is applied that is not durable');
  cluster.world.mendDisk('1');
  cluster.crash(1);
  await cluster.restart(1);
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  t.equal((await cluster.send(1, 'GET', '/a')).status, 404);
});

t.test('a full disk: writes are refused for certain, reads go on, and room brings all back', async (t) => {
  const cluster = await Cluster.start(3, 23);
  const ids = [1, 2, 3];
  await cluster.send(1, 'PUT', '/before', 'x');
  for (const id of ids) {
    cluster.world.breakDisk(String(id), (operation) =>
      operation === 'write' ? new PortError('ENOSPC', 'writing') : undefined,
    );
  }
  const leader = cluster.leader!;
  const first = await cluster.send(leader, 'PUT', '/first', 'y', { 'timeout-ms': '200' });
  t.equal(first.status, 504, 'it is in the log, and may yet happen');
  for (const id of ids) {
    const refused = await cluster.send(id, 'PUT', '/refused', 'z');
    t.equal(refused.status, 503, `node ${id}`);
    t.equal(refused.json().error, 'disk-full');
    t.equal((await cluster.send(id, 'GET', '/before')).text, 'x', `a read on node ${id}`);
  }
  await cluster.world.pass(5_000);
  t.same(cluster.stopped, [], 'nobody stops');
  t.equal(cluster.leader, leader, 'nobody is disturbed');
  for (const id of ids) cluster.world.mendDisk(String(id));
  await cluster.world.until('the first write takes effect', () => cluster.nodes.get(1)!.inspect().applied > 5);
  for (const id of ids) t.equal((await cluster.send(id, 'PUT', `/after${id}`, 'x')).status, 204, `node ${id}`);
  t.equal((await cluster.send(2, 'GET', '/first')).text, 'y');
  t.equal((await cluster.send(3, 'GET', '/refused')).status, 404);
  await cluster.agree();
});

t.test('only the leader has a full disk: the others serve, up to what it may hold in memory', async (t) => {
  const cluster = await Cluster.start(3, 24);
  const leader = cluster.leader!;
  const follower = cluster.followers[0]!;
  cluster.world.breakDisk(String(leader), (operation) =>
    operation === 'write' ? new PortError('ENOSPC', 'writing') : undefined,
  );
  t.equal((await cluster.send(follower, 'PUT', '/a', 'x')).status, 204, 'durable on the two others');
  t.equal((await cluster.send(leader, 'PUT', '/b', 'x')).json().error, 'disk-full');
  const large = new Uint8Array(1024 * 1024);
  let taken = 0;
  let status = 204;
  for (; status === 204 && taken < 100; taken++) {
    status = (await cluster.send(follower, 'PUT', `/large${taken % 3}`, large, { 'timeout-ms': '200' })).status;
  }
  t.equal(status, 504);
  t.ok(taken > 32 && taken <= 65, `64 MiB are the bound; ${taken} values of 1 MiB`);
  t.same(cluster.stopped, []);
  cluster.world.mendDisk(String(leader));
  await cluster.agree();
  t.equal((await cluster.send(follower, 'PUT', '/c', 'x')).status, 204);
  t.equal((await cluster.send(leader, 'PUT', '/d', 'x')).status, 204);
  await cluster.agree();
});

t.test('a snapshot whose damage shows only at its end leaves nothing of itself behind', async (t) => {
  const cluster = await Cluster.start(1, 28, { snapshotEntries: 20 });
  for (let i = 0; i < 70; i++) await cluster.send(1, 'PUT', `/k${i % 7}`, `${i}`);
  await cluster.world.pass(100);
  cluster.crash(1);
  const { fileSystem } = cluster.world.ports('1');
  const newest = cluster.world.files('1').findLast((path) => path.endsWith('.snapshot'))!;
  const tamper = async () => {
    const file = await fileSystem.open(newest, 'write');
    // The checksum of the last block, which is empty: all that comes before it is as it was.
    await file.write((await file.size()) - 1, [Uint8Array.of(0)]);
    await file.datasync();
    await file.close();
  };
  await cluster.settled(tamper());
  await cluster.restart(1);
  t.ok(cluster.logs.some((line) => line.startsWith('1 warn storage-repaired') && line.includes('wrong checksum')));
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  for (let i = 63; i < 70; i++) t.equal((await cluster.send(1, 'GET', `/k${i % 7}`)).text, `${i}`);
});

t.test('a snapshot that finds no room is given up, and made when there is some', async (t) => {
  const cluster = await Cluster.start(1, 25, { snapshotEntries: 20 });
  cluster.world.breakDisk('1', (operation, path) =>
    operation === 'write' && path.startsWith('snapshots/') ? new PortError('ENOSPC', 'writing') : undefined,
  );
  for (let i = 0; i < 30; i++) t.equal((await cluster.send(1, 'PUT', `/k${i}`, 'x')).status, 204);
  t.equal(cluster.nodes.get(1)!.inspect().snapshotIndex, 0);
  t.ok(cluster.logs.some((line) => line.includes('warn snapshot-failed')));
  await cluster.world.pass(100);
  t.notOk(
    cluster.world.files('1').some((path) => path.startsWith('snapshots/')),
    'no half of one takes up room',
  );
  cluster.world.mendDisk('1');
  for (let i = 0; i < 30; i++) await cluster.send(1, 'PUT', `/k${i}`, 'x');
  t.ok(cluster.nodes.get(1)!.inspect().snapshotIndex > 20);
});

t.test('a snapshot that could not be given its name is cleaned up, and its file closed once', async (t) => {
  const cluster = await Cluster.start(1, 26, { snapshotEntries: 20 });
  let open = 0;
  cluster.world.breakDisk('1', (operation, path) => {
    if (!path.startsWith('snapshots/')) return undefined;
    if (operation === 'open') open++;
    if (operation === 'close') open--;
    return operation === 'rename' ? new PortError('ENOSPC', 'renaming') : undefined;
  });
  for (let i = 0; i < 30; i++) t.equal((await cluster.send(1, 'PUT', `/k${i}`, 'x')).status, 204);
  await cluster.world.pass(100);
  t.ok(cluster.logs.some((line) => line.includes('warn snapshot-failed')));
  t.equal(open, 0);
  t.notOk(cluster.world.files('1').some((path) => path.startsWith('snapshots/')));
});

t.test('a snapshot is not purged while it is being sent', async (t) => {
  const cluster = await Cluster.start(3, 27, { snapshotEntries: 20 });
  const away = cluster.followers[0]!;
  const leader = cluster.leader!;
  cluster.crash(away);
  // Some MiB, so that sending takes longer than making the next snapshots.
  for (let i = 0; i < 200; i++) await cluster.send(leader, 'PUT', `/k${i}`, new Uint8Array(100_000));
  const open = new Map<string, number>();
  const removed: string[] = [];
  cluster.world.breakDisk(String(leader), (operation, path) => {
    if (!path.endsWith('.snapshot')) return undefined;
    if (operation === 'open') open.set(path, (open.get(path) ?? 0) + 1);
    if (operation === 'close') open.set(path, open.get(path)! - 1);
    if (operation === 'remove') removed.push(`${path}${open.get(path) ? ' while open' : ''}`);
    return undefined;
  });
  const back = cluster.startNode(away);
  const isBeingSent = () => [...open.values()].some((count) => count > 0);
  await cluster.world.until('a snapshot is being sent', isBeingSent);
  const during = () => removed.length > 0 && isBeingSent();
  let seen = false;
  for (let i = 0; i < 100; i++) {
    await cluster.send(leader, 'PUT', `/l${i}`, 'x');
    seen ||= during();
  }
  t.ok(seen, 'others were purged while it was being sent');
  await cluster.settled(back);
  await cluster.agree();
  t.ok(cluster.logs.some((line) => line.startsWith(`${leader} info snapshot-sent`) && line.includes('"sent":true')));
  t.same(
    removed.filter((one) => one.endsWith('while open')),
    [],
  );
});

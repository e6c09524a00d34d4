import t from 'tap';
import { Cluster, urlOf } from './testing/cluster.ts';

t.test('a removed node that comes back with its old disk is refused, disturbs nobody and stays removed', async (t) => {
  const cluster = await Cluster.start(3, 61, { snapshotEntries: 20 });
  await cluster.send(1, 'PUT', '/a', 'x');
  const gone = cluster.followers[0]!;
  const leader = cluster.leader!;
  // It dies before it can learn of its removal.
  cluster.crash(gone);
  t.equal((await cluster.send(leader, 'DELETE', `/v1/members/${gone}`)).status, 200);
  const { term } = cluster.nodes.get(leader)!.inspect().raft.hardState;
  await cluster.world.pass(2_000);
  await cluster.settled(cluster.startNode(gone));
  const refused = (line: string) => line.includes('warn peer-refused') && line.includes(`node ${gone} was removed`);
  await cluster.world.until('it is refused', () => cluster.logs.some(refused));
  await cluster.world.pass(3_000);
  const old = cluster.nodes.get(gone)!;
  t.equal((await cluster.send(gone, 'PUT', '/b', 'x', { 'timeout-ms': '100' })).status, 503);
  t.not((await cluster.send(gone, 'GET', '/a', '', { 'timeout-ms': '100' })).status, 200);
  t.not(old.inspect().raft.softState.role, 'leader');
  t.equal(cluster.nodes.get(leader)!.inspect().raft.hardState.term, term, 'no election was forced');
  t.equal((await cluster.send(leader, 'PUT', '/c', 'x')).status, 204);
  cluster.crash(gone);
  const others = [...cluster.nodes.keys()];
  const comesBack = async () => {
    for (const body of [
      { id: String(gone), url: urlOf(gone) },
      { id: String(gone), url: urlOf(gone), learner: true },
      { changes: [{ id: String(gone), url: urlOf(gone) }] },
    ]) {
      const answer = await cluster.send(cluster.leader!, 'POST', '/v1/members', JSON.stringify(body));
      t.equal(answer.status, 400);
      t.match(answer.text, /can never come back/);
    }
  };
  await comesBack();
  // Also when all that the cluster knows comes from snapshots.
  for (let i = 0; i < 60; i++) await cluster.send(cluster.leader!, 'PUT', `/k${i}`, 'x');
  for (const id of others) cluster.crash(id);
  await cluster.settled(Promise.all(others.map((id) => cluster.startNode(id))));
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  t.ok(cluster.nodes.get(others[0]!)!.inspect().snapshotIndex > 20);
  await comesBack();
});

t.test('a node of another cluster is refused, as peer and as owner of a disk', async (t) => {
  const cluster = await Cluster.start(3, 62);
  await cluster.send(1, 'PUT', '/a', 'x');
  cluster.crash(2);
  await t.rejects(cluster.settled(cluster.startNode(2, false, { clusterId: 'other' })), /other|cluster/);
  cluster.crash(2);
  // With a clean disk it starts, but nobody talks to it.
  const urls = [1, 2, 3, 4, 5].map(urlOf);
  await cluster.settled(cluster.startNode(5, false, { clusterId: 'other', cluster: urls }));
  const refused = (line: string) => line.includes('warn peer-refused') && line.includes('node 5 is of cluster other');
  await cluster.world.until('it is refused', () => cluster.logs.some(refused));
  t.equal((await cluster.send(5, 'PUT', '/b', 'x', { 'timeout-ms': '500' })).status, 503);
  cluster.nodes.delete(5);
  await cluster.restart(2);
  t.equal((await cluster.send(2, 'GET', '/a')).text, 'x');
});

t.test('a session outlives a change of leader to a node that knows it from a snapshot alone', async (t) => {
  const cluster = await Cluster.start(3, 63, { snapshotEntries: 20 });
  const away = cluster.followers[0]!;
  cluster.crash(away);
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  const { session } = (await cluster.send(cluster.leader!, 'POST', '/v1/sessions')).json() as { session: string };
  const retry = { session, sequence: '1' };
  const first = await cluster.send(cluster.leader!, 'POST', '/v1/append/l', 'e', retry);
  t.equal(first.status, 200);
  for (let i = 0; i < 120; i++) await cluster.send(cluster.leader!, 'PUT', `/k${i % 7}`, 'x');
  await cluster.restart(away);
  await cluster.agree();
  t.ok(
    cluster.audits.get(away)!.some(({ type }) => type === 'snapshot'),
    'by a snapshot',
  );
  const moved = await cluster.send(cluster.leader!, 'POST', '/v1/leader', JSON.stringify({ to: String(away) }));
  t.equal(moved.status, 200);
  await cluster.world.until('it leads', () => cluster.leader === away);
  const again = await cluster.send(away, 'POST', '/v1/append/l', 'e', retry);
  t.same(again.json(), first.json(), 'the first answer');
  for (const id of [1, 2, 3]) cluster.crash(id);
  await cluster.settled(Promise.all([1, 2, 3].map((id) => cluster.startNode(id))));
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  t.same((await cluster.send(1, 'POST', '/v1/append/l', 'e', retry)).json(), first.json(), 'after all restarted, too');
  t.equal((await cluster.send(1, 'GET', '/v1/kv/l')).text, '["e"]');
  const next = await cluster.send(2, 'POST', '/v1/append/l', 'f', { session, sequence: '2' });
  t.equal(next.json().length, 2);
});

import t from 'tap';
import { PortError } from '../ports.ts';
import { Cluster } from './testing/cluster.ts';

/** Election time-out 100 ms, so a lease of 50 ms. */
const leaseMs = 50;

/** Cuts the leader off, and says whether it still answers a lease read within a millisecond. */
async function answersAlone(cluster: Cluster, leader: number): Promise<boolean> {
  for (const id of cluster.nodes.keys()) if (id !== leader) cluster.world.isolated.add(String(id));
  const answer = cluster.ask(leader, 'GET', '/v1/kv/a?read=lease', '', { 'timeout-ms': '20' });
  await cluster.world.pass(1);
  const status = answer()?.status;
  await cluster.world.until('the end of the read', () => answer() !== undefined);
  cluster.world.isolated.clear();
  if (status !== undefined && status !== 200) throw new Error(`status ${status}`);
  return status === 200;
}

t.test('a lease lasts half an election time-out from the question that a quorum answered', async (t) => {
  const cluster = await Cluster.start(3, 51);
  const leader = cluster.leader!;
  await cluster.send(leader, 'PUT', '/a', 'x');
  const startedMs = cluster.world.nowMs;
  t.equal((await cluster.send(leader, 'GET', '/a')).text, 'x');
  await cluster.world.pass(startedMs + leaseMs - 5 - cluster.world.nowMs);
  t.ok(await answersAlone(cluster, leader), 'shortly before its end');
  await cluster.world.pass(200);
  const again = cluster.leader!;
  const laterMs = cluster.world.nowMs;
  t.equal((await cluster.send(again, 'GET', '/a')).text, 'x');
  await cluster.world.pass(laterMs + leaseMs + 2 - cluster.world.nowMs);
  t.notOk(await answersAlone(cluster, again), 'no longer after it, though it still believes to lead');
});

t.test(
  'who offered leadership to another has no lease any more in that term, though the transfer failed',
  async (t) => {
    const cluster = await Cluster.start(3, 52);
    const leader = cluster.leader!;
    const target = cluster.followers[0]!;
    await cluster.send(leader, 'PUT', '/a', 'x');
    const { term } = cluster.nodes.get(leader)!.inspect().raft.hardState;
    cluster.world.isolated.add(String(target));
    const moved = await cluster.send(leader, 'POST', '/v1/leader', JSON.stringify({ to: String(target) }), {
      'timeout-ms': '20',
    });
    t.not(moved.status, 200);
    // The core gives the transfer up after an election time-out; the request to campaign may still be on its way.
    await cluster.world.pass(150);
    const { raft } = cluster.nodes.get(leader)!.inspect();
    t.equal(raft.hardState.term, term);
    t.equal(raft.leadTransferee, 0);
    t.equal((await cluster.send(leader, 'GET', '/a')).text, 'x', 'with a quorum it reads');
    t.notOk(await answersAlone(cluster, leader), 'without one it does not');
  },
);

t.test('a leader does not read by its lease what it has not applied yet and a follower has answered', async (t) => {
  const cluster = await Cluster.start(3, 54);
  const leader = cluster.leader!;
  t.equal((await cluster.send(leader, 'PUT', '/v1/kv/a', '0')).status, 200);
  t.equal((await cluster.send(leader, 'GET', '/v1/kv/a')).text, '0', 'which begins a lease');
  // The leader knows what the others hold, and applies nothing that is not on its own disk.
  cluster.world.breakDisk(String(leader), (operation) =>
    operation === 'write' ? new PortError('ENOSPC', 'writing') : undefined,
  );
  t.equal((await cluster.send(cluster.followers[0]!, 'PUT', '/v1/kv/a', '1')).status, 200);
  const read = cluster.ask(leader, 'GET', '/v1/kv/a?read=lease');
  t.equal(read(), undefined, 'it waits');
  cluster.world.mendDisk(String(leader));
  await cluster.world.until('the read', () => read() !== undefined);
  t.equal(new TextDecoder().decode(read()!.body), '1');
});

import t from 'tap';
import type { ApiResponse } from '../api/request.ts';
import { Cluster, urlOf } from './testing/cluster.ts';

t.test('writes on any node are read on any node', async (t) => {
  const cluster = await Cluster.start(3, 1);
  t.equal((await cluster.send(1, 'PUT', '/v1/kv/a', 'one')).text, '{"revision":1}');
  t.equal((await cluster.send(2, 'GET', '/v1/kv/a')).text, 'one');
  t.equal((await cluster.send(3, 'PUT', '/a', 'two')).status, 204);
  for (const id of [1, 2, 3]) t.equal((await cluster.send(id, 'GET', '/a')).text, 'two', `node ${id}`);
  t.equal((await cluster.send(1, 'GET', '/v1/kv/b')).status, 404);
  const leader = cluster.leader!;
  t.equal((await cluster.send(leader, 'GET', '/v1/kv/a?read=lease')).text, 'two');
  t.equal((await cluster.send(1, 'GET', '/v1/kv/a?read=dirty')).status, 400);
});

t.test('compare-and-swap says for certain that it did not happen', async (t) => {
  const cluster = await Cluster.start(3, 2);
  t.equal((await cluster.send(1, 'POST', '/v1/cas/a', '{"expected":null,"value":"1"}')).status, 200);
  const refused = await cluster.send(2, 'POST', '/v1/cas/a', '{"expected":null,"value":"2"}', {
    'operation-id': 'mine',
  });
  t.equal(refused.status, 412);
  t.equal(refused.json().error, 'cas-mismatch');
  t.equal((await cluster.send(3, 'POST', '/v1/cas/a', '{"expected":"1","value":"3"}')).status, 200);
  await cluster.agree();
  for (const id of [1, 2, 3]) {
    t.match(
      cluster.audits.get(id)?.find(({ op }) => op === 'mine'),
      { type: 'apply', effect: 'refused' },
    );
  }
  t.equal((await cluster.send(1, 'PUT', '/v1/kv/a?revision=7', 'x')).status, 412);
  t.equal((await cluster.send(1, 'PUT', '/v1/kv/a?revision=2', 'x')).status, 200);
});

t.test('the leader dies: another leads, nothing acknowledged is lost, the dead one comes back', async (t) => {
  const cluster = await Cluster.start(3, 3);
  const first = cluster.leader!;
  for (let i = 0; i < 20; i++) t.equal((await cluster.send(first, 'PUT', `/k${i}`, `v${i}`)).status, 204);
  cluster.crash(first);
  await cluster.world.until('another leader', () => cluster.leader !== undefined);
  const [one, other] = [...cluster.nodes.keys()] as [number, number];
  for (let i = 0; i < 20; i++) t.equal((await cluster.send(i % 2 ? one : other, 'GET', `/k${i}`)).text, `v${i}`);
  t.equal((await cluster.send(one, 'PUT', '/later', 'yes')).status, 204);
  await cluster.restart(first);
  t.equal((await cluster.send(first, 'GET', '/later')).text, 'yes');
  await cluster.agree();
  const terms = [...cluster.audits.values()].flat().filter(({ type }) => type === 'leader');
  t.equal(new Set(terms.map(({ term }) => term)).size, terms.length, 'one leader a term');
});

t.test('all die at once and come back with everything', async (t) => {
  const cluster = await Cluster.start(3, 4);
  for (let i = 0; i < 10; i++) await cluster.send((i % 3) + 1, 'PUT', `/k${i}`, `v${i}`);
  for (const id of [1, 2, 3]) cluster.crash(id);
  await cluster.settled(Promise.all([1, 2, 3].map((id) => cluster.startNode(id))));
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  for (let i = 0; i < 10; i++) t.equal((await cluster.send(1, 'GET', `/k${i}`)).text, `v${i}`);
  await cluster.agree();
});

t.test('without a majority nothing is acknowledged, and every wait ends', async (t) => {
  const cluster = await Cluster.start(3, 5);
  const leader = cluster.leader!;
  t.equal((await cluster.send(leader, 'GET', '/v1/health')).status, 200);
  for (const id of cluster.followers) cluster.world.isolated.add(String(id));
  const written = await cluster.send(leader, 'PUT', '/v1/kv/a', 'x', { 'timeout-ms': '30' });
  t.equal(written.status, 504);
  t.equal(written.json().error, 'timeout');
  t.equal((await cluster.send(leader, 'GET', '/v1/kv/a', '', { 'timeout-ms': '30' })).status, 504);
  t.equal((await cluster.send(leader, 'GET', '/v1/kv/a?read=serializable')).status, 404);
  await cluster.world.until(
    'the leader steps down',
    () => cluster.nodes.get(leader)!.inspect().raft.softState.role !== 'leader',
  );
  t.equal((await cluster.send(leader, 'GET', '/v1/health')).status, 503, 'without a leader it is not healthy');
  const refused = await cluster.send(leader, 'PUT', '/v1/kv/a', 'y');
  t.equal(refused.status, 503);
  t.equal(refused.json().error, 'no-leader');
  t.equal((await cluster.send(leader, 'GET', '/v1/kv/a?read=lease')).status, 503, 'no lease without leadership');
});

t.test('a cut-off leader: its write that lost its slot is refused for certain', async (t) => {
  const cluster = await Cluster.start(3, 6);
  const old = cluster.leader!;
  cluster.world.isolated.add(String(old));
  let lost: ApiResponse | undefined;
  cluster.nodes
    .get(old)!
    .handle(
      { method: 'PUT', target: '/v1/kv/a', headers: { 'timeout-ms': '60000' }, body: new Uint8Array(1) },
      (answer) => {
        lost = answer;
      },
    );
  const others = [1, 2, 3].filter((id) => id !== old);
  await cluster.world.until('a new leader', () =>
    others.some((id) => cluster.nodes.get(id)!.inspect().raft.softState.role === 'leader'),
  );
  await cluster.send(others[0]!, 'PUT', '/v1/kv/b', 'new');
  cluster.world.isolated.clear();
  await cluster.world.until('an answer', () => lost !== undefined);
  t.equal(lost!.status, 503);
  t.match(new TextDecoder().decode(lost!.body), /superseded/);
  t.equal((await cluster.send(old, 'GET', '/v1/kv/a')).status, 404);
  await cluster.agree();
});

t.test('a session makes a retry take effect once, also on another leader', async (t) => {
  const cluster = await Cluster.start(3, 7);
  const { session } = (await cluster.send(1, 'POST', '/v1/sessions')).json() as { session: string };
  const retry = { session, sequence: '1' };
  const leader = cluster.leader!;
  const first = await cluster.send(leader, 'POST', '/v1/append/l', 'e', retry);
  t.equal(first.json().length, 1);
  cluster.crash(leader);
  await cluster.world.until('another leader', () => cluster.leader !== undefined);
  const again = await cluster.send(cluster.leader!, 'POST', '/v1/append/l', 'e', retry);
  t.same(again.json(), first.json(), 'the first answer again');
  t.equal((await cluster.send(cluster.leader!, 'GET', '/v1/kv/l')).text, '["e"]');
  t.equal((await cluster.send(cluster.leader!, 'POST', '/v1/append/l', 'e', { session })).status, 400);
});

t.test('who was away longer than the log is kept gets a snapshot', async (t) => {
  const cluster = await Cluster.start(3, 8, { snapshotEntries: 20 });
  const away = cluster.followers[0]!;
  await cluster.send(cluster.leader!, 'PUT', '/early', 'bird');
  cluster.crash(away);
  for (let i = 0; i < 120; i++) await cluster.send(cluster.leader!, 'PUT', `/k${i % 7}`, `v${i}`);
  await cluster.restart(away);
  await cluster.agree();
  t.ok(
    cluster.audits.get(away)!.some(({ type }) => type === 'snapshot'),
    'by a snapshot',
  );
  t.equal((await cluster.send(away, 'GET', '/early')).text, 'bird');
  t.ok(cluster.nodes.get(cluster.leader!)!.inspect().snapshotIndex > 80);
  for (const id of [1, 2, 3]) {
    cluster.crash(id);
    await cluster.restart(id);
  }
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  await cluster.agree();
  t.equal((await cluster.send(away, 'GET', '/early')).text, 'bird', 'also after all restarted from snapshots');
});

t.test('a sender is told that its snapshot is there already: its receiver ended before it could say so', async (t) => {
  const cluster = await Cluster.start(3, 12);
  const leader = cluster.leader!;
  const away = cluster.followers[0]!;
  cluster.crash(away);
  await cluster.send(leader, 'PUT', '/a', 'x');
  t.equal((await cluster.send(leader, 'POST', '/v1/snapshot')).status, 200);
  void cluster.startNode(away);
  const has = (event: string) => () => cluster.logs.some((line) => line.startsWith(`${away} info ${event}`));
  await cluster.world.until('it has the file', has('snapshot-received'));
  // Nothing that it says from here on arrives.
  cluster.world.isolated.add(String(away));
  await cluster.world.until('it has the state', has('snapshot-installed'));
  cluster.crash(away);
  await cluster.world.pass(20);
  cluster.world.isolated.clear();
  await cluster.restart(away);
  // Until the sender gives up the connection. No newer snapshot comes: nothing is written.
  await cluster.world.pass(31_000);
  await cluster.agree();
  t.equal((await cluster.send(leader, 'PUT', '/b', 'y')).status, 204);
  await cluster.agree();
});

t.test('a snapshot is made piece by piece, and requests are answered in between', async (t) => {
  const cluster = await Cluster.start(1, 15);
  const pieces = 32;
  for (let at = 0; at < pieces / 4; at++)
    await cluster.send(1, 'PUT', `/v1/kv/large${at}`, new Uint8Array(1024 * 1024));
  const made = cluster.ask(1, 'POST', '/v1/snapshot');
  let answered = 0;
  while (made() === undefined) {
    await cluster.send(1, 'PUT', '/v1/kv/small', String(answered));
    answered++;
  }
  t.equal(made()!.status, 200);
  t.ok(answered > pieces, `${answered} writes while ${pieces} pieces were written`);
});

t.test('nodes agree at every index, over restarts and snapshots', async (t) => {
  const cluster = await Cluster.start(3, 9, { snapshotEntries: 15 });
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 20; i++) await cluster.send(cluster.leader!, 'PUT', `/k${i % 5}`, `${round}-${i}`);
    const victim = (round % 3) + 1;
    cluster.crash(victim);
    await cluster.world.until('a leader', () => cluster.leader !== undefined);
    await cluster.send(cluster.leader!, 'PUT', '/x', String(round));
    await cluster.restart(victim);
    await cluster.world.until('a leader', () => cluster.leader !== undefined);
  }
  await cluster.agree();
  const hashes = new Map<number, string>();
  for (const line of [...cluster.audits.values()].flat()) {
    if (line.index === undefined || line.hash === undefined) continue;
    t.equal(line.hash, hashes.get(line.index) ?? line.hash, `hash at ${line.index}`);
    hashes.set(line.index, line.hash);
  }
  t.ok(hashes.size > 80);
});

t.test('members come and go', async (t) => {
  const cluster = await Cluster.start(3, 10, { snapshotEntries: 20 });
  for (let i = 0; i < 50; i++) await cluster.send(1, 'PUT', `/k${i}`, `v${i}`);
  const leader = cluster.leader!;
  const learner = await cluster.send(
    leader,
    'POST',
    '/v1/members',
    JSON.stringify({ id: '4', url: urlOf(4), learner: true }),
  );
  t.match(learner.json(), { members: [{}, {}, {}, { id: '4', learner: true }] });
  await cluster.join(4);
  await cluster.agree();
  t.equal((await cluster.send(4, 'GET', '/k7')).text, 'v7', 'a learner reads');
  t.equal(
    (await cluster.send(cluster.followers[0]!, 'POST', '/v1/members/4/promote')).status,
    200,
    'through a follower',
  );
  t.match((await cluster.send(1, 'GET', '/v1/members')).json(), { members: [{}, {}, {}, { id: '4', learner: false }] });
  t.equal((await cluster.send(leader, 'DELETE', `/${leader}`)).status, 204, 'the leader removes itself');
  await cluster.world.until('it stops', () => cluster.stopped.includes(`${leader}: removed`));
  await cluster.world.until('another leads', () => cluster.leader !== undefined);
  t.equal((await cluster.send(4, 'PUT', '/after', 'x')).status, 204);
  const back = await cluster.send(4, 'POST', `/${leader}`, urlOf(leader));
  t.equal(back.status, 400);
  t.match(back.text, /can never come back/);
  t.equal((await cluster.send(4, 'DELETE', '/9')).status, 400, 'not a member');
  // Addresses live in snapshots: everybody finds everybody after a restart.
  for (const id of [...cluster.nodes.keys()]) {
    cluster.crash(id);
    await cluster.restart(id);
  }
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  t.equal((await cluster.send(4, 'GET', '/after')).text, 'x');
  await cluster.agree();
});

t.test('a node that lags asks before it judges a change of members by what it knows', async (t) => {
  const cluster = await Cluster.start(3, 14);
  const lagging = cluster.followers[0]!;
  cluster.world.isolated.add(String(lagging));
  const learner = JSON.stringify({ id: '4', url: urlOf(4), learner: true });
  t.equal((await cluster.send(cluster.leader!, 'POST', '/v1/members', learner)).status, 200);
  t.same(cluster.nodes.get(lagging)!.inspect().configuration().learners, [], 'it knows of no learner to promote');
  cluster.world.isolated.delete(String(lagging));
  t.equal((await cluster.send(lagging, 'POST', '/v1/members/4/promote')).status, 200);
});

t.test('several members are replaced at once, through a joint configuration', async (t) => {
  const cluster = await Cluster.start(3, 11);
  await cluster.send(1, 'PUT', '/a', 'x');
  const leader = cluster.leader!;
  const gone = cluster.followers[0]!;
  const changes = [
    { id: '4', url: urlOf(4) },
    { id: String(gone), remove: true },
  ];
  let answer: ApiResponse | undefined;
  cluster.nodes.get(leader)!.handle(
    {
      method: 'POST',
      target: '/v1/members',
      headers: {},
      body: new TextEncoder().encode(JSON.stringify({ changes })),
    },
    (response) => {
      answer = response;
    },
  );
  await cluster.join(4);
  await cluster.world.until('the change', () => answer !== undefined);
  t.equal(answer!.status, 200);
  await cluster.world.until('the removed one stops', () => cluster.stopped.includes(`${gone}: removed`));
  const ids = [...cluster.nodes.keys()].sort().map(String);
  const { members } = (await cluster.send(4, 'GET', '/v1/members')).json() as { members: { id: string }[] };
  t.same(
    members.map(({ id }) => id),
    ids,
  );
  t.equal((await cluster.send(4, 'GET', '/a')).text, 'x');
  await cluster.agree();
});

t.test('leadership is handed over, on request and at a graceful stop', async (t) => {
  const cluster = await Cluster.start(3, 12);
  const target = cluster.followers[0]!;
  const moved = await cluster.send(cluster.leader!, 'POST', '/v1/leader', JSON.stringify({ to: String(target) }));
  t.equal(moved.status, 200);
  await cluster.world.until('it leads', () => cluster.leader === target);
  t.equal(
    (await cluster.send(cluster.followers[0]!, 'POST', '/v1/leader', `{"to":"${cluster.followers[0]}"}`)).status,
    503,
  );
  const before = cluster.world.nowMs;
  const node = cluster.nodes.get(target)!;
  await cluster.settled(node.stop());
  cluster.nodes.delete(target);
  await cluster.world.until('another leads', () => cluster.leader !== undefined);
  t.ok(cluster.world.nowMs - before < 60, `within ${cluster.world.nowMs - before} ms, less than an election time-out`);
});

t.test('one node alone', async (t) => {
  const cluster = await Cluster.start(1, 13);
  t.equal((await cluster.send(1, 'PUT', '/a', 'x')).status, 204);
  cluster.crash(1);
  await cluster.restart(1);
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  t.equal((await cluster.send(1, 'GET', '/a')).text, 'x');
});

t.test('requests that say nothing sensible are refused before anything is proposed', async (t) => {
  const cluster = await Cluster.start(1, 14);
  const refused: readonly [string, string, string, number][] = [
    ['PUT', '/', 'x', 400],
    ['PUT', '/v1/kv/', 'x', 400],
    ['PUT', '/v1/kv/%zz', 'x', 400],
    ['PUT', '/v1/kv/a?revsion=1', 'x', 400],
    ['PUT', '/v1/kv/a?revision=-1', 'x', 400],
    ['GET', '/v1/kv/a?read=lease&read=lease', '', 400],
    ['POST', '/v1/cas/a', '{"value":"x"}', 400],
    ['POST', '/v1/cas/a', 'nonsense', 400],
    ['POST', '/v1/txn', '{"then":[{"op":"fly"}]}', 400],
    ['POST', '/nobody', 'http://h:1', 400],
    ['POST', '/7', 'not a url', 400],
    ['PATCH', '/a', '', 405],
    ['DELETE', '/v1/status', '', 405],
    ['GET', '/v1/nothing', '', 404],
  ];
  const before = cluster.nodes.get(1)!.inspect().raft.lastIndex;
  for (const [method, target, body, status] of refused) {
    const answer = await cluster.send(1, method, target, body);
    t.equal(answer.status, status, `${method} ${target}`);
    t.type(answer.json().error, 'string');
    if (status === 405) t.type(answer.headers.Allow, 'string');
  }
  t.equal((await cluster.send(1, 'PUT', '/a', 'x', { 'timeout-ms': '60001' })).status, 400);
  t.equal((await cluster.send(1, 'PUT', '/a', 'x', { 'operation-id': 'x'.repeat(129) })).status, 400);
  t.equal(cluster.nodes.get(1)!.inspect().raft.lastIndex, before, 'nothing was proposed');
  const binary = Uint8Array.of(0, 255, 128, 10);
  t.equal((await cluster.send(1, 'PUT', '/v1/kv/%00%ff', binary)).status, 200);
  const range = await cluster.send(1, 'GET', '/v1/range?from=%00');
  t.match(range.json(), { items: [{ key: { base64: 'AP8=' }, value: { base64: 'AP+ACg==' } }] });
});

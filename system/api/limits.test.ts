import t from 'tap';
import { Cluster } from '../node/testing/cluster.ts';

t.test('keys, values and transactions have bounds', async (t) => {
  const cluster = await Cluster.start(1, 41);
  const largest = new Uint8Array(1024 * 1024);
  t.equal((await cluster.send(1, 'PUT', `/v1/kv/${'k'.repeat(4096)}`, largest)).status, 200, 'the largest');
  const { lastIndex } = cluster.nodes.get(1)!.inspect().raft;
  const beyond = [
    await cluster.send(1, 'PUT', `/v1/kv/${'k'.repeat(4097)}`, 'x'),
    await cluster.send(1, 'PUT', '/v1/kv/a', new Uint8Array(1024 * 1024 + 1)),
    await cluster.send(1, 'POST', '/v1/append/a', new Uint8Array(1024 * 1024 + 1)),
    await cluster.send(
      1,
      'POST',
      '/v1/txn',
      `{"then":${JSON.stringify(new Array(257).fill({ op: 'get', key: 'a' }))}}`,
    ),
  ];
  for (const { status, text } of beyond) {
    t.equal(status, 413);
    t.match(text, /"error":"too-large"/);
  }
  t.match((await cluster.send(1, 'GET', '/v1/status')).json(), { revision: 1 }, 'nothing was changed');
  t.equal(cluster.nodes.get(1)!.inspect().raft.lastIndex, lastIndex, 'nor has any of it a place in the log');
  for (let i = 0; i < 16; i++) t.equal((await cluster.send(1, 'POST', '/v1/append/l', largest)).status, 200);
  t.equal((await cluster.send(1, 'POST', '/v1/append/l', 'x')).status, 413, 'a list, too');
});

type Asked = () => { readonly status: number } | undefined;

t.test('what is under way is bounded: one more is refused for certain, and room comes back', async (t) => {
  const cluster = await Cluster.start(3, 42);
  const leader = cluster.leader!;
  for (const id of cluster.followers) cluster.world.isolated.add(String(id));
  const ask = (count: number, method: string, body: Uint8Array): Asked[] =>
    Array.from({ length: count }, (_, at) =>
      cluster.ask(leader, method, `/v1/kv/k${at}`, body, { 'timeout-ms': '20' }),
    );
  const refusals = (asked: readonly Asked[]) => asked.filter((one) => one()?.status === 429).length;
  const over = (asked: readonly Asked[]) =>
    cluster.world.until('all are answered', () => asked.every((one) => one() !== undefined));
  const one = new Uint8Array(1);

  const reads = ask(65_538, 'GET', new Uint8Array(0));
  const writes = ask(16_387, 'PUT', one);
  t.equal(refusals(reads), 2, 'reads');
  t.equal(refusals(writes), 3, 'writes');
  await over([...reads, ...writes]);
  t.ok(
    [...reads, ...writes].every((answer) => [429, 504].includes(answer()!.status)),
    'all the others end with their deadline',
  );
  const large = ask(66, 'PUT', new Uint8Array(1024 * 1024));
  t.equal(refusals(large), 3, 'bytes of writes: 64 MiB, envelopes included');
  await over(large);
  cluster.world.isolated.clear();
  await cluster.world.until('a leader', () => cluster.leader !== undefined);
  t.equal((await cluster.send(cluster.leader!, 'PUT', '/after', 'x')).status, 204);
  t.equal((await cluster.send(leader, 'GET', '/after')).text, 'x');
  const refusedKeys = large.flatMap((answer, at) => (answer()!.status === 429 ? [at] : []));
  t.same(refusedKeys, [63, 64, 65]);
  for (const at of refusedKeys) {
    t.equal((await cluster.send(leader, 'GET', `/k${at}`)).text.length < 2, true, 'what was refused never happened');
  }
});

t.test('metrics are Prometheus text, and count', async (t) => {
  const cluster = await Cluster.start(1, 43, { snapshotEntries: 5 });
  const scrape = async () => {
    const { status, text, headers } = await cluster.send(1, 'GET', '/metrics');
    t.equal(status, 200);
    t.equal(headers['Content-Type'], 'text/plain; version=0.0.4');
    return parsePrometheus(text);
  };
  await cluster.send(1, 'GET', '/k0');
  const before = await scrape();
  for (let i = 0; i < 7; i++) await cluster.send(1, 'PUT', `/v1/kv/k${i % 3}`, 'x');
  await cluster.send(1, 'GET', '/k1');
  await cluster.send(1, 'GET', '/nothing');
  await cluster.send(1, 'POST', '/v1/cas/k1', '{"expected":"y","value":"z"}');
  await cluster.world.pass(100);
  const after = await scrape();
  const grown = (name: string) => after.get(name)! - (before.get(name) ?? 0);
  t.equal(grown('splitbrain_store_revision'), 7);
  t.equal(after.get('splitbrain_store_keys'), 3);
  t.equal(grown('splitbrain_raft_applied_index'), 8);
  t.equal(grown('splitbrain_log_batches_total') >= 8, true);
  t.ok(after.get('splitbrain_snapshot_index')! > 0);
  t.equal(after.get('splitbrain_raft_is_leader'), 1);
  t.equal(after.get('splitbrain_raft_leader'), 1);
  t.equal(after.get('splitbrain_proposals_waiting'), 0);
  t.equal(grown('splitbrain_http_answers_total{status="200"}'), 9, 'seven writes, a read, the first scrape');
  t.equal(grown('splitbrain_http_answers_total{status="404"}'), 1);
  t.equal(grown('splitbrain_http_answers_total{status="412"}'), 1);
  t.equal(grown('splitbrain_request_duration_seconds_count{kind="write"}'), 8);
  t.equal(grown('splitbrain_request_duration_seconds_count{kind="read"}'), 2);
  t.ok(grown('splitbrain_request_duration_seconds_sum{kind="write"}') > 0);
});

/**
 * Reads the text format strictly: each sample below the TYPE of its metric, once; buckets that never fall and end with
 * the count.
 */
function parsePrometheus(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  let current = '';
  let bucket: { series: string; value: number } | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (?:HELP ([a-z_]+) \S.*|TYPE ([a-z_]+) (gauge|counter|histogram))$/.exec(line);
    if (comment !== null) {
      const [, , typed, type] = comment;
      if (typed === undefined) continue;
      if (types.has(typed)) throw new Error(`a second TYPE: ${line}`);
      types.set(typed, type!);
      current = typed;
      continue;
    }
    const sample =
      /^([a-z_]+)((?:\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})?) (\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line);
    if (sample === null) throw new Error(`not a line of the format: ${line}`);
    const [, name, labels, number] = sample;
    const type = types.get(current);
    const base = type === 'histogram' ? name!.replace(/_(bucket|sum|count)$/, '') : name;
    if (base !== current) throw new Error(`outside its metric: ${line}`);
    if (type === 'counter' && !name!.endsWith('_total')) throw new Error(`a counter without _total: ${line}`);
    if (samples.has(`${name}${labels}`)) throw new Error(`twice: ${line}`);
    const value = Number(number);
    samples.set(`${name}${labels}`, value);
    const series = labels!.replace(/,?le="[^"]*"/, '');
    if (name!.endsWith('_bucket')) {
      if (bucket?.series === series && value < bucket.value) throw new Error(`a bucket that falls: ${line}`);
      bucket = { series, value };
    } else if (name!.endsWith('_count') && bucket?.value !== value) throw new Error(`not the +Inf bucket: ${line}`);
  }
  return samples;
}

import t from 'tap';
import { Cluster } from '../node/testing/cluster.ts';

/** A reader of one watch, as slow as it wants to be. */
class Reader {
  readonly revisions: number[] = [];
  readonly values: string[] = [];
  /** The stream's text, for what is not an event of a revision. */
  text = '';
  unread = 0;
  mostUnread = 0;
  isEnded = false;
  isReading = true;
  #close: (() => void) | undefined;

  static async open(cluster: Cluster, id: number, query: string): Promise<Reader> {
    const answer = cluster.ask(id, 'GET', `/v1/watch?${query}`);
    await cluster.world.until('the watch begins', () => answer() !== undefined);
    const reader = new Reader();
    reader.#close = answer()!.stream!({
      write: (chunk) => reader.#take(new TextDecoder().decode(chunk)),
      get bufferedBytes() {
        return reader.unread;
      },
      end: () => {
        reader.isEnded = true;
      },
    });
    return reader;
  }

  close(): void {
    this.#close?.();
  }

  #take(text: string): void {
    if (!this.isReading) {
      this.unread += text.length;
      this.mostUnread = Math.max(this.mostUnread, this.unread);
    }
    this.text += text;
    for (const [, id, data] of text.matchAll(/^id: (\d+)\ndata: (.*)\n\n/gm)) {
      const { revision, events } = JSON.parse(data!) as { revision: number; events: { value: string }[] };
      if (revision !== Number(id)) throw new Error(`id ${id} for revision ${revision}`);
      this.revisions.push(revision);
      for (const { value } of events) this.values.push(value);
    }
  }
}

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

t.test('a watch is in order and misses nothing, over a change of leader and a snapshot', async (t) => {
  const cluster = await Cluster.start(3, 31, { snapshotEntries: 20 });
  const { world } = cluster;
  let written = 0;
  const write = async (count: number) => {
    for (let i = 0; i < count; i++) {
      written++;
      const answer = await cluster.send(cluster.leader!, 'PUT', `/v1/kv/k${written % 5}`, `v${written}`);
      t.equal(answer.text, `{"revision":${written}}`);
    }
  };
  const [first, away] = [cluster.leader!, cluster.followers[0]!];
  const other = cluster.followers[1]!;
  const onLeader = await Reader.open(cluster, first, 'prefix=');
  const onAway = await Reader.open(cluster, away, 'prefix=&from=1');
  await write(10);
  world.isolated.add(String(away));
  await write(120);
  await world.until('the leader tells all', () => onLeader.revisions.at(-1) === written);
  t.ok(onAway.revisions.length < written);
  world.isolated.clear();
  await world.until('the one that was away tells all', () => onAway.revisions.at(-1) === written);
  t.ok(
    cluster.audits.get(away)!.some(({ type }) => type === 'snapshot'),
    'it was brought up by a snapshot',
  );
  t.same(onAway.revisions, upTo(written), 'in order, none missed, none twice');
  t.same(
    onAway.values,
    upTo(written).map((revision) => `v${revision}`),
  );
  cluster.crash(first);
  await world.until('another leads', () => cluster.leader !== undefined);
  await write(10);
  const resumed = await Reader.open(cluster, other, `prefix=&from=${onLeader.revisions.at(-1)! + 1}`);
  await write(10);
  await world.until('both tell all', () => [resumed, onAway].every(({ revisions }) => revisions.at(-1) === written));
  t.same([...onLeader.revisions, ...resumed.revisions], upTo(written), 'gone on elsewhere as if nothing had been');
  t.same(onAway.revisions, upTo(written), 'and who stayed connected saw the same');
  onAway.close();
  const { length } = onAway.text;
  await write(1);
  await world.pass(20_000);
  t.equal(onAway.text.length, length, 'nothing after the reader has gone');
  t.ok(resumed.text.endsWith('\n\n:\n\n'), 'a sign of life in silence');
});

t.test('a slow reader is bounded, told when it fell behind, and a compacted revision is refused', async (t) => {
  const cluster = await Cluster.start(1, 32);
  const reader = await Reader.open(cluster, 1, 'prefix=');
  reader.isReading = false;
  const value = 'x'.repeat(100);
  const steps = upTo(250).map((at) => ({ op: 'put', key: `k${at}`, value }));
  const body = `{"compare":[],"then":${JSON.stringify(steps)}}`;
  for (let i = 0; i < 80; i++) t.equal((await cluster.send(1, 'POST', '/v1/txn', body)).status, 200);
  t.ok(reader.mostUnread > 1024 * 1024);
  t.ok(reader.mostUnread < 1024 * 1024 + 512 * 300, `${reader.mostUnread} bytes wait for the slow reader`);
  t.same(reader.revisions, upTo(reader.revisions.length), 'what it got is whole and in order');
  t.notOk(reader.isEnded);
  reader.unread = 0;
  reader.isReading = true;
  await cluster.world.until('it is told', () => reader.isEnded);
  t.match(reader.text, /event: too-slow\ndata: \{"compactedRevision":40\}\n\n$/);
  const refused = await cluster.send(1, 'GET', '/v1/watch?prefix=&from=40');
  t.equal(refused.status, 404);
  t.equal(refused.json().error, 'compacted');
  t.match(refused.text, /41 is the oldest/);
  const resumed = await Reader.open(cluster, 1, 'key=k7&from=41');
  await cluster.world.until('all that is kept', () => resumed.revisions.at(-1) === 80);
  t.equal(resumed.revisions.length, 40);
});

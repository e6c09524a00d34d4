import t from 'tap';
import { PortError } from '../ports.ts';
import { type Entry, EntryType, type HardState, type SnapshotMetadata } from '../raft/index.ts';
import { CorruptStorageError, type LogBatch, type OpenedStorage, openStorage } from './index.ts';
import { TestingDisk } from './testing-disk.ts';

const SEGMENT_BYTES = 16 * 1024;
const OPTIONS = { clusterId: 'test', nodeId: 1, segmentBytes: SEGMENT_BYTES };

/** A small seeded generator (mulberry32): a failing seed is named by its test and fails again. */
function seeded(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

function metadata(index: number, term: number): SnapshotMetadata {
  const confState = { voters: [1, 2, 3], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  return { index, term, confState };
}

/** What the disk should say: the naive log that the real one is compared with. */
interface Model {
  readonly entries: readonly Entry[];
  readonly snapshotIndex: number;
  readonly hardState: HardState;
}

const EMPTY: Model = { entries: [], snapshotIndex: 0, hardState: { term: 0, vote: 0, commit: 0 } };

function apply(model: Model, batch: LogBatch): Model {
  const snapshotIndex = batch.snapshot?.index ?? model.snapshotIndex;
  const first = batch.entries[0]?.index ?? Number.POSITIVE_INFINITY;
  const before = batch.snapshot === undefined ? model.entries.filter((entry) => entry.index < first) : [];
  return {
    entries: [...before, ...batch.entries],
    snapshotIndex,
    hardState: batch.hardState ?? model.hardState,
  };
}

function lastIndex(model: Model): number {
  return model.entries.at(-1)?.index ?? model.snapshotIndex;
}

/** As the node gets it; entries as text, so that a difference can be read. */
function shown(model: Model): unknown {
  const commit = Math.max(model.hardState.commit, model.snapshotIndex);
  return {
    hardState: { ...model.hardState, commit },
    snapshotIndex: model.snapshotIndex,
    entries: model.entries.filter((entry) => entry.index > model.snapshotIndex).map(showEntry),
  };
}

function showEntry({ index, term, type, data }: Entry): string {
  return `${index}@${term}/${type} ${data.length} ${data.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7)}`;
}

/** Whatever a snapshot holds is read to its end, and kept nowhere. */
function open(disk: TestingDisk, options = OPTIONS): Promise<OpenedStorage> {
  return openStorage(disk, options, async ({ next }) => {
    while ((await next()) !== undefined);
  });
}

function asModel(opened: OpenedStorage): Model {
  return {
    entries: opened.entries,
    snapshotIndex: opened.snapshot?.index ?? 0,
    hardState: opened.hardState,
  };
}

function randomBatch(random: (bound: number) => number, model: Model): LogBatch {
  const last = lastIndex(model);
  const { commit } = model.hardState;
  const term = model.hardState.term + (random(4) === 0 ? 1 : 0);
  const lowest = Math.max(commit, model.snapshotIndex) + 1;
  let index = random(4) === 0 ? lowest + random(last + 2 - lowest) : last + 1;
  const entries: Entry[] = [];
  for (let left = random(6); left > 0; left--) {
    const data = new Uint8Array(random(8) === 0 ? random(3000) : random(60));
    // Zeros are what an unwritten sector looks like.
    if (random(2) === 0) data.fill(1 + random(255));
    entries.push({ term: Math.max(term, 1), index: index++, type: EntryType.Normal, data });
  }
  const end = entries.at(-1)?.index ?? last;
  const hardState =
    random(2) === 0
      ? { term: Math.max(term, 1), vote: random(4), commit: commit + random(end - commit + 1) }
      : undefined;
  return { entries, hardState, snapshot: undefined };
}

function appended(opened: OpenedStorage, batch: LogBatch): Promise<void> {
  return new Promise((resolve, reject) => {
    opened.log.append(batch, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

function marked(opened: OpenedStorage, snapshot: SnapshotMetadata): Promise<void> {
  return new Promise((resolve, reject) => {
    opened.log.markSnapshot(snapshot, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

async function writeSnapshot(opened: OpenedStorage, snapshot: SnapshotMetadata): Promise<void> {
  const writer = await opened.snapshots.create(snapshot);
  await writer.write(new Uint8Array(700).fill(snapshot.index));
  await writer.write(new Uint8Array(900).fill(snapshot.term));
  await writer.finish();
}

/** Writes random batches and snapshots until the power is cut or `rounds` are over. */
class Workload {
  /** States[k]: after k steps. */
  readonly states: Model[];
  acknowledged = 0;
  private readonly opened: OpenedStorage;
  private readonly random: (bound: number) => number;

  constructor(opened: OpenedStorage, model: Model, random: (bound: number) => number) {
    this.opened = opened;
    this.states = [model];
    this.random = random;
  }

  get model(): Model {
    return this.states.at(-1)!;
  }

  async run(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const waits: Promise<void>[] = [];
      for (let count = 1 + this.random(6); count > 0; count--)
        waits.push(this.append(randomBatch(this.random, this.model)));
      await Promise.all(waits);
      if (this.random(6) === 0) await this.snapshot();
      if (this.random(20) === 0) await this.install();
    }
  }

  append(batch: LogBatch): Promise<void> {
    this.states.push(apply(this.model, batch));
    const place = this.states.length - 1;
    return appended(this.opened, batch).then(() => {
      if (place !== this.acknowledged + 1) throw new Error('called back out of order');
      this.acknowledged = place;
    });
  }

  private async snapshot(): Promise<void> {
    const { commit } = this.model.hardState;
    if (commit <= this.model.snapshotIndex) return;
    const entry = this.model.entries.find(({ index }) => index === commit)!;
    const snapshot = metadata(commit, entry.term);
    await writeSnapshot(this.opened, snapshot);
    this.states.push({ ...this.model, snapshotIndex: commit });
    const place = this.states.length - 1;
    await marked(this.opened, snapshot);
    this.acknowledged = place;
    await this.opened.snapshots.purge(2);
    await this.opened.log.purge(this.opened.snapshots.list()[0]!.index);
  }

  private async install(): Promise<void> {
    const { term } = this.model.hardState;
    const snapshot = metadata(lastIndex(this.model) + 1 + this.random(9), term + 1);
    await writeSnapshot(this.opened, snapshot);
    await this.append({ snapshot, entries: [], hardState: { term: term + 1, vote: 0, commit: snapshot.index } });
    await this.opened.snapshots.purge(2);
  }
}

t.test('after a power cut at any step, what was acknowledged is there and nothing is half there', async (t) => {
  let repairs = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    let disk = new TestingDisk(random);
    let model = EMPTY;
    for (let life = 0; life < 6; life++) {
      disk.cutAt = 20 + random(400);
      const cut = disk.whenCut();
      let workload: Workload | undefined;
      const running = (async () => {
        const opened = await open(disk);
        workload = new Workload(opened, model, random);
        await workload.run(200);
      })();
      await Promise.race([cut, running]);
      disk = disk.reboot();
      const opened = await open(disk);
      repairs += opened.repairs.length;
      const found = JSON.stringify(shown(asModel(opened)));
      const candidates = workload === undefined ? [model] : workload.states.slice(workload.acknowledged);
      const match = candidates.find((state) => JSON.stringify(shown(state)) === found);
      if (match === undefined) {
        t.fail(`seed ${seed}, life ${life}: none of the ${candidates.length} states that may be there`, {
          found: JSON.parse(found),
          wanted: candidates.map(shown),
        });
        return;
      }
      model = { ...match, entries: match.entries.filter((entry) => entry.index > match.snapshotIndex) };
      await opened.log.close();
    }
  }
  t.ok(repairs > 20, `torn tails were met and cut: ${repairs}`);
});

function entry(index: number, term: number, bytes = 20): Entry {
  return { index, term, type: EntryType.Normal, data: new Uint8Array(bytes).fill(1 + ((index * 7 + term) % 255)) };
}

/** Puts entries from..to into a log, ten a batch. */
async function fill(opened: OpenedStorage, from: number, to: number, term = 1, bytes = 20): Promise<void> {
  for (let first = from; first <= to; first += 10) {
    const entries: Entry[] = [];
    for (let index = first; index <= Math.min(to, first + 9); index++) entries.push(entry(index, term, bytes));
    const hardState = { term, vote: 1, commit: entries.at(-1)!.index };
    await appended(opened, { entries, hardState, snapshot: undefined });
  }
}

async function reopened(disk: TestingDisk): Promise<OpenedStorage> {
  const opened = await open(disk);
  await opened.log.close();
  return opened;
}

t.test('a flipped bit anywhere is noticed or does no harm', async (t) => {
  const counts = { refused: 0, harmless: 0, fallback: 0 };
  for (let seed = 1; seed <= 150; seed++) {
    const random = seeded(seed);
    const disk = new TestingDisk(random);
    const opened = await open(disk);
    const workload = new Workload(opened, EMPTY, random);
    await workload.run(10);
    await opened.log.close();
    const { model } = workload;
    const files = disk.paths();
    const path = files[random(files.length)]!;
    const bytes = disk.bytes(path);
    let written = bytes.length;
    while (written > 0 && bytes[written - 1] === 0) written--;
    // Half of the flips hit what was written, the others the zeros after it.
    const at = written > 0 && random(4) > 0 ? random(written) : random(bytes.length);
    disk.tamper(path, (all) => {
      all[at]! ^= 1 << random(8);
    });
    try {
      const found = await reopened(disk);
      const index = found.snapshot?.index ?? 0;
      if (index < model.snapshotIndex) {
        counts.fallback++;
        t.match(found.repairs, [{ file: path }], 'an older snapshot stood in, and it was said');
      } else counts.harmless++;
      const wanted = model.entries.filter((one) => one.index > model.snapshotIndex).map(showEntry);
      const entries = found.entries.filter((one) => one.index > model.snapshotIndex).map(showEntry);
      if (!t.strictSame(entries, wanted, `seed ${seed}: ${path} at ${at}`)) return;
      const { commit: _, ...votes } = model.hardState;
      t.match(found.hardState, votes);
    } catch (error) {
      if (!(error instanceof CorruptStorageError)) throw error;
      counts.refused++;
    }
  }
  t.ok(counts.refused > 40 && counts.harmless > 10, JSON.stringify(counts));
});

t.test('a damaged last frame is refused, not cut off, even when its data are zeros', async (t) => {
  for (const data of [new Uint8Array(3000), new Uint8Array(3000).fill(5)]) {
    const disk = new TestingDisk(seeded(1));
    const opened = await open(disk);
    await fill(opened, 1, 20);
    await appended(opened, {
      entries: [{ index: 21, term: 1, type: EntryType.Normal, data }],
      hardState: undefined,
      snapshot: undefined,
    });
    await opened.log.close();
    const path = disk.paths().find((name) => name.endsWith('.wal'))!;
    const end = disk.bytes(path).findLastIndex((byte) => byte !== 0);
    for (const at of [end - 10, end - 1500, end - 2900]) {
      disk.tamper(path, (bytes) => {
        bytes[at]! ^= 4;
      });
      await t.rejects(reopened(disk), { name: 'CorruptStorageError', file: path });
      disk.tamper(path, (bytes) => {
        bytes[at]! ^= 4;
      });
    }
    // The same frame with a sector that never reached the disk is a torn write.
    disk.tamper(path, (bytes) =>
      bytes.fill(0, 512 * Math.floor((end - 1500) / 512), 512 * Math.floor((end - 900) / 512)),
    );
    const found = await reopened(disk);
    t.equal(found.entries.at(-1)?.index, 20);
    t.match(found.repairs, [{ file: path, message: /torn tail/ }]);
    t.ok(disk.bytes(found.repairs[0]!.keptAside).length > 1000, 'it is kept aside');
    t.equal((await reopened(disk)).repairs.length, 0, 'once');
  }
});

t.test('a lost sector or segment that had been acknowledged is refused', async (t) => {
  const disk = new TestingDisk(seeded(2));
  const opened = await open(disk);
  await fill(opened, 1, 900, 1, 40);
  await opened.log.close();
  const segments = disk.paths().filter((name) => name.endsWith('.wal'));
  t.ok(segments.length > 2);
  for (const path of segments) {
    const before = disk.bytes(path).slice();
    disk.tamper(path, (bytes) => bytes.fill(0, 2048, 2560));
    await t.rejects(reopened(disk), { name: 'CorruptStorageError', file: path }, path);
    disk.tamper(path, (bytes) => bytes.set(before));
  }
  const sealed = segments[0]!;
  const whole = disk.bytes(sealed).slice();
  // The last frame of a sealed segment vanishes without a trace: the next segment knows of it.
  const frame =
    32 * Math.floor(whole.findLastIndex((_, at) => at % 32 === 0 && whole[at] === 0x42 && whole[at + 1] === 0x53) / 32);
  disk.tamper(sealed, (bytes) => bytes.fill(0, frame));
  await t.rejects(reopened(disk), { message: /a durable part of the log is missing/ });
  disk.tamper(sealed, (bytes) => bytes.set(whole));
  const end = whole.findLastIndex((byte) => byte !== 0);
  disk.tamper(sealed, (bytes) => bytes.fill(0, 512 * Math.floor(end / 512)));
  await t.rejects(reopened(disk), { file: sealed, message: /the log went on after it/ });
  disk.tamper(sealed, (bytes) => bytes.set(whole));
  await disk.remove(segments[1]!);
  await t.rejects(reopened(disk), { file: segments[1], message: /missing/ });
});

t.test('a log whose end was cut off is refused, also between two frames', async (t) => {
  const filled = async () => {
    const disk = new TestingDisk(seeded(3));
    const opened = await open(disk);
    await fill(opened, 1, 10);
    await opened.log.close();
    const path = disk.paths().find((name) => name.endsWith('.wal'))!;
    return { disk, path, end: disk.bytes(path).findLastIndex((byte) => byte !== 0) };
  };
  const { end } = await filled();
  for (let length = 0; length < end + 64; length += 16) {
    const { disk, path } = await filled();
    await (await disk.open(path, 'write')).truncate(length);
    await t.rejects(reopened(disk), { name: 'CorruptStorageError', file: path }, `${length} of ${end}`);
  }
});

t.test('what a restart has read, a later power cut does not take back', async (t) => {
  let unsynced = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const disk = new TestingDisk(seeded(seed));
    const opened = await open(disk);
    await fill(opened, 1, 5);
    disk.fault = (operation, path) =>
      operation === 'sync' && path.endsWith('.wal') ? new PortError('EIO', 'sync') : undefined;
    const batch = { entries: [entry(6, 1, 2000)], hardState: { term: 7, vote: 2, commit: 5 }, snapshot: undefined };
    await t.rejects(appended(opened, batch), { code: 'EIO' });
    disk.fault = () => undefined;
    const restarted = await open(disk);
    if (restarted.entries.length === 6) unsynced++;
    // It may tell a leader of entry 6, and whom it voted for, without writing anything more.
    const found = await reopened(disk.reboot());
    t.strictSame(found.entries.map(showEntry), restarted.entries.map(showEntry));
    t.strictSame(found.hardState, restarted.hardState);
  }
  t.ok(unsynced > 10, `${unsynced} of 20`);
});

t.test("another node's or cluster's log is refused", async (t) => {
  const disk = new TestingDisk(seeded(3));
  await fill(await open(disk), 1, 3);
  await t.rejects(open(disk, { ...OPTIONS, nodeId: 2 }), { message: /belongs to node 1 of cluster test/ });
  await t.rejects(open(disk, { ...OPTIONS, clusterId: 'other' }), { message: /--cluster-id/ });
});

t.test('a failed sync is final: everybody is told, and nothing is written again', async (t) => {
  const disk = new TestingDisk(seeded(4));
  const opened = await open(disk);
  await fill(opened, 1, 5);
  let syncs = 0;
  disk.fault = (operation, path) =>
    operation === 'sync' && path.endsWith('1.wal') && syncs++ === 0 ? new PortError('EIO', 'sync') : undefined;
  const told: string[] = [];
  const tell = (name: string) => (error: PortError | undefined) => told.push(`${name} ${error?.code}`);
  for (let at = 0; at < 4; at++) {
    opened.log.append({ entries: [entry(6 + at, 1)], hardState: undefined, snapshot: undefined }, tell(`${at}`));
  }
  while (opened.log.state === 'ready') await new Promise(setImmediate);
  t.equal(opened.log.state, 'failed');
  for (let left = 50; left > 0; left--) await new Promise(setImmediate);
  t.ok(syncs <= 2, 'at most the other write that was in flight was synced');
  t.equal(told.length, 4);
  t.ok(told.filter((text) => text.endsWith('EIO')).length >= 3, told.join(', '));
  const late = await new Promise((resolve) => opened.log.append({ ...NOTHING }, resolve));
  t.match(late, { code: 'EIO' });
  opened.log.retry();
  t.equal(opened.log.state, 'failed');
});

const NOTHING: LogBatch = { entries: [], hardState: undefined, snapshot: undefined };

t.test('a full disk keeps batches waiting, in order, and recovers when there is room', async (t) => {
  for (const where of ['next.tmp', '.wal']) {
    const disk = new TestingDisk(seeded(5));
    const opened = await open(disk);
    await fill(opened, 1, 10);
    let full = true;
    disk.fault = (operation, path) =>
      full && operation === 'write' && path.endsWith(where) ? new PortError('ENOSPC', 'full') : undefined;
    const told: number[] = [];
    for (let index = 11; index <= 14; index++) {
      // Too large for what is left of the segment, and of the one that was made ahead.
      const batch = { entries: [entry(index, 1, 30_000)], hardState: undefined, snapshot: undefined };
      opened.log.append(batch, (error) => told.push(error === undefined ? index : -1));
    }
    while (opened.log.state === 'ready') await new Promise(setImmediate);
    t.equal(opened.log.state, 'no-space');
    for (let tries = 0; tries < 3; tries++) {
      opened.log.retry();
      for (let left = 50; left > 0; left--) await new Promise(setImmediate);
      t.equal(opened.log.state, 'no-space', 'still');
    }
    t.strictSame(told, []);
    full = false;
    opened.log.retry();
    await appended(opened, { ...NOTHING, hardState: { term: 2, vote: 2, commit: 14 } });
    t.equal(opened.log.state, 'ready');
    t.strictSame(told, [11, 12, 13, 14]);
    await opened.log.close();
    const found = await reopened(disk);
    t.equal(found.entries.length, 14);
    t.strictSame(found.hardState, { term: 2, vote: 2, commit: 14 });
  }
});

t.test('old segments and snapshots go, but never one in use, and a restart finds the rest', async (t) => {
  const disk = new TestingDisk(seeded(6));
  const opened = await open(disk);
  const paths = (suffix: string) => disk.paths().filter((name) => name.endsWith(suffix));
  for (let round = 1; round <= 4; round++) {
    await fill(opened, 1 + 500 * (round - 1), 500 * round);
    await writeSnapshot(opened, metadata(500 * round, 1));
    await marked(opened, metadata(500 * round, 1));
  }
  const before = paths('.wal').length;
  const reader = await opened.snapshots.open({ index: 500, term: 1 });
  const release = opened.snapshots.hold(1000, 1);
  await opened.snapshots.purge(1);
  t.strictSame(
    opened.snapshots.list().map(({ index }) => index),
    [500, 1000, 2000],
  );
  t.equal((await reader!.next())?.length, 700, 'it can still be read');
  await reader!.close();
  release();
  release();
  await opened.snapshots.purge(1);
  t.equal(paths('.snapshot').length, 1);
  t.equal(await opened.snapshots.open({ index: 500, term: 1 }), undefined);
  await opened.log.purge(1900);
  t.ok(paths('.wal').length < before);
  await fill(opened, 2001, 2010);
  await t.rejects(opened.log.purge(2005), { name: 'InvariantViolation' });
  await opened.log.close();
  const found = await reopened(disk);
  t.equal(found.snapshot?.index, 2000);
  t.strictSame(
    found.entries.map(({ index }) => index),
    [2001, 2002, 2003, 2004, 2005, 2006, 2007, 2008, 2009, 2010],
  );
  t.strictSame(found.hardState, { term: 1, vote: 1, commit: 2010 });
  for (const path of paths('.snapshot')) await disk.remove(path);
  await t.rejects(reopened(disk), { message: /no readable snapshot reaches that far/ });
});

t.test('a snapshot file counts only once the log speaks of it; a damaged one is replaced by an older', async (t) => {
  const disk = new TestingDisk(seeded(7));
  const opened = await open(disk);
  await fill(opened, 1, 60);
  for (const index of [20, 40]) {
    await writeSnapshot(opened, metadata(index, 1));
    await marked(opened, metadata(index, 1));
  }
  await writeSnapshot(opened, metadata(60, 1));
  const begun = await opened.snapshots.create(metadata(61, 1));
  await begun.write(new Uint8Array(10));
  const dropped = await opened.snapshots.create(metadata(62, 1));
  await dropped.abort();
  await opened.log.close();
  const found = await reopened(disk);
  t.equal(found.snapshot?.index, 40);
  t.equal(found.entries[0]?.index, 41);
  const snapshots = disk.paths().filter((name) => name.startsWith('snapshots/'));
  t.equal(snapshots.length, 2, 'leftovers are removed');
  disk.tamper(snapshots[1]!, (bytes) => {
    bytes[900]! ^= 1;
  });
  const older = await reopened(disk);
  t.equal(older.snapshot?.index, 20);
  t.equal(older.entries.length, 40);
  t.match(older.repairs, [{ file: snapshots[1], message: /wrong checksum/ }]);
});

t.test('entries cut off below a snapshot do not come back (etcd#22442)', async (t) => {
  const disk = new TestingDisk(seeded(8));
  const opened = await open(disk);
  await fill(opened, 1, 10);
  // A new leader cut the log at 5; its entries up to 7 became a snapshot; 8 to 10 of the old term are dead.
  await appended(opened, {
    entries: [entry(5, 2), entry(6, 2), entry(7, 2)],
    hardState: { term: 2, vote: 0, commit: 7 },
    snapshot: undefined,
  });
  await writeSnapshot(opened, metadata(7, 2));
  await marked(opened, metadata(7, 2));
  await opened.log.close();
  const found = await reopened(disk);
  t.strictSame(found.entries, []);
  t.equal(found.snapshot?.index, 7);
});

t.test('a segment that was begun but never written to belongs to the log', async (t) => {
  const disk = new TestingDisk(seeded(9));
  const opened = await open(disk);
  await fill(opened, 1, 400);
  await writeSnapshot(opened, metadata(400, 1));
  await marked(opened, metadata(400, 1));
  await opened.log.close();
  const last = disk.paths().findLast((name) => name.endsWith('.wal'))!;
  const next = `wal/${(Number.parseInt(last.slice(4, 20), 16) + 1).toString(16).padStart(16, '0')}.wal`;
  const file = await disk.open(next, 'create');
  await file.write(0, [new Uint8Array(SEGMENT_BYTES)]);
  await file.datasync();
  await disk.syncDirectory('wal');
  const again = await open(disk);
  await again.log.purge(400);
  t.ok(disk.paths().includes(last), 'what it says is nowhere else yet');
  await fill(again, 401, 402, 2);
  await again.log.purge(400);
  t.notOk(disk.paths().includes(last));
  await again.log.close();
  const found = await reopened(disk);
  t.strictSame(
    found.entries.map(({ index }) => index),
    [401, 402],
  );
  t.strictSame(found.hardState, { term: 2, vote: 1, commit: 402 });
});

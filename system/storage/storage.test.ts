import t from 'tap';
import { type Entry, EntryType, type HardState, type SnapshotMetadata } from '../raft/index.ts';
import { type LogBatch, type OpenedStorage, openStorage } from './index.ts';
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

function asModel(opened: OpenedStorage): Model {
  return {
    entries: opened.entries,
    snapshotIndex: opened.snapshot?.metadata.index ?? 0,
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
      for (let count = 1 + this.random(3); count > 0; count--)
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
        const opened = await openStorage(disk, OPTIONS);
        workload = new Workload(opened, model, random);
        await workload.run(200);
      })();
      await Promise.race([cut, running]);
      disk = disk.reboot();
      const opened = await openStorage(disk, OPTIONS);
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
      await opened.snapshot?.close();
      await opened.log.close();
    }
  }
  t.ok(repairs > 20, `torn tails were met and cut: ${repairs}`);
});

import type { MemoryStorage, SnapshotMetadata } from '../raft/index.ts';
import { NO_DATA } from '../raft/index.ts';
import type { OpenedStorage } from '../storage/index.ts';
import type { Replica } from './replica.ts';

/** Snapshot files kept: the newest, and one to fall back to when it is damaged. */
const filesKept = 2;

/** A snapshot waits for as many entries that none pays for writing more keys than this, however many the store holds. */
const keysPerEntryMax = 4;

/** Entries kept in memory behind a snapshot for followers that lag; who lags more is sent the snapshot. */
const marginEntriesMax = 10_000;

/** Who is told what becomes of snapshots. */
interface SnapshotWatcher {
  begun(index: number): void;
  failed(error: unknown): void;
}

/**
 * Makes snapshots of the node's own state beside the loop, one at a time, and lets go of the log behind them: in memory
 * up to a margin for followers that lag, on disk up to the older snapshot that is kept to fall back to.
 */
export class Snapshotter {
  readonly #replica: Replica;
  readonly #storage: OpenedStorage;
  readonly #memory: MemoryStorage;
  readonly #everyEntries: number;
  readonly #watcher: SnapshotWatcher;
  #index: number;
  /** After a failure (a full disk) the next try waits for this index. */
  #nextTry = 0;
  #working: Promise<boolean> | undefined;

  constructor(
    replica: Replica,
    storage: OpenedStorage,
    memory: MemoryStorage,
    everyEntries: number,
    watcher: SnapshotWatcher,
  ) {
    this.#replica = replica;
    this.#storage = storage;
    this.#memory = memory;
    this.#everyEntries = everyEntries;
    this.#watcher = watcher;
    this.#index = storage.snapshot?.index ?? 0;
  }

  /** Index of the newest snapshot, made here or installed. */
  get index(): number {
    return this.#index;
  }

  /** A snapshot of a peer took the place of our state. */
  installed(index: number): void {
    this.#index = index;
  }

  /** Begins one when enough was applied since the last; called after entries were applied. */
  applied(): void {
    const { appliedIndex } = this.#replica;
    if (this.#working !== undefined || appliedIndex < this.#nextTry) return;
    const entries = appliedIndex - this.#index;
    if (entries < this.#everyEntries || entries * keysPerEntryMax < this.#replica.store.size) return;
    void this.#work(Math.min(this.#everyEntries, marginEntriesMax));
  }

  /**
   * Makes one now, after the one that is being made, and lets go of the whole log behind it: a follower that lags by
   * one entry is sent the snapshot.
   * @returns the index of the newest; undefined when it failed
   */
  async take(): Promise<number | undefined> {
    while (this.#working !== undefined) await this.#working;
    const isNew = this.#replica.appliedIndex > this.#index;
    return isNew && !(await this.#work(0)) ? undefined : this.#index;
  }

  /** @returns whether it succeeded */
  #work(marginEntries: number): Promise<boolean> {
    const { appliedIndex } = this.#replica;
    this.#working = this.#make(marginEntries)
      .then(
        () => true,
        (error: unknown) => {
          this.#nextTry = appliedIndex + Math.ceil(this.#everyEntries / 4);
          this.#watcher.failed(error);
          return false;
        },
      )
      .finally(() => {
        this.#working = undefined;
      });
    return this.#working;
  }

  /** Waits for the one that is being made. */
  async close(): Promise<void> {
    await this.#working;
  }

  async #make(marginEntries: number): Promise<void> {
    const { log, snapshots } = this.#storage;
    const { appliedIndex: index, appliedTerm: term, membership } = this.#replica;
    const metadata: SnapshotMetadata = { index, term, confState: membership.confState };
    this.#watcher.begun(index);
    const view = this.#replica.store.view();
    const nodeState = this.#replica.encodeNodeState();
    const writer = await snapshots.create(metadata);
    try {
      await writer.write(nodeState);
      const chunks = view.chunks();
      for (let chunk = chunks.next(); !chunk.done; chunk = chunks.next()) await writer.write(chunk.value);
      // A peer's newer snapshot arrived meanwhile: ours would only turn the log back.
      if (this.#index >= index) return await writer.abort();
      await writer.finish();
    } catch (error) {
      await writer.abort().catch(() => {});
      throw error;
    }
    if (this.#index >= index) return;
    await new Promise<void>((resolve, reject) => {
      log.markSnapshot(metadata, (error) => (error === undefined ? resolve() : reject(error)));
    });
    if (this.#index >= index) return;
    this.#index = index;
    this.#memory.createSnapshot(index, metadata.confState, NO_DATA);
    const margin = index - marginEntries;
    if (margin >= this.#memory.firstIndex()) this.#memory.compact(margin);
    await snapshots.purge(filesKept);
    const oldest = snapshots.list()[0];
    if (oldest !== undefined) await log.purge(Math.min(oldest.index, margin));
  }
}

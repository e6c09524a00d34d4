import type { FileSystem } from '../ports.ts';
import type { Entry, HardState } from '../raft/index.ts';
import type { SnapshotFiles, SnapshotReader } from './snapshot-files.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';

export interface StorageOptions {
  /** A log or snapshot of another cluster or node is refused. */
  readonly clusterId: string;
  readonly nodeId: number;
  /** Of one log segment, filled with zeros ahead. */
  readonly segmentBytes?: number;
  /** Batches with the disk at once. */
  readonly inFlightMax?: number;
}

/** Something that was mended at start: a torn tail that was cut, a damaged snapshot that an older one stood in for. */
export interface Repair {
  readonly file: string;
  readonly offset: number;
  readonly message: string;
  /** Where what was cut is kept. */
  readonly keptAside: string | undefined;
}

/** All that the disk knows. */
export interface OpenedStorage {
  readonly log: WriteAheadLog;
  readonly snapshots: SnapshotFiles;
  /** All 0 for a new log. */
  readonly hardState: HardState;
  /** The state to restore first; the caller reads and closes it. */
  readonly snapshot: SnapshotReader | undefined;
  /** All entries after the snapshot, without a gap. */
  readonly entries: readonly Entry[];
  readonly repairs: readonly Repair[];
}

/**
 * Opens or makes the log (`wal/`) and the snapshot files (`snapshots/`).
 * @throws CorruptStorageError what was once durable is damaged, or belongs to another node
 */
export function openStorage(_fileSystem: FileSystem, _options: StorageOptions): Promise<OpenedStorage> {
  throw new Error('not yet');
}

/** The write-ahead log and the snapshot files. Start with `openStorage`. */
export { type OpenedStorage, openStorage, type Repair, type StorageOptions } from './open-storage.ts';
export type { SnapshotFiles, SnapshotId, SnapshotReader, SnapshotWriter } from './snapshot-files.ts';
export { CorruptStorageError } from './storage-error.ts';
export type { Appended, LogBatch, LogState, WriteAheadLog } from './write-ahead-log.ts';

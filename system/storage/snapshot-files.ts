import type { SnapshotMetadata } from '../raft/index.ts';

/** Writes one snapshot file: from our own state, or as it comes from a peer. One call at a time. */
export interface SnapshotWriter {
  readonly metadata: SnapshotMetadata;
  /** The chunk must not be changed before the promise resolves: await it, so that memory stays bounded. */
  write(chunk: Uint8Array): Promise<void>;
  /** Syncs the file, gives it its name, syncs the directory: durable when it resolves. */
  finish(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

/** Reads one snapshot file, which is not purged before `close`. */
export interface SnapshotReader {
  readonly metadata: SnapshotMetadata;
  /** Of all chunks together. */
  readonly stateBytes: number;
  /** The next chunk as it was written; undefined at the end. @throws CorruptStorageError */
  next(): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

export interface SnapshotFiles {
  create(metadata: SnapshotMetadata): Promise<SnapshotWriter>;
  /** Undefined when there is no such file. */
  open(metadata: SnapshotMetadata): Promise<SnapshotReader | undefined>;
  /** Newest last. */
  list(): readonly { readonly index: number; readonly term: number }[];
  /**
   * Keeps the file until the returned function is called: for the time between promising a follower a snapshot
   * and opening it (etcd#18055).
   */
  hold(index: number, term: number): () => void;
  /** Removes all but the newest `keep` files and those that are held or being read. */
  purge(keep: number): Promise<void>;
}

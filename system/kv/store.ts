import type { ByteString } from './byte-string.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import type { Item, Outcome, RangeResult } from './result.ts';
import type { Watcher, WatchFilter } from './watch.ts';

/** Where and what to read. */
export interface RangeQuery {
  readonly from: ByteString;
  /** Exclusive; without it, to the last key. */
  readonly to?: ByteString;
  /** At most this many items. */
  readonly limit: number;
  /** Read as of this revision; without it, the current one. */
  readonly revision?: number;
}

/** The state as of one applied index, to be carried elsewhere. Applying goes on meanwhile; the view does not change. */
export interface StateView {
  readonly appliedIndex: number;
  readonly revision: number;
  readonly hash: string;
  /** The state as bytes, in pieces of at most SNAPSHOT_CHUNK_BYTES, each made (about a millisecond) when asked for. */
  chunks(): Iterator<Uint8Array, undefined>;
}

/** Builds a state from the bytes of a view; however they were cut into pieces. */
export interface Restore {
  /** @throws SnapshotError when the bytes are not a state's */
  add(chunk: Uint8Array): void;
  /**
   * Puts the state in place of the store's own.
   * @throws SnapshotError when bytes are missing or the state does not have the hash that it was saved with
   */
  finish(): void;
}

/** Bytes that are no snapshot of this version and these limits, or a damaged one. */
export class SnapshotError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SnapshotError';
  }
}

/** The replicated state machine: a multi-version key-value store with sessions (as etcd's mvcc, and thesis 6.3). */
export class Store {
  readonly limits: Limits;
  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.limits = limits;
  }
  /** Log index of the last entry applied: part of the state. */
  get appliedIndex(): number {
    throw new Error('not yet');
  }
  /** Rises by one with each command that changes a key. */
  get revision(): number {
    throw new Error('not yet');
  }
  /** Reads and watches reach back to this revision; 0 when nothing was forgotten yet. */
  get compactedRevision(): number {
    throw new Error('not yet');
  }
  get size(): number {
    throw new Error('not yet');
  }
  /** 16 hex digits over the whole state, the same on every node at the same applied index. */
  hash(): string {
    throw new Error('not yet');
  }
  /**
   * Applies the entry of a client's command. `index` must follow the last applied one (invariant: no entry is
   * ever applied twice or left out). The bytes may be kept or changed by the caller afterwards.
   */
  apply(_index: number, _command: Uint8Array): Outcome {
    throw new Error('not yet');
  }
  /** Takes note of an entry that is no command: a new leader's empty one, a configuration change. */
  skip(_index: number): void {
    throw new Error('not yet');
  }
  /** The bytes belong to the store and must not be changed. */
  get(_key: ByteString): Item | undefined {
    throw new Error('not yet');
  }
  /** `compacted`: the revision is below compactedRevision; `future`: above the current one. */
  getAt(_key: ByteString, _revision: number): Item | undefined | 'compacted' | 'future' {
    throw new Error('not yet');
  }
  range(_query: RangeQuery): RangeResult | 'compacted' | 'future' {
    throw new Error('not yet');
  }
  /**
   * @param from the first revision wanted; undefined: what comes after now
   * @param wake called from inside `apply` or `finish` when there is something to take; then not again before
   *   `take` has answered with no events. At once-pending history shows by taking, not by a wake.
   */
  watch(_filter: WatchFilter, _from: number | undefined, _wake: () => void): Watcher | 'compacted' {
    throw new Error('not yet');
  }
  /** Constant time. */
  view(): StateView {
    throw new Error('not yet');
  }
  /** Watchers stay, and go on if the new state's history reaches back to where they are. */
  restore(): Restore {
    throw new Error('not yet');
  }
}

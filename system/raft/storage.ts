import type { Entry } from './entry.ts';
import type { ConfState, HardState, Snapshot } from './state.ts';

/** Why an index cannot be read: it lies before the first entry kept, or after the last. */
export type Unreadable = 'compacted' | 'unavailable';

/**
 * The stable log, as the core reads it: synchronously, so an implementation keeps it in memory (see
 * `MemoryStorage`). The core only reads; who handles the Ready writes. What the core gave out in a
 * StorageAppend must be readable here before the matching StorageAppendResp is stepped (in synchronous mode:
 * before `advance`).
 */
export interface Storage {
  /** Read once, at start. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /**
   * Entries of [from, to), cut so that they hold at most `maxBytes` (as `entryBytes` counts), but at least one
   * entry. The array is the caller's to keep; it is never changed afterwards.
   */
  entries(from: number, to: number, maxBytes: number): readonly Entry[] | Unreadable;
  /** Known for [firstIndex - 1, lastIndex]: the term before the first entry is kept for matching. */
  term(index: number): number | Unreadable;
  /** Index of the first entry kept, 1 + the snapshot's index when there is none. */
  firstIndex(): number;
  lastIndex(): number;
  /** The newest snapshot, for a follower that is too far behind; or not just now: the core asks again later. */
  snapshot(): Snapshot | 'temporarily-unavailable';
}

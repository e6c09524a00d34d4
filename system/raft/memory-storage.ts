import type { Entry } from './entry.ts';
import type { ConfState, HardState, Snapshot } from './state.ts';
import type { Storage, Unreadable } from './storage.ts';

/**
 * The stable log in memory: the whole of it for tests, and beside a log on disk for a real node (which appends
 * here what it has made durable there).
 */
export class MemoryStorage implements Storage {
  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    throw new Error('not yet');
  }
  entries(_from: number, _to: number, _maxBytes: number): readonly Entry[] | Unreadable {
    throw new Error('not yet');
  }
  term(_index: number): number | Unreadable {
    throw new Error('not yet');
  }
  firstIndex(): number {
    throw new Error('not yet');
  }
  lastIndex(): number {
    throw new Error('not yet');
  }
  snapshot(): Snapshot | 'temporarily-unavailable' {
    throw new Error('not yet');
  }
  setHardState(_hardState: HardState): void {
    throw new Error('not yet');
  }
  /** Appends; what lies at or after the first new entry is replaced. */
  append(_entries: readonly Entry[]): void {
    throw new Error('not yet');
  }
  /** Replaces everything by a snapshot from a peer. An older one than ours is refused: false. */
  applySnapshot(_snapshot: Snapshot): boolean {
    throw new Error('not yet');
  }
  /** Records a snapshot that this node made of its own state at `index`, which is not compacted. Keeps the log. */
  createSnapshot(_index: number, _confState: ConfState, _data: Uint8Array): Snapshot {
    throw new Error('not yet');
  }
  /** Forgets entries up to and including `index`, which must be applied. Its term is kept for matching. */
  compact(_index: number): void {
    throw new Error('not yet');
  }
}

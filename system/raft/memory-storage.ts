import { invariant } from '../assert.ts';
import { countWithin, type Entry } from './entry.ts';
import { type ConfState, EMPTY_CONF_STATE, EMPTY_HARD_STATE, type HardState, NONE, type Snapshot } from './state.ts';
import type { Storage, Unreadable } from './storage.ts';

/** `snapshot()` of a node that never made one: index 0. */
const NO_SNAPSHOT: Snapshot = {
  metadata: { index: NONE, term: 0, confState: EMPTY_CONF_STATE },
  data: new Uint8Array(0),
};

/**
 * The stable log in memory: the whole of it for tests, and beside a log on disk for a real node (which appends
 * here what it has made durable there).
 */
export class MemoryStorage implements Storage {
  #hardState: HardState = EMPTY_HARD_STATE;
  #snapshot: Snapshot = NO_SNAPSHOT;
  #entries: Entry[] = [];
  /** The entry just before the first one kept. */
  #compactedIndex = 0;
  #compactedTerm = 0;

  /** As of the snapshot: changes after it come again when the log is applied. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.metadata.confState };
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] | Unreadable {
    const first = this.firstIndex();
    if (from < first) return 'compacted';
    if (to > this.lastIndex() + 1) return 'unavailable';
    const entries = this.#entries.slice(from - first, to - first);
    const within = countWithin(entries, maxBytes);
    if (within < entries.length) entries.length = within;
    return entries;
  }

  term(index: number): number | Unreadable {
    const at = index - this.#compactedIndex;
    if (at === 0) return this.#compactedTerm;
    return at < 0 ? 'compacted' : (this.#entries[at - 1]?.term ?? 'unavailable');
  }

  firstIndex(): number {
    return this.#compactedIndex + 1;
  }

  lastIndex(): number {
    return this.#compactedIndex + this.#entries.length;
  }

  snapshot(): Snapshot | 'temporarily-unavailable' {
    return this.#snapshot;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** Appends; what lies at or after the first new entry is replaced. What is compacted already is skipped. */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const first = this.firstIndex();
    const from = entries[0]!.index;
    invariant(from <= this.lastIndex() + 1, 'a gap in the stable log', () => ({ from, lastIndex: this.lastIndex() }));
    const skipped = Math.max(0, first - from);
    if (skipped >= entries.length) return;
    this.#entries.length = from + skipped - first;
    for (let i = skipped; i < entries.length; i++) this.#entries.push(entries[i]!);
  }

  /** Replaces everything by a snapshot from a peer. One that is not newer than ours is refused: false. */
  applySnapshot(snapshot: Snapshot): boolean {
    const { index, term } = snapshot.metadata;
    if (index <= this.#snapshot.metadata.index) return false;
    this.#snapshot = snapshot;
    this.#entries = [];
    this.#compactedIndex = index;
    this.#compactedTerm = term;
    return true;
  }

  /** Records a snapshot that this node made of its own state at `index`, which is in the log. Keeps the log. */
  createSnapshot(index: number, confState: ConfState, data: Uint8Array): Snapshot {
    const term = this.term(index);
    invariant(index > this.#snapshot.metadata.index, 'an older snapshot than the one we have', () => ({
      index,
      have: this.#snapshot.metadata.index,
    }));
    invariant(typeof term === 'number', 'a snapshot at an index that is not in the log', () => ({ index, term }));
    this.#snapshot = { metadata: { index, term: term as number, confState }, data };
    return this.#snapshot;
  }

  /** Forgets entries up to and including `index`, which must be applied. Its term is kept for matching. */
  compact(index: number): void {
    if (index <= this.#compactedIndex) return;
    const term = this.term(index);
    invariant(typeof term === 'number', 'the log ends before the index to compact to', () => ({
      index,
      lastIndex: this.lastIndex(),
    }));
    this.#entries.splice(0, index - this.#compactedIndex);
    this.#compactedIndex = index;
    this.#compactedTerm = term as number;
  }
}

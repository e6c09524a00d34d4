import { invariant } from '../../assert.ts';
import { countWithin, type Entry, totalEntryBytes } from '../entry.ts';
import type { Snapshot } from '../state.ts';
import type { Storage, Unreadable } from '../storage.ts';
import { Unstable } from './unstable.ts';

const NO_ENTRIES: readonly Entry[] = [];

/**
 * The whole log of a node: what is in stable storage, then what is unstable; and how far it is committed, handed
 * out to be applied, and applied. Always: applied ≤ applying ≤ committed ≤ lastIndex.
 */
export class RaftLog {
  readonly #storage: Storage;
  readonly unstable: Unstable;
  readonly #maxApplyingBytes: number;
  #committed: number;
  #applying: number;
  #applied: number;
  #applyingBytes = 0;
  /** Enough is handed out: no more before some of it is applied. */
  #applyingPaused = false;

  /** @param maxApplyingBytes bound of the entries handed out and not yet applied */
  constructor(storage: Storage, maxApplyingBytes: number) {
    this.#storage = storage;
    this.unstable = new Unstable(storage.lastIndex() + 1);
    this.#maxApplyingBytes = maxApplyingBytes;
    const compacted = storage.firstIndex() - 1;
    this.#committed = compacted;
    this.#applying = compacted;
    this.#applied = compacted;
  }

  get committed(): number {
    return this.#committed;
  }

  get applied(): number {
    return this.#applied;
  }

  /** Index of the first entry that is still here. */
  firstIndex(): number {
    return this.unstable.firstIndex() ?? this.#storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.#storage.lastIndex();
  }

  lastTerm(): number {
    const term = this.term(this.lastIndex());
    invariant(typeof term === 'number', 'the term of the last entry is unknown', () => this.facts());
    return term as number;
  }

  term(index: number): number | Unreadable {
    const unstable = this.unstable.term(index);
    if (unstable !== undefined) return unstable;
    // The term just before the first entry is known too: it is needed to match what follows.
    if (index + 1 < this.firstIndex()) return 'compacted';
    if (index > this.lastIndex()) return 'unavailable';
    return this.#storage.term(index);
  }

  /** Is this entry in the log? */
  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Is a log that ends so at least as new as ours? (Raft paper, section 5.4.1.) */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const ourTerm = this.lastTerm();
    return lastTerm > ourTerm || (lastTerm === ourTerm && lastIndex >= this.lastIndex());
  }

  /** Entries of [from, …], at most `maxBytes` but at least one when there is any. */
  entries(from: number, maxBytes: number): readonly Entry[] | Unreadable {
    if (from > this.lastIndex()) return NO_ENTRIES;
    return this.slice(from, this.lastIndex() + 1, maxBytes);
  }

  /** Entries of [from, to), at most `maxBytes` but at least one. */
  slice(from: number, to: number, maxBytes: number): readonly Entry[] | Unreadable {
    if (from < this.firstIndex()) return 'compacted';
    invariant(from < to && to <= this.lastIndex() + 1, 'a slice out of bounds', () => ({ from, to, ...this.facts() }));
    const { offset } = this.unstable;
    if (from >= offset) {
      const entries = this.unstable.slice(from, to);
      const within = countWithin(entries, maxBytes);
      return within === entries.length ? entries : entries.slice(0, within);
    }
    const stableTo = Math.min(to, offset);
    const stable = this.#storage.entries(from, stableTo, maxBytes);
    if (typeof stable === 'string' || stableTo === to || from + stable.length < stableTo) return stable;
    // The storage gave all it was asked for, so there may be room for some of the unstable ones.
    const rest = this.unstable.slice(offset, to);
    const room = maxBytes - totalEntryBytes(stable);
    const within = room <= 0 ? 0 : countWithin(rest, room);
    if (within === 0 || (within === 1 && totalEntryBytes(rest.slice(0, 1)) > room)) return stable;
    return [...stable, ...(within === rest.length ? rest : rest.slice(0, within))];
  }

  /** The leader's own entries. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]!.index;
    invariant(first > this.#committed, 'a committed entry would be overwritten', () => ({ first, ...this.facts() }));
    invariant(first <= this.lastIndex() + 1, 'a gap in the log', () => ({ first, ...this.facts() }));
    this.unstable.truncateAndAppend(entries);
  }

  /**
   * Entries from a leader, which follow the entry (prevIndex, prevTerm). What conflicts goes, what is here
   * already stays: a late message with fewer entries truncates nothing (Raft paper, figure 2).
   * @returns the last index that is known to agree with the leader's log; undefined when the entry before is not here
   */
  maybeAppend(
    prevIndex: number,
    prevTerm: number,
    entries: readonly Entry[],
    leaderCommit: number,
  ): number | undefined {
    if (!this.matches(prevIndex, prevTerm)) return undefined;
    const lastNew = prevIndex + entries.length;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (this.matches(entry.index, entry.term)) continue;
      this.append(i === 0 ? entries : entries.slice(i));
      break;
    }
    // No further than what this message vouches for: the rest of our log may differ from the leader's.
    this.commitTo(Math.min(leaderCommit, lastNew));
    return lastNew;
  }

  /**
   * The last place, at or before `index`, where this log may agree with one whose entry at `index` has term
   * `term`: skips all of our entries with a greater term. The term is 0 where it is not known.
   */
  lastPossibleMatch(index: number, term: number): { readonly index: number; readonly term: number } {
    for (let i = index; i > 0; i--) {
      const ours = this.term(i);
      if (typeof ours !== 'number') return { index: i, term: 0 };
      if (ours <= term) return { index: i, term: ours };
    }
    return { index: 0, term: 0 };
  }

  /** Never goes back. */
  commitTo(index: number): void {
    if (index <= this.#committed) return;
    invariant(index <= this.lastIndex(), 'committed past the end: the log was truncated, corrupted or lost', () => ({
      index,
      ...this.facts(),
    }));
    this.#committed = index;
  }

  /** The snapshot takes the place of the whole log. */
  restore(snapshot: Snapshot): void {
    this.#committed = snapshot.metadata.index;
    this.unstable.restore(snapshot);
  }

  /** For a member that lacks what is compacted. */
  newestSnapshot(): Snapshot | 'temporarily-unavailable' {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  hasUnstableSnapshot(): boolean {
    return this.unstable.snapshot !== undefined;
  }

  /** Up to here entries may be handed out: committed, and in asynchronous mode also durable here. */
  #appliable(allowUnstable: boolean): number {
    return allowUnstable ? this.#committed : Math.min(this.#committed, this.unstable.offset - 1);
  }

  /** Entries are handed out of which it is not known that they are applied. */
  isApplying(): boolean {
    return this.#applying > this.#applied;
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // What follows a snapshot can only be applied after it.
    return !this.#applyingPaused && !this.hasUnstableSnapshot() && this.#applying < this.#appliable(allowUnstable);
  }

  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return NO_ENTRIES;
    const room = this.#maxApplyingBytes - this.#applyingBytes;
    invariant(room > 0, 'entries are handed out beyond their bound', () => this.facts());
    const entries = this.slice(this.#applying + 1, this.#appliable(allowUnstable) + 1, room);
    invariant(typeof entries !== 'string', 'committed entries cannot be read', () => ({ entries, ...this.facts() }));
    return entries as readonly Entry[];
  }

  /** These committed entries are handed out. */
  acceptApplying(entries: readonly Entry[], allowUnstable: boolean): void {
    this.#applying = entries.at(-1)!.index;
    this.#applyingBytes += totalEntryBytes(entries);
    // When a bound cut the entries short, the rest waits for these to be applied.
    this.#applyingPaused =
      this.#applyingBytes >= this.#maxApplyingBytes || this.#applying < this.#appliable(allowUnstable);
  }

  /** @param bytes of the entries that are applied now, as counted when they were handed out */
  appliedTo(index: number, bytes: number): void {
    invariant(index >= this.#applied && index <= this.#committed, 'applied out of order', () => ({
      index,
      ...this.facts(),
    }));
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#applyingPaused = this.#applyingBytes >= this.#maxApplyingBytes;
  }

  facts(): Readonly<Record<string, unknown>> {
    return {
      firstIndex: this.firstIndex(),
      lastIndex: this.lastIndex(),
      committed: this.#committed,
      applying: this.#applying,
      applied: this.#applied,
      unstableOffset: this.unstable.offset,
      unstableEntries: this.unstable.length,
    };
  }
}

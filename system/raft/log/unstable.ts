import type { Entry } from '../entry.ts';
import type { Snapshot } from '../state.ts';

/**
 * The end of the log that is not known to be durable yet: maybe a snapshot, and the entries after it. A part of
 * it may be on its way to the disk ("in progress"), and may still be overwritten before it gets there.
 */
export class Unstable {
  #snapshot: Snapshot | undefined;
  #snapshotInProgress = false;
  #entries: Entry[] = [];
  /** Index of the first unstable entry. */
  #offset: number;
  /** Index of the first entry that is not on its way to the disk. */
  #offsetInProgress: number;

  constructor(offset: number) {
    this.#offset = offset;
    this.#offsetInProgress = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get length(): number {
    return this.#entries.length;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Undefined: only the storage knows. */
  firstIndex(): number | undefined {
    return this.#snapshot === undefined ? undefined : this.#snapshot.metadata.index + 1;
  }

  /** Undefined: only the storage knows. */
  lastIndex(): number | undefined {
    if (this.#entries.length > 0) return this.#offset + this.#entries.length - 1;
    return this.#snapshot?.metadata.index;
  }

  /** Undefined: not here. */
  term(index: number): number | undefined {
    if (index >= this.#offset) return this.#entries[index - this.#offset]?.term;
    return this.#snapshot?.metadata.index === index ? this.#snapshot.metadata.term : undefined;
  }

  /** Entries of [from, to), which must be here. */
  slice(from: number, to: number): Entry[] {
    return this.#entries.slice(from - this.#offset, to - this.#offset);
  }

  hasNextEntries(): boolean {
    return this.#offsetInProgress < this.#offset + this.#entries.length;
  }

  /** Those that are not on their way to the disk yet. */
  nextEntries(): readonly Entry[] {
    return this.#entries.slice(this.#offsetInProgress - this.#offset);
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#snapshotInProgress ? undefined : this.#snapshot;
  }

  /** Everything here is on its way to the disk now. */
  acceptInProgress(): void {
    this.#offsetInProgress = this.#offset + this.#entries.length;
    if (this.#snapshot !== undefined) this.#snapshotInProgress = true;
  }

  /**
   * The log is durable up to this entry. Nothing happens when the entry was overwritten meanwhile: the write
   * that is done is not the one of what is here now (etcd#1690).
   */
  stableTo(term: number, index: number): 'moved' | 'elsewhere' {
    if (index < this.#offset || this.term(index) !== term) return 'elsewhere';
    this.#entries.splice(0, index + 1 - this.#offset);
    this.#offset = index + 1;
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset);
    return 'moved';
  }

  stableSnapshotTo(index: number): void {
    if (this.#snapshot?.metadata.index !== index) return;
    this.#snapshot = undefined;
    this.#snapshotInProgress = false;
  }

  restore(snapshot: Snapshot): void {
    this.#offset = snapshot.metadata.index + 1;
    this.#offsetInProgress = this.#offset;
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Appends; what lies at or after the first new entry goes, also when it is on its way to the disk or there. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]!.index;
    if (from <= this.#offset) {
      this.#entries = [];
      this.#offset = from;
    } else {
      this.#entries.length = Math.min(this.#entries.length, from - this.#offset);
    }
    this.#offsetInProgress = Math.min(this.#offsetInProgress, from);
    for (let i = 0; i < entries.length; i++) this.#entries.push(entries[i]!);
  }
}

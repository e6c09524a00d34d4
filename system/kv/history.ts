import type { ByteString } from './byte-string.ts';
import type { Limits } from './limits.ts';
import { Hasher, SetHash } from './state-hash.ts';
import type { ValueSlabs } from './value-slabs.ts';
import { appendedSince, List, type Version } from './version.ts';

/** A change of one key. What it holds afterwards and before; undefined when it does not exist. */
export interface Change {
  readonly revision: number;
  readonly key: ByteString;
  readonly version: Version | undefined;
  readonly previous: Version | undefined;
  /** What keeping the change costs: its key, and what it alone keeps of the previous version. */
  readonly bytes: number;
}

/**
 * The changes of the newest revisions, oldest first: what watches read, and what undoes the present to read the
 * past. Bounded in number and bytes, by whole revisions and by nothing but the log, so that every node forgets
 * the same at the same index.
 */
export class History {
  /** Changes at or below it are forgotten. The state as of this revision itself can still be read. */
  compactedRevision = 0;
  readonly hash = new SetHash();
  private changes: Change[] = [];
  /** Place of the oldest change kept. */
  private first = 0;
  private bytes = 0;
  private readonly limits: Limits;
  private readonly slabs: ValueSlabs;
  private readonly hasher = new Hasher();

  constructor(limits: Limits, slabs: ValueSlabs) {
    this.limits = limits;
    this.slabs = slabs;
  }

  get length(): number {
    return this.changes.length - this.first;
  }

  /** Forgets nothing: call `trim` when the revision is complete. */
  add(revision: number, key: ByteString, version: Version | undefined, previous: Version | undefined): void {
    const change = { revision, key, version, previous, bytes: key.length + ownBytes(version, previous) };
    this.changes.push(change);
    this.bytes += change.bytes;
    this.hashChange(change);
    this.hash.add(this.hasher.low, this.hasher.high);
  }

  trim(): void {
    while (this.length > this.limits.historyEventsMax || this.bytes > this.limits.historyBytesMax) {
      const revision = this.changes[this.first]!.revision;
      if (revision === this.changes.at(-1)!.revision) return;
      while (this.changes[this.first]!.revision === revision) this.forgetFirst();
      this.compactedRevision = revision;
    }
  }

  /** For a restored state. */
  startAt(compactedRevision: number, newestFirst: readonly Omit<Change, 'bytes'>[]): void {
    this.compactedRevision = compactedRevision;
    for (const change of newestFirst.toReversed())
      this.add(change.revision, change.key, change.version, change.previous);
  }

  /** The place of the first change at or above a revision. */
  placeOf(revision: number): number {
    let low = this.first;
    let high = this.changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.changes[middle]!.revision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** By place, as long as nothing is added. */
  at(place: number): Change | undefined {
    return this.changes[place];
  }

  /** All that is kept, oldest first; unmoved by what is added later. */
  copy(): readonly Change[] {
    return this.changes.slice(this.first);
  }

  private forgetFirst(): void {
    const change = this.changes[this.first]!;
    this.hashChange(change);
    this.hash.remove(this.hasher.low, this.hasher.high);
    this.bytes -= change.bytes;
    if (change.previous !== undefined) this.slabs.release(change.previous);
    this.first++;
    if (this.first * 2 > this.changes.length) {
      this.changes = this.changes.slice(this.first);
      this.first = 0;
    }
  }

  private hashChange(change: Change): void {
    const hasher = this.hasher;
    hasher.start(CHANGE_DOMAIN);
    hasher.number(change.revision);
    hasher.text(change.key);
    if (change.version !== undefined) hasher.words(change.version.low, change.version.high);
    if (change.previous !== undefined) hasher.words(change.previous.low, change.previous.high);
    hasher.finish();
  }
}

const CHANGE_DOMAIN = 0x43;

/** What only this change keeps: a list that was appended to lives on in its newer version. */
function ownBytes(version: Version | undefined, previous: Version | undefined): number {
  if (previous === undefined) return 0;
  if (!(previous.value instanceof List)) return previous.value.length;
  return appendedSince(version, previous) === undefined ? previous.value.bytes : 0;
}

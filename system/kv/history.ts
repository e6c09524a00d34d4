import type { ByteString } from './byte-string.ts';
import type { Limits } from './limits.ts';
import { Hasher, SetHash } from './state-hash.ts';
import type { ValueSlabs } from './value-slabs.ts';
import { appendedSince, type Version } from './version.ts';

/** A change of one key. What it holds afterwards and before; undefined when it does not exist. */
export interface Change {
  readonly revision: number;
  readonly key: ByteString;
  readonly version: Version | undefined;
  readonly previous: Version | undefined;
}

/** Changes, each in four columns: an object for each would be one more that the garbage collector must carry along. */
class Columns {
  readonly revisions: number[];
  readonly keys: ByteString[];
  readonly versions: (Version | undefined)[];
  readonly previous: (Version | undefined)[];

  constructor(from: Columns | undefined, first: number) {
    this.revisions = from?.revisions.slice(first) ?? [];
    this.keys = from?.keys.slice(first) ?? [];
    this.versions = from?.versions.slice(first) ?? [];
    this.previous = from?.previous.slice(first) ?? [];
  }

  get length(): number {
    return this.revisions.length;
  }

  at(place: number): Change | undefined {
    const revision = this.revisions[place];
    if (revision === undefined) return undefined;
    return { revision, key: this.keys[place]!, version: this.versions[place], previous: this.previous[place] };
  }
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
  private changes = new Columns(undefined, 0);
  /** Place of the oldest change kept. */
  private first = 0;
  /** What keeping the changes costs: their keys, and what they alone keep of previous versions. */
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
    const { changes } = this;
    changes.revisions.push(revision);
    changes.keys.push(key);
    changes.versions.push(version);
    changes.previous.push(previous);
    this.bytes += ownBytes(key, version, previous);
    const { low, high } = this.hashOf(revision, key, version, previous);
    this.hash.add(low, high);
  }

  trim(): void {
    const { revisions } = this.changes;
    while (this.length > this.limits.historyEventsMax || this.bytes > this.limits.historyBytesMax) {
      const revision = revisions[this.first]!;
      if (revision === revisions[revisions.length - 1]) break;
      while (revisions[this.first] === revision) this.forgetFirst(revision);
      this.compactedRevision = revision;
    }
    if (this.first * 2 <= this.changes.length) return;
    this.changes = new Columns(this.changes, this.first);
    this.first = 0;
  }

  /** For a restored state. */
  startAt(compactedRevision: number, newestFirst: readonly Change[]): void {
    this.compactedRevision = compactedRevision;
    for (const change of newestFirst.toReversed())
      this.add(change.revision, change.key, change.version, change.previous);
  }

  /** The place of the first change at or above a revision. */
  placeOf(revision: number): number {
    const { revisions } = this.changes;
    let low = this.first;
    let high = revisions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (revisions[middle]! < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** By place, as long as nothing is added. */
  at(place: number): Change | undefined {
    return this.changes.at(place);
  }

  /** All that is kept, oldest first from place 0; unmoved by what is added later. */
  copy(): { readonly length: number; at(place: number): Change | undefined } {
    return new Columns(this.changes, this.first);
  }

  private forgetFirst(revision: number): void {
    const { keys, versions, previous } = this.changes;
    const key = keys[this.first]!;
    const version = versions[this.first];
    const before = previous[this.first];
    const { low, high } = this.hashOf(revision, key, version, before);
    this.hash.remove(low, high);
    this.bytes -= ownBytes(key, version, before);
    if (before !== undefined) this.slabs.release(before);
    versions[this.first] = undefined;
    previous[this.first] = undefined;
    this.first++;
  }

  private hashOf(
    revision: number,
    key: ByteString,
    version: Version | undefined,
    previous: Version | undefined,
  ): Hasher {
    const hasher = this.hasher;
    hasher.start(CHANGE_DOMAIN);
    hasher.number(revision);
    hasher.text(key);
    if (version !== undefined) hasher.words(version.low, version.high);
    if (previous !== undefined) hasher.words(previous.low, previous.high);
    hasher.finish();
    return hasher;
  }
}

const CHANGE_DOMAIN = 0x43;

/** The key, and what only this change keeps: a list that was appended to lives on in its newer version. */
function ownBytes(key: ByteString, version: Version | undefined, previous: Version | undefined): number {
  if (previous === undefined) return key.length;
  if (previous.list === undefined) return key.length + previous.length;
  return key.length + (appendedSince(version, previous) === undefined ? previous.list.bytes : 0);
}

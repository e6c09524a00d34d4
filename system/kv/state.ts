import type { ByteString } from './byte-string.ts';
import { History } from './history.ts';
import type { Limits } from './limits.ts';
import { PersistentTree } from './persistent-tree.ts';
import { Sessions } from './sessions.ts';
import { Hasher, hashText, SetHash } from './state-hash.ts';
import { ValueSlabs } from './value-slabs.ts';
import { List, Version } from './version.ts';

/** The whole replicated state: a function of the log up to `appliedIndex`, and of nothing else. */
export class State {
  readonly limits: Limits;
  appliedIndex = 0;
  revision = 0;
  /** What every key holds now. */
  readonly keys = new PersistentTree<Version>();
  readonly keysHash = new SetHash();
  readonly sessions: Sessions;
  readonly history: History;
  readonly slabs = new ValueSlabs();
  private readonly hasher = new Hasher();

  constructor(limits: Limits) {
    this.limits = limits;
    this.sessions = new Sessions(limits);
    this.history = new History(limits, this.slabs);
  }

  /** Whether key and value are small enough. */
  allows(key: ByteString, value: Uint8Array): boolean {
    return key.length <= this.limits.keyBytesMax && value.length <= this.limits.valueBytesMax;
  }

  /** The list after an append to what a key holds. */
  appended(version: Version | undefined, element: Uint8Array): List | 'not-a-list' | 'too-large' {
    const before = version?.list;
    if (version !== undefined && before === undefined) return 'not-a-list';
    if ((before?.bytes ?? 0) + element.length > this.limits.listBytesMax) return 'too-large';
    return new List(element.slice(), before, this.hasher);
  }

  /** What a key is to hold after `current`. The bytes are copied. It is no part of the state before `change`. */
  newVersion(key: ByteString, value: Uint8Array | List, current: Version | undefined, revision: number): Version {
    // Within a transaction a key may be written again at the same revision: that is one change.
    const changes = current === undefined ? 1 : current.version + (current.revision === revision ? 0 : 1);
    // The key as it is kept already: one text for all versions of it.
    const kept = current?.key ?? key;
    const version = new Version(kept, value, current?.createRevision ?? revision, revision, changes, this.hasher);
    if (value instanceof Uint8Array) this.slabs.store(version, value);
    return version;
  }

  /** Changes what a key holds; undefined deletes it. The caller raises `revision` and trims the history. */
  change(revision: number, key: ByteString, version: Version | undefined): void {
    const previous = version === undefined ? this.keys.delete(key) : this.keys.set(key, version);
    if (version !== undefined) this.keysHash.add(version.low, version.high);
    if (previous !== undefined) this.keysHash.remove(previous.low, previous.high);
    this.history.add(revision, key, version, previous);
  }

  /** 16 hex digits. */
  hash(): string {
    const { hasher, history } = this;
    hasher.start(STATE_DOMAIN);
    hasher.number(this.appliedIndex);
    hasher.number(this.revision);
    hasher.number(history.compactedRevision);
    for (const part of [this.keysHash, this.sessions.hash, history.hash]) hasher.words(part.low, part.high);
    hasher.finish();
    return hashText(hasher.low, hasher.high);
  }
}

const STATE_DOMAIN = 0x5a;

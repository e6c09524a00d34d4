import { ByteReader, ByteWriter, MalformedBytes } from './bytes.ts';
import type { Change } from './history.ts';
import type { Limits } from './limits.ts';
import type { Session } from './sessions.ts';
import { SnapshotError } from './snapshot-error.ts';
import { State } from './state.ts';
import { Hasher } from './state-hash.ts';
import type { Slab } from './value-slabs.ts';
import { appendedSince, List, listWithout, Version } from './version.ts';

/*
 * A snapshot is a stream of records, each a u32 length and that many bytes: the header; the sessions, least
 * recently used first; the keys in order; the changes, newest first; the end. A change says only what was before
 * it: what came after is known from the keys and the newer changes. Pieces end at records where they can.
 */
export const SNAPSHOT_CHUNK_BYTES = 256 * 1024;
/** What room is made for at first: clearing that of a whole chunk costs more than writing a small state. */
const SMALL_SNAPSHOT_BYTES = 8 * 1024;

const FORMAT = 1;
const MAGIC = 'splitbrain-kv';
const RECORD = { header: 1, session: 2, key: 3, change: 4, end: 5 } as const;
/** What a change can say of the time before it. */
const BEFORE = { nothing: 0, version: 1, shorterList: 2 } as const;
const BYTES_VALUE = 0;
const LIST_VALUE = 1;
/** Far above what any limits allow; a length above it is damage. */
const RECORD_BYTES_MAX = 1 << 30;

const LIMIT_NAMES = [
  'keyBytesMax',
  'valueBytesMax',
  'listBytesMax',
  'txnOperationsMax',
  'txnResultBytesMax',
  'sessionsMax',
  'sessionBytesMax',
  'historyEventsMax',
  'historyBytesMax',
] as const satisfies readonly (keyof Limits)[];

/** The state as of one applied index, to be carried elsewhere. Applying goes on meanwhile; the view does not change. */
export interface StateView {
  readonly appliedIndex: number;
  readonly revision: number;
  readonly hash: string;
  /** The state as bytes, in pieces of at most SNAPSHOT_CHUNK_BYTES, each made (about a millisecond) when asked for. */
  chunks(): Iterator<Uint8Array, undefined>;
}

export function viewOf(state: State): StateView {
  const { limits, appliedIndex, revision } = state;
  const hash = state.hash();
  const compactedRevision = state.history.compactedRevision;
  const keys = state.keys.view();
  const sessions = state.sessions.copy();
  const changes = state.history.copy();

  function* chunks(): Generator<Uint8Array, undefined> {
    const to = new ByteWriter(SMALL_SNAPSHOT_BYTES);
    writeHeader(to);
    let session = 0;
    const cursor = keys.cursor('');
    let change = changes.length - 1;
    for (let isOver = false; !isOver; ) {
      while (!isOver && to.length < SNAPSHOT_CHUNK_BYTES) {
        if (session < sessions.length) writeSession(to, sessions[session++]!);
        else if (cursor.next()) writeKey(to, cursor.value!);
        else if (change >= 0) writeChange(to, changes.at(change--)!);
        else {
          endRecord(to, startRecord(to, RECORD.end));
          isOver = true;
        }
      }
      while (to.length >= SNAPSHOT_CHUNK_BYTES) yield to.take(SNAPSHOT_CHUNK_BYTES);
    }
    if (to.length > 0) yield to.take(to.length);
  }

  function writeHeader(to: ByteWriter): void {
    const start = startRecord(to, RECORD.header);
    to.text(MAGIC);
    to.uvarint(FORMAT);
    for (const name of LIMIT_NAMES) to.uvarint(limits[name]);
    for (const figure of [appliedIndex, revision, compactedRevision]) to.uvarint(figure);
    for (const count of [sessions.length, keys.size, changes.length]) to.uvarint(count);
    to.text(hash);
    endRecord(to, start);
  }

  return { appliedIndex, revision, hash, chunks };
}

function startRecord(to: ByteWriter, type: number): number {
  const start = to.length;
  to.skip(4);
  to.u8(type);
  return start;
}

function endRecord(to: ByteWriter, start: number): void {
  to.patchU32(start, to.length - start - 4);
}

function writeSession(to: ByteWriter, session: Session): void {
  const start = startRecord(to, RECORD.session);
  to.uvarint(session.id);
  to.uvarint(session.usedIndex);
  to.uvarint(session.sequence);
  to.bytes(session.answer);
  endRecord(to, start);
}

function writeKey(to: ByteWriter, version: Version): void {
  const start = startRecord(to, RECORD.key);
  writeVersion(to, version);
  endRecord(to, start);
}

function writeVersion(to: ByteWriter, version: Version): void {
  to.text(version.key);
  writeNumbers(to, version);
  if (version.list === undefined) {
    to.u8(BYTES_VALUE);
    to.bytes(version.array, version.start, version.length);
  } else {
    to.u8(LIST_VALUE);
    to.uvarint(version.list.length);
    for (const element of version.list.elements()) to.bytes(element);
  }
}

function writeNumbers(to: ByteWriter, version: Version): void {
  to.uvarint(version.createRevision);
  to.uvarint(version.revision);
  to.uvarint(version.version);
}

function writeChange(to: ByteWriter, { revision, key, version, previous }: Change): void {
  const start = startRecord(to, RECORD.change);
  to.uvarint(revision);
  to.text(key);
  if (previous === undefined) to.u8(BEFORE.nothing);
  else writeBefore(to, version, previous);
  endRecord(to, start);
}

function writeBefore(to: ByteWriter, version: Version | undefined, previous: Version): void {
  const appended = appendedSince(version, previous);
  if (appended === undefined) {
    to.u8(BEFORE.version);
    writeVersion(to, previous);
  } else {
    to.u8(BEFORE.shorterList);
    to.uvarint(appended);
    writeNumbers(to, previous);
  }
}

/** Builds a state from the bytes of a view; however they were cut into pieces. */
export class StateReader {
  private readonly state: State;
  private readonly hasher = new Hasher();
  /** The start of a record whose rest is in pieces to come. */
  private partial: Uint8Array = new Uint8Array(0);
  private expected: { sessions: number; keys: number; changes: number } | undefined;
  private hash = '';
  private compactedRevision = 0;
  private readonly changes: Change[] = [];
  /** What each key held before the oldest change read so far: undefined when it did not exist. */
  private readonly before = new Map<string, Version | undefined>();
  private lastKey: string | undefined;
  private ended = false;

  constructor(limits: Limits) {
    this.state = new State(limits);
  }

  /** The chunk becomes part of the state and must not be changed. @throws SnapshotError */
  add(chunk: Uint8Array): void {
    try {
      this.read(chunk);
    } catch (error) {
      if (error instanceof MalformedBytes) throw new SnapshotError(`damaged snapshot: ${error.message}`);
      throw error;
    }
  }

  /** @throws SnapshotError when something is missing or the state is not the one that was saved */
  finish(): State {
    const { state, expected } = this;
    if (!this.ended || expected === undefined || this.partial.length > 0) {
      throw new SnapshotError('damaged snapshot: it ends too early');
    }
    if (
      state.sessions.size !== expected.sessions ||
      state.keys.size !== expected.keys ||
      this.changes.length !== expected.changes
    ) {
      throw new SnapshotError('damaged snapshot: it does not hold as many records as it says');
    }
    state.history.startAt(this.compactedRevision, this.changes);
    if (state.hash() !== this.hash) {
      throw new SnapshotError(`damaged snapshot: its state hashes to ${state.hash()}, it says ${this.hash}`);
    }
    return state;
  }

  private read(chunk: Uint8Array): void {
    let at = 0;
    while (this.partial.length > 0) {
      const wanted = this.partial.length < 4 ? 4 : 4 + recordBytes(this.partial, 0);
      const missing = wanted - this.partial.length;
      if (missing === 0) {
        this.readRecord(this.partial, 4, wanted, newSlab(this.partial));
        this.partial = this.partial.subarray(0, 0);
        break;
      }
      const more = chunk.subarray(at, at + missing);
      if (more.length === 0) return;
      at += more.length;
      this.partial = joined(this.partial, more);
    }
    const slab = newSlab(chunk);
    while (chunk.length - at >= 4) {
      const length = recordBytes(chunk, at);
      if (length > chunk.length - at - 4) break;
      this.readRecord(chunk, at + 4, at + 4 + length, slab);
      at += 4 + length;
    }
    this.partial = chunk.slice(at);
  }

  private readRecord(source: Uint8Array, at: number, end: number, slab: Slab): void {
    const from = new ByteReader(source, at, end);
    const type = from.u8();
    if (this.ended) throw new MalformedBytes('it goes on after its end');
    if ((type === RECORD.header) !== (this.expected === undefined)) throw new MalformedBytes('no header');
    switch (type) {
      case RECORD.header:
        this.readHeader(from);
        break;
      case RECORD.session:
        this.state.sessions.put(from.uvarint(), from.uvarint(), from.uvarint(), from.bytes().slice());
        break;
      case RECORD.key:
        this.readKey(from, slab);
        break;
      case RECORD.change:
        this.readChange(from, slab);
        break;
      case RECORD.end:
        this.ended = true;
        break;
      default:
        throw new MalformedBytes(`a record of unknown type ${type}`);
    }
    if (!from.done) throw new MalformedBytes('a record is too long');
  }

  private readHeader(from: ByteReader): void {
    if (from.text() !== MAGIC) throw new MalformedBytes('these bytes are something else');
    const format = from.uvarint();
    if (format !== FORMAT) throw new SnapshotError(`snapshot of format ${format}, this version reads ${FORMAT}`);
    const { state } = this;
    for (const name of LIMIT_NAMES) {
      const limit = from.uvarint();
      if (limit !== state.limits[name]) {
        throw new SnapshotError(`snapshot made with ${name} ${limit}, this node runs with ${state.limits[name]}`);
      }
    }
    state.appliedIndex = from.uvarint();
    state.revision = from.uvarint();
    this.compactedRevision = from.uvarint();
    this.expected = { sessions: from.uvarint(), keys: from.uvarint(), changes: from.uvarint() };
    this.hash = from.text();
  }

  private readKey(from: ByteReader, slab: Slab): void {
    const version = this.readVersion(from, slab);
    if (this.lastKey !== undefined && version.key <= this.lastKey) throw new MalformedBytes('keys out of order');
    this.lastKey = version.key;
    this.state.keys.set(version.key, version);
    this.state.keysHash.add(version.low, version.high);
  }

  private readVersion(from: ByteReader, slab: Slab): Version {
    const key = from.text();
    const createRevision = from.uvarint();
    const revision = from.uvarint();
    const count = from.uvarint();
    if (from.u8() === BYTES_VALUE) {
      const bytes = from.bytes();
      const version = new Version(key, bytes, createRevision, revision, count, this.hasher);
      this.state.slabs.adopt(version, slab, bytes.byteOffset - slab.bytes.byteOffset);
      return version;
    }
    let list: List | undefined;
    for (let left = from.uvarint(); left > 0; left--) list = new List(from.bytes().slice(), list, this.hasher);
    if (list === undefined) throw new MalformedBytes('a list without elements');
    return new Version(key, list, createRevision, revision, count, this.hasher);
  }

  private readChange(from: ByteReader, slab: Slab): void {
    const revision = from.uvarint();
    const key = from.text();
    const version = this.before.has(key) ? this.before.get(key) : this.state.keys.get(key);
    const previous = this.readBefore(from, key, version, slab);
    this.before.set(key, previous);
    this.changes.push({ revision, key, version, previous });
  }

  private readBefore(from: ByteReader, key: string, version: Version | undefined, slab: Slab): Version | undefined {
    switch (from.u8()) {
      case BEFORE.nothing:
        return undefined;
      case BEFORE.version:
        return this.readVersion(from, slab);
      case BEFORE.shorterList: {
        const appended = from.uvarint();
        const list = version?.list && listWithout(version.list, appended);
        if (list === undefined) throw new MalformedBytes('a list that is not there');
        return new Version(key, list, from.uvarint(), from.uvarint(), from.uvarint(), this.hasher);
      }
      default:
        throw new MalformedBytes('an unknown change');
    }
  }
}

function newSlab(bytes: Uint8Array): Slab {
  return { bytes, liveBytes: 0, versions: [] };
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function recordBytes(source: Uint8Array, at: number): number {
  const length = (source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)) >>> 0;
  if (length > RECORD_BYTES_MAX) throw new MalformedBytes('a record of impossible length');
  return length;
}

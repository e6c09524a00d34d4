import type { ConfState, Snapshot } from '../raft/index.ts';
import {
  type Entry,
  EntryType,
  type Message,
  MessageType,
  type MutableMessage,
  NO_DATA,
  newMessage,
} from '../raft/index.ts';
import { FrameError, frameKind, frameOverheadBytes, sealFrame } from './frame.ts';

/**
 * A raft message on the wire, inside a frame of kind `message` (or `snapshotStart`):
 *
 *     u8 type | u8 flags (1 reject, 2 snapshot, 4 committed) | f64 to from term logTerm index commit rejectHint context vote
 *     | [committed: f64 index term]
 *     | [snapshot: f64 index term | u8 autoLeave | 4 × (u32 count | f64…) | u32 length | data]
 *     | u32 count of entries | entries: u8 type | f64 term index | u32 length | data
 *
 * Little-endian; integers beyond 32 bits are exact as doubles up to 2^53. `responses` never travel.
 */
const headBytes = 2 + 9 * 8;
const entryHeadBytes = 1 + 8 + 8 + 4;

/** @returns a whole frame */
export function encodeMessage(message: Message, kind: number = frameKind.message): Uint8Array {
  let bytes = frameOverheadBytes + headBytes + 4;
  for (const entry of message.entries) bytes += entryHeadBytes + entry.data.length;
  if (message.committed !== undefined) bytes += 2 * 8;
  if (message.snapshot !== undefined) bytes += snapshotBytes(message.snapshot);
  const frame = new Uint8Array(bytes);
  const writer = new Writer(frame, 5);
  writer.u8(message.type);
  writer.u8(
    (message.reject ? 1 : 0) | (message.snapshot === undefined ? 0 : 2) | (message.committed === undefined ? 0 : 4),
  );
  writer.f64(message.to);
  writer.f64(message.from);
  writer.f64(message.term);
  writer.f64(message.logTerm);
  writer.f64(message.index);
  writer.f64(message.commit);
  writer.f64(message.rejectHint);
  writer.f64(message.context);
  writer.f64(message.vote);
  if (message.committed !== undefined) {
    writer.f64(message.committed.index);
    writer.f64(message.committed.term);
  }
  if (message.snapshot !== undefined) writeSnapshot(writer, message.snapshot);
  writer.u32(message.entries.length);
  for (const entry of message.entries) {
    writer.u8(entry.type);
    writer.f64(entry.term);
    writer.f64(entry.index);
    writer.bytes(entry.data);
  }
  return sealFrame(frame, kind);
}

/** @throws FrameError when the payload is not a message; entries' data are views of it */
export function decodeMessage(payload: Uint8Array): Message {
  const reader = new Reader(payload);
  const type = messageTypes.get(reader.u8());
  if (type === undefined) throw new FrameError('a message of unknown type');
  const flags = reader.u8();
  const message: MutableMessage = newMessage(type, reader.integer());
  message.from = reader.integer();
  message.term = reader.integer();
  message.logTerm = reader.integer();
  message.index = reader.integer();
  message.commit = reader.integer();
  message.rejectHint = reader.integer();
  message.context = reader.integer();
  message.vote = reader.integer();
  message.reject = (flags & 1) !== 0;
  if ((flags & 4) !== 0) message.committed = { index: reader.integer(), term: reader.integer() };
  if ((flags & 2) !== 0) message.snapshot = readSnapshot(reader);
  const count = reader.count(entryHeadBytes);
  if (count > 0) {
    const entries: Entry[] = [];
    for (let i = 0; i < count; i++) {
      const entryType = entryTypes.get(reader.u8());
      if (entryType === undefined) throw new FrameError('an entry of unknown type');
      const term = reader.integer();
      const index = reader.integer();
      entries.push({ type: entryType, term, index, data: reader.bytes() });
    }
    message.entries = entries;
  }
  reader.end();
  return message;
}

const messageTypes: ReadonlyMap<number, MessageType> = byNumber(Object.values(MessageType));
const entryTypes: ReadonlyMap<number, EntryType> = byNumber(Object.values(EntryType));

function byNumber<T extends number>(values: readonly T[]): ReadonlyMap<number, T> {
  return new Map(values.map((value) => [value, value]));
}

function snapshotBytes({ metadata, data }: Snapshot): number {
  const { voters, learners, votersOutgoing, learnersNext } = metadata.confState;
  const ids = voters.length + learners.length + votersOutgoing.length + learnersNext.length;
  return 8 + 8 + 1 + 4 * 4 + ids * 8 + 4 + data.length;
}

function writeSnapshot(writer: Writer, { metadata, data }: Snapshot): void {
  writer.f64(metadata.index);
  writer.f64(metadata.term);
  writer.u8(metadata.confState.autoLeave ? 1 : 0);
  const { voters, learners, votersOutgoing, learnersNext } = metadata.confState;
  for (const ids of [voters, learners, votersOutgoing, learnersNext]) {
    writer.u32(ids.length);
    for (const id of ids) writer.f64(id);
  }
  writer.bytes(data);
}

function readSnapshot(reader: Reader): Snapshot {
  const index = reader.integer();
  const term = reader.integer();
  const autoLeave = reader.u8() === 1;
  const confState: ConfState = {
    voters: reader.integers(),
    learners: reader.integers(),
    votersOutgoing: reader.integers(),
    learnersNext: reader.integers(),
    autoLeave,
  };
  return { metadata: { index, term, confState }, data: reader.bytes() };
}

class Writer {
  readonly #target: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(target: Uint8Array, at: number) {
    this.#target = target;
    this.#view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    this.#at = at;
  }

  u8(value: number): void {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#target.set(value, this.#at);
    this.#at += value.length;
  }
}

class Reader {
  readonly #source: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(source: Uint8Array) {
    this.#source = source;
    this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  integer(): number {
    const value = this.#view.getFloat64(this.#take(8), true);
    if (!Number.isSafeInteger(value) || value < 0) throw new FrameError(`not a number of a message: ${value}`);
    return value;
  }

  integers(): number[] {
    const count = this.count(8);
    const values: number[] = [];
    for (let i = 0; i < count; i++) values.push(this.integer());
    return values;
  }

  /** A count of things that take at least `bytesEach`: refused when they cannot all be there. */
  count(bytesEach: number): number {
    const count = this.#view.getUint32(this.#take(4), true);
    if (count * bytesEach > this.#source.length - this.#at) throw new FrameError('a message that is cut off');
    return count;
  }

  bytes(): Uint8Array {
    const length = this.count(1);
    return length === 0 ? NO_DATA : this.#source.subarray(this.#take(length), this.#at);
  }

  end(): void {
    if (this.#at !== this.#source.length) throw new FrameError('bytes after the end of a message');
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (this.#source.length - at < bytes) throw new FrameError('a message that is cut off');
    this.#at += bytes;
    return at;
  }
}

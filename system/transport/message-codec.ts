import { encodedEntriesBytes, getU32, getU48, putU32, putU48, readEntries, writeEntries } from '../entry-codec.ts';
import {
  type ConfState,
  type Entry,
  type Message,
  MessageType,
  type MutableMessage,
  NO_DATA,
  newMessage,
  type Snapshot,
} from '../raft/index.ts';
import { FrameError, frameKind, frameOverheadBytes, sealFrame } from './frame.ts';

/**
 * A raft message on the wire, inside a frame of kind `message` (or `snapshotStart`):
 *
 *     u8 type | u16 what else there is (`Has`) | u56 to from term | u56 each of logTerm index commit rejectHint context vote
 *     that is not zero | [committed: u56 index term]
 *     | [snapshot: u56 index term | u8 autoLeave | 4 × (u32 count | u56…) | u32 length | data]
 *     | [u32 bytes of entries | entries, as in the log]
 *
 * Little-endian. Most messages fill few of their fields, and are sent to everybody many times a second: small ones
 * stay small. `responses` never travel.
 */
const Has = {
  reject: 1,
  snapshot: 2,
  committed: 4,
  entries: 8,
  logTerm: 16,
  index: 32,
  commit: 64,
  rejectHint: 128,
  context: 256,
  vote: 512,
} as const;
const HAS_ALL = 1023;

/** Any safe integer: a `context` begins at random. */
const NUMBER_BYTES = 7;
const HEAD_BYTES = 3 + 3 * NUMBER_BYTES;

/** @returns a whole frame */
export function encodeMessage(message: Message, kind: number = frameKind.message): Uint8Array {
  const { logTerm, index, commit, rejectHint, context, vote, reject, snapshot, committed, entries } = message;
  let has = reject ? Has.reject : 0;
  let bytes = frameOverheadBytes + HEAD_BYTES;
  if (snapshot !== undefined) {
    has |= Has.snapshot;
    bytes += snapshotBytes(snapshot);
  }
  if (committed !== undefined) {
    has |= Has.committed;
    bytes += 2 * NUMBER_BYTES;
  }
  if (entries.length > 0) {
    has |= Has.entries;
    bytes += 4 + encodedEntriesBytes(entries);
  }
  if (logTerm !== 0) has |= Has.logTerm;
  if (index !== 0) has |= Has.index;
  if (commit !== 0) has |= Has.commit;
  if (rejectHint !== 0) has |= Has.rejectHint;
  if (context !== 0) has |= Has.context;
  if (vote !== 0) has |= Has.vote;
  for (let bit: number = Has.logTerm; bit <= Has.vote; bit <<= 1) if (has & bit) bytes += NUMBER_BYTES;

  const frame = new Uint8Array(bytes);
  frame[5] = message.type;
  frame[6] = has;
  frame[7] = has >>> 8;
  let at = put(frame, put(frame, put(frame, 8, message.to), message.from), message.term);
  if (has & Has.logTerm) at = put(frame, at, logTerm);
  if (has & Has.index) at = put(frame, at, index);
  if (has & Has.commit) at = put(frame, at, commit);
  if (has & Has.rejectHint) at = put(frame, at, rejectHint);
  if (has & Has.context) at = put(frame, at, context);
  if (has & Has.vote) at = put(frame, at, vote);
  if (committed !== undefined) at = put(frame, put(frame, at, committed.index), committed.term);
  if (snapshot !== undefined) at = putSnapshot(frame, at, snapshot);
  if (has & Has.entries) {
    putU32(frame, at, encodedEntriesBytes(entries));
    writeEntries(entries, frame, at + 4);
  }
  return sealFrame(frame, kind);
}

/**
 * The message that is a frame's payload, in [from, to) of the bytes; entries' data are views of them.
 * @throws FrameError when it is not one
 */
export function decodeMessage(bytes: Uint8Array, from = 0, to = bytes.length): Message {
  if (to - from < HEAD_BYTES) throw cutOff();
  const type = messageTypes[bytes[from]!];
  if (type === undefined) throw new FrameError('a message of unknown type');
  const has = bytes[from + 1]! | (bytes[from + 2]! << 8);
  if (has > HAS_ALL) throw new FrameError('a message with unknown parts');
  const message: MutableMessage = newMessage(type, get(bytes, from + 3));
  message.from = get(bytes, from + 3 + NUMBER_BYTES);
  message.term = get(bytes, from + 3 + 2 * NUMBER_BYTES);
  message.reject = (has & Has.reject) !== 0;
  const reader = new Reader(bytes, from + HEAD_BYTES, to);
  if (has & Has.logTerm) message.logTerm = reader.number();
  if (has & Has.index) message.index = reader.number();
  if (has & Has.commit) message.commit = reader.number();
  if (has & Has.rejectHint) message.rejectHint = reader.number();
  if (has & Has.context) message.context = reader.number();
  if (has & Has.vote) message.vote = reader.number();
  if (has & Has.committed) message.committed = { index: reader.number(), term: reader.number() };
  if (has & Has.snapshot) message.snapshot = readSnapshot(reader);
  if (has & Has.entries) message.entries = reader.entries();
  reader.end();
  return message;
}

const messageTypes: readonly (MessageType | undefined)[] = Object.values(MessageType).reduce<MessageType[]>(
  (byNumber, type) => {
    byNumber[type] = type;
    return byNumber;
  },
  [],
);

function snapshotBytes({ metadata, data }: Snapshot): number {
  const { voters, learners, votersOutgoing, learnersNext } = metadata.confState;
  const ids = voters.length + learners.length + votersOutgoing.length + learnersNext.length;
  return 2 * NUMBER_BYTES + 1 + 4 * 4 + ids * NUMBER_BYTES + 4 + data.length;
}

function putSnapshot(target: Uint8Array, from: number, { metadata, data }: Snapshot): number {
  let at = put(target, put(target, from, metadata.index), metadata.term);
  target[at++] = metadata.confState.autoLeave ? 1 : 0;
  const { voters, learners, votersOutgoing, learnersNext } = metadata.confState;
  for (const ids of [voters, learners, votersOutgoing, learnersNext]) {
    putU32(target, at, ids.length);
    at += 4;
    for (const id of ids) at = put(target, at, id);
  }
  putU32(target, at, data.length);
  target.set(data, at + 4);
  return at + 4 + data.length;
}

function readSnapshot(reader: Reader): Snapshot {
  const index = reader.number();
  const term = reader.number();
  const autoLeave = reader.u8() === 1;
  const confState: ConfState = {
    voters: reader.numbers(),
    learners: reader.numbers(),
    votersOutgoing: reader.numbers(),
    learnersNext: reader.numbers(),
    autoLeave,
  };
  return { metadata: { index, term, confState }, data: reader.bytes() };
}

/** @returns where the number ends */
function put(target: Uint8Array, at: number, value: number): number {
  putU48(target, at, value);
  target[at + 6] = value / 2 ** 48;
  return at + NUMBER_BYTES;
}

function get(source: Uint8Array, at: number): number {
  const top = source[at + 6]!;
  if (top > 31) throw new FrameError('a number of a message that is no safe integer');
  return getU48(source, at) + top * 2 ** 48;
}

function cutOff(): FrameError {
  return new FrameError('a message that is cut off');
}

class Reader {
  readonly #source: Uint8Array;
  readonly #to: number;
  #at: number;

  constructor(source: Uint8Array, at: number, to: number) {
    this.#source = source;
    this.#to = to;
    this.#at = at;
  }

  u8(): number {
    return this.#source[this.#take(1)]!;
  }

  number(): number {
    return get(this.#source, this.#take(NUMBER_BYTES));
  }

  numbers(): number[] {
    const count = this.#count(NUMBER_BYTES);
    const values: number[] = [];
    for (let i = 0; i < count; i++) values.push(this.number());
    return values;
  }

  bytes(): Uint8Array {
    const length = this.#count(1);
    return length === 0 ? NO_DATA : this.#source.subarray(this.#take(length), this.#at);
  }

  entries(): readonly Entry[] {
    const length = this.#count(1);
    const at = this.#take(length);
    const entries = readEntries(this.#source, at, this.#at);
    if (entries === undefined) throw new FrameError('entries of a message that are none');
    return entries;
  }

  end(): void {
    if (this.#at !== this.#to) throw new FrameError('bytes after the end of a message');
  }

  /** A count of things that take so many bytes each: refused when they cannot all be there. */
  #count(bytesEach: number): number {
    const count = getU32(this.#source, this.#take(4));
    if (count * bytesEach > this.#to - this.#at) throw cutOff();
    return count;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (this.#to - at < bytes) throw cutOff();
    this.#at += bytes;
    return at;
  }
}

import { encodedEntriesBytes, getU32, getU48, putU32, putU48, readEntries, writeEntries } from '../entry-codec.ts';
import type { ConfState, Entry, HardState, SnapshotMetadata } from '../raft/index.ts';
import { utf8Of } from '../utf8.ts';
import type { LogBatch } from './write-ahead-log.ts';

// The payloads of frames. Rare ones are JSON; that of a batch, which is on the hot path, is binary:
// u8 parts | hard state: term, vote, commit (6 bytes each) | snapshot: u32 length, JSON | entries.
const HAS_HARD_STATE = 1;
const HAS_SNAPSHOT = 2;
const HARD_STATE_BYTES = 18;

export const LOG_FORMAT = 2;

/** What a segment says of itself: enough to go on from it when the segments before it are gone. */
export interface SegmentRecord {
  readonly format: number;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly hardState: HardState;
  /** The newest that the log knows of. */
  readonly snapshot: SnapshotMetadata | undefined;
  /** Of the log, as the segments before leave it. */
  readonly lastIndex: number;
  /** Frames in the segment before. */
  readonly framesBefore: number;
  /** Size of the segment's file, which never changes: a shorter one has lost its end. */
  readonly bytes: number;
}

/** A batch with what is rare in it already encoded. */
export interface EncodableBatch {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  readonly snapshot: Uint8Array | undefined;
}

export function encodableBatch(batch: LogBatch): EncodableBatch {
  return { ...batch, snapshot: batch.snapshot && encodeJson(batch.snapshot) };
}

export function batchBytes({ entries, hardState, snapshot }: EncodableBatch): number {
  return (
    1 +
    (hardState === undefined ? 0 : HARD_STATE_BYTES) +
    (snapshot === undefined ? 0 : 4 + snapshot.length) +
    encodedEntriesBytes(entries)
  );
}

export function writeBatch({ entries, hardState, snapshot }: EncodableBatch, target: Uint8Array, at: number): void {
  target[at] = (hardState === undefined ? 0 : HAS_HARD_STATE) | (snapshot === undefined ? 0 : HAS_SNAPSHOT);
  let to = at + 1;
  if (hardState !== undefined) {
    putU48(target, to, hardState.term);
    putU48(target, to + 6, hardState.vote);
    putU48(target, to + 12, hardState.commit);
    to += HARD_STATE_BYTES;
  }
  if (snapshot !== undefined) {
    putU32(target, to, snapshot.length);
    target.set(snapshot, to + 4);
    to += 4 + snapshot.length;
  }
  writeEntries(entries, target, to);
}

/** Undefined when the bytes are no batch. Entries' data are views. */
export function readBatch(bytes: Uint8Array): LogBatch | undefined {
  const parts = bytes[0];
  if (parts === undefined || parts > (HAS_HARD_STATE | HAS_SNAPSHOT)) return undefined;
  let at = 1;
  let hardState: HardState | undefined;
  if (parts & HAS_HARD_STATE) {
    if (bytes.length - at < HARD_STATE_BYTES) return undefined;
    hardState = { term: getU48(bytes, at), vote: getU48(bytes, at + 6), commit: getU48(bytes, at + 12) };
    at += HARD_STATE_BYTES;
  }
  let snapshot: SnapshotMetadata | undefined;
  if (parts & HAS_SNAPSHOT) {
    if (bytes.length - at < 4) return undefined;
    const end = at + 4 + getU32(bytes, at);
    if (end > bytes.length) return undefined;
    snapshot = readSnapshotMetadata(decodeJson(bytes.subarray(at + 4, end)));
    if (snapshot === undefined) return undefined;
    at = end;
  }
  const entries = readEntries(bytes, at, bytes.length);
  return entries && { entries, hardState, snapshot };
}

const strictText = new TextDecoder('utf-8', { fatal: true });

export function encodeJson(value: unknown): Uint8Array {
  return utf8Of(JSON.stringify(value));
}

/** Undefined when it is not JSON. */
export function decodeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(strictText.decode(bytes));
  } catch {
    return undefined;
  }
}

export function readSegmentRecord(value: unknown): SegmentRecord | undefined {
  if (!isObject(value)) return undefined;
  const { format, clusterId, nodeId, hardState, snapshot, lastIndex, framesBefore, bytes } = value;
  if (!isCount(format) || typeof clusterId !== 'string' || !isCount(nodeId)) return undefined;
  if (!isObject(hardState) || !isCount(lastIndex) || !isCount(framesBefore)) return undefined;
  if (!isCount(bytes)) return undefined;
  const { term, vote, commit } = hardState;
  if (!isCount(term) || !isCount(vote) || !isCount(commit)) return undefined;
  const metadata = snapshot === undefined ? undefined : readSnapshotMetadata(snapshot);
  if (snapshot !== undefined && metadata === undefined) return undefined;
  const state = { term, vote, commit };
  return { format, clusterId, nodeId, hardState: state, snapshot: metadata, lastIndex, framesBefore, bytes };
}

export function readSnapshotMetadata(value: unknown): SnapshotMetadata | undefined {
  if (!isObject(value)) return undefined;
  const { index, term, confState } = value;
  if (!isCount(index) || !isCount(term)) return undefined;
  const state = readConfState(confState);
  return state && { index, term, confState: state };
}

function readConfState(value: unknown): ConfState | undefined {
  if (!isObject(value)) return undefined;
  const { voters, learners, votersOutgoing, learnersNext, autoLeave } = value;
  if (!isIds(voters) || !isIds(learners) || !isIds(votersOutgoing) || !isIds(learnersNext)) return undefined;
  return typeof autoLeave === 'boolean' ? { voters, learners, votersOutgoing, learnersNext, autoLeave } : undefined;
}

export function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null;
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}

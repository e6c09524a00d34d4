import { EMPTY_HARD_STATE, type Entry, type HardState, type SnapshotMetadata } from '../raft/index.ts';
import {
  alignFrame,
  FRAME_HEADER_BYTES,
  FrameKind,
  hasEmptySector,
  isZero,
  readFrameHeader,
  readPayload,
} from './log-frame.ts';
import {
  decodeJson,
  isObject,
  LOG_FORMAT,
  readBatch,
  readSegmentRecord,
  readSnapshotMetadata,
  type SegmentRecord,
} from './log-record.ts';
import { CorruptStorageError } from './storage-error.ts';

/** Where the log goes on. */
export interface LogEnd {
  /** Of the segment. */
  readonly sequence: number;
  /** Where the next frame starts. */
  readonly position: number;
  /** Where the first frame starts of which no later one says that it was durable. */
  readonly unsure: number;
  readonly frames: number;
  /** In the segment before. */
  readonly framesBefore: number;
  /** Of the last frame. */
  readonly checksum: number;
}

/** A part of a segment that a crash left half written and that nobody was ever told about. */
export interface TornTail {
  readonly from: number;
  readonly to: number;
}

/** Rebuilds what the log says, segment by segment, oldest first. */
export class LogReplay {
  hardState: HardState = EMPTY_HARD_STATE;
  /** The newest snapshot that the log knows of. */
  snapshot: SnapshotMetadata | undefined;
  /** All that the log still has, without a gap; the first follows `base`. */
  entries: Entry[] = [];
  base = 0;
  /** For each segment, the log's last index as the segments before it left it. */
  readonly lastIndexBefore: number[] = [];
  end: LogEnd | undefined;
  private readonly clusterId: string;
  private readonly nodeId: number;

  constructor(clusterId: string, nodeId: number) {
    this.clusterId = clusterId;
    this.nodeId = nodeId;
  }

  get lastIndex(): number {
    return this.base + this.entries.length;
  }

  /**
   * Reads one segment.
   * @param sealed whether a later segment exists: this one was durable to its last frame before that was begun
   * @returns what must be cut off, if anything
   * @throws CorruptStorageError
   */
  segment(file: string, bytes: Uint8Array, sequence: number, sealed: boolean): TornTail | undefined {
    if (bytes.length === 0) throw cutOff(file, 0);
    const before = this.end;
    const starts: number[] = [];
    let durable = 0;
    let checksum = before?.checksum ?? 0;
    let frames = 0;
    let at = 0;
    for (;;) {
      const header = readFrameHeader(bytes, at, sequence);
      if (header === undefined || header.number !== frames) break;
      // What lies before the oldest segment is gone, and its checksum with it.
      if (header.previous !== checksum && (frames > 0 || before !== undefined)) {
        throw new CorruptStorageError(
          file,
          at,
          'does not follow what comes before: a durable part of the log is missing',
        );
      }
      const payload = readPayload(bytes, at, header);
      if (payload === undefined) break;
      if ((frames === 0) !== (header.kind === FrameKind.Segment)) {
        throw new CorruptStorageError(file, at, 'a segment that does not start with its header');
      }
      this.record(file, at, header.kind, payload, before, bytes.length);
      starts.push(at);
      durable = header.durable;
      checksum = header.checksum;
      frames++;
      at = alignFrame(at + FRAME_HEADER_BYTES + header.payloadBytes);
    }
    // A segment that was given its name but no frame yet belongs to the log already, which goes on in it.
    if (frames === 0) this.lastIndexBefore.push(this.lastIndex);
    const unsure = starts[durable] ?? at;
    this.end = { sequence, position: at, unsure, frames, framesBefore: before?.frames ?? 0, checksum };
    return tornTail(file, bytes, sequence, frames, Math.min(at, bytes.length), sealed);
  }

  private record(
    file: string,
    at: number,
    kind: number,
    payload: Uint8Array,
    before: LogEnd | undefined,
    fileBytes: number,
  ): void {
    switch (kind) {
      case FrameKind.Segment: {
        const value = decodeJson(payload);
        if (isObject(value) && value.format !== LOG_FORMAT) {
          throw new CorruptStorageError(file, at, `log format ${value.format}, this version reads ${LOG_FORMAT}`);
        }
        const record = readSegmentRecord(value);
        if (record === undefined) throw new CorruptStorageError(file, at, 'a segment header that makes no sense');
        if (fileBytes < record.bytes) throw cutOff(file, fileBytes);
        this.startSegment(file, at, record, before);
        return;
      }
      case FrameKind.Snapshot: {
        const metadata = readSnapshotMetadata(decodeJson(payload));
        if (metadata === undefined) throw new CorruptStorageError(file, at, 'a snapshot marker that makes no sense');
        // One from a peer may have overtaken it.
        if (metadata.index > (this.snapshot?.index ?? 0)) this.snapshot = metadata;
        return;
      }
      case FrameKind.Batch: {
        const batch = readBatch(payload);
        if (batch === undefined) throw new CorruptStorageError(file, at, 'a batch that makes no sense');
        if (batch.snapshot !== undefined) {
          this.snapshot = batch.snapshot;
          this.entries = [];
          this.base = batch.snapshot.index;
        }
        this.append(file, at, batch.entries);
        if (batch.hardState !== undefined) this.hardState = batch.hardState;
        return;
      }
      default:
        throw new CorruptStorageError(file, at, `a frame of unknown kind ${kind}`);
    }
  }

  private startSegment(file: string, at: number, record: SegmentRecord, before: LogEnd | undefined): void {
    if (record.clusterId !== this.clusterId || record.nodeId !== this.nodeId) {
      throw new CorruptStorageError(
        file,
        at,
        `belongs to node ${record.nodeId} of cluster ${record.clusterId}, not to node ${this.nodeId} of ${this.clusterId}; check --id, --cluster-id and --data-dir`,
      );
    }
    if (before === undefined) {
      this.hardState = record.hardState;
      this.snapshot = record.snapshot;
      this.base = record.lastIndex;
    } else if (record.framesBefore !== before.frames || record.lastIndex !== this.lastIndex) {
      throw new CorruptStorageError(
        file,
        at,
        `goes on after frame ${record.framesBefore} and entry ${record.lastIndex}, but the segment before ends with frame ${before.frames} and entry ${this.lastIndex}: a durable part of the log is missing`,
      );
    }
    this.lastIndexBefore.push(record.lastIndex);
  }

  /**
   * The newest write wins: entries at or after the first new one are gone, also when it lies below everything
   * that is still known here (etcd#22442: such a truncation was left out, and dead entries came back).
   */
  private append(file: string, at: number, entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index > this.lastIndex + 1) {
        throw new CorruptStorageError(file, at, `entry ${entry.index} follows ${this.lastIndex}`);
      }
      if (entry.index <= this.base) {
        this.entries = [];
        this.base = entry.index - 1;
      } else if (entry.index <= this.lastIndex) this.entries.length = entry.index - this.base - 1;
      this.entries.push(entry);
    }
  }
}

function cutOff(file: string, bytes: number): CorruptStorageError {
  return new CorruptStorageError(
    file,
    bytes,
    'the end of this segment is missing. It may have held what was acknowledged, so the node must not go on without it: remove the data directory, and let the node join again as a new member',
  );
}

/** Judges what follows the last whole frame: nothing, a torn tail, or damage (see log-frame.ts). */
function tornTail(
  file: string,
  bytes: Uint8Array,
  sequence: number,
  frames: number,
  at: number,
  sealed: boolean,
): TornTail | undefined {
  let to = bytes.length;
  while (to > at && bytes[to - 1] === 0) to--;
  if (to === at) return undefined;
  const later = laterClaim(bytes, sequence, frames, at);
  if (later !== undefined) {
    throw new CorruptStorageError(
      file,
      at,
      `frame ${frames} is damaged or missing, although the frame at byte ${later} was written after it was durable`,
    );
  }
  if (sealed) throw new CorruptStorageError(file, at, `frame ${frames} is damaged, and the log went on after it`);
  if (isZero(bytes, at, Math.min(bytes.length, at + FRAME_HEADER_BYTES))) return { from: at, to };
  const header = readFrameHeader(bytes, at, sequence);
  const end = at + FRAME_HEADER_BYTES + (header?.payloadBytes ?? 0);
  const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
  if (header === undefined || end > bytes.length || !hasEmptySector(payload, at + FRAME_HEADER_BYTES)) {
    throw new CorruptStorageError(
      file,
      at,
      `frame ${frames} was written in full and is damaged. It may have been acknowledged, so the node must not go on without it: remove the data directory, and let the node join again as a new member`,
    );
  }
  return { from: at, to };
}

/** A whole frame further on that says that frame number `frames` was durable; where it is. */
function laterClaim(bytes: Uint8Array, sequence: number, frames: number, at: number): number | undefined {
  for (let place = at + FRAME_HEADER_BYTES; place + FRAME_HEADER_BYTES <= bytes.length; place += FRAME_HEADER_BYTES) {
    const header = readFrameHeader(bytes, place, sequence);
    if (header === undefined || header.durable <= frames) continue;
    if (readPayload(bytes, place, header) !== undefined) return place;
  }
  return undefined;
}

import { invariant } from '../assert.ts';
import { type File, type FileSystem, PortError } from '../ports.ts';
import type { HardState, SnapshotMetadata } from '../raft/index.ts';
import { alignFrame, FRAME_HEADER_BYTES, FrameKind, sealFrame } from './log-frame.ts';
import { batchBytes, encodableBatch, encodeJson, LOG_FORMAT, type SegmentRecord, writeBatch } from './log-record.ts';
import type { LogEnd, LogReplay } from './log-replay.ts';
import { LOG_DIRECTORY, type SegmentFiles, segmentPath } from './segment-files.ts';
import type { Appended, LogBatch, LogState, WriteAheadLog } from './write-ahead-log.ts';

export interface SegmentedLogOptions {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly inFlightMax: number;
}

/** A frame that waits for its turn. Its place, number and chain are settled when it is written. */
interface Waiting {
  readonly kind: FrameKind;
  readonly payloadBytes: number;
  readonly writePayload: (target: Uint8Array, at: number) => void;
  /** Takes note of what the log says once this is in it. */
  readonly note: () => void;
  readonly done: Appended;
}

/** A write that is with the disk, or was and has not been called back. */
interface Write {
  readonly slot: number;
  readonly position: number;
  readonly bytes: Uint8Array;
  /** In the segment, once it is durable. */
  readonly frames: number;
  readonly done: Appended;
  outcome: 'pending' | 'durable' | 'no-space';
}

/** The log in segments (see log-frame.ts for what is in them). */
export class SegmentedLog implements WriteAheadLog {
  private readonly fileSystem: FileSystem;
  private readonly segments: SegmentFiles;
  private readonly options: SegmentedLogOptions;
  /** Oldest first, the current one last. */
  private readonly starts: { readonly sequence: number; readonly lastIndexBefore: number }[];
  /**
   * The current segment, opened once for each write that may be in flight: the kernel reports a failed writeback
   * once to each open file, so of two syncs through one only the first might hear of it.
   */
  private files: readonly File[] = [];
  private segmentBytes = 0;
  private sequence: number;
  private position: number;
  private frames: number;
  private framesBefore: number;
  private checksum: number;
  private durableFrames: number;

  private hardState: HardState;
  private snapshot: SnapshotMetadata | undefined;
  private lastIndex: number;

  private readonly waiting: Waiting[] = [];
  /** In the order of their places; at most `inFlightMax`. */
  private readonly writes: Write[] = [];
  private beginning: Promise<void> | undefined;
  private failure: PortError | undefined;
  private noSpace = false;
  /** No further attempt is made before `retry`. */
  private stuck = false;
  private drained: (() => void) | undefined;

  private constructor(
    fileSystem: FileSystem,
    segments: SegmentFiles,
    options: SegmentedLogOptions,
    sequences: readonly number[],
    replay: LogReplay,
    end: LogEnd,
  ) {
    this.fileSystem = fileSystem;
    this.segments = segments;
    this.options = options;
    this.starts = sequences.map((sequence, at) => ({ sequence, lastIndexBefore: replay.lastIndexBefore[at]! }));
    this.sequence = end.sequence;
    this.position = end.position;
    this.frames = end.frames;
    this.durableFrames = end.frames;
    this.framesBefore = end.framesBefore;
    this.checksum = end.checksum;
    this.hardState = replay.hardState;
    this.snapshot = replay.snapshot;
    this.lastIndex = replay.lastIndex;
  }

  /** Goes on where a replay ended. @param sequences of all segments, oldest first */
  static async open(
    fileSystem: FileSystem,
    segments: SegmentFiles,
    options: SegmentedLogOptions,
    sequences: readonly number[],
    replay: LogReplay,
    end: LogEnd,
  ): Promise<SegmentedLog> {
    const log = new SegmentedLog(fileSystem, segments, options, sequences, replay, end);
    await log.openFiles();
    log.segmentBytes = await log.files[0]!.size();
    segments.prepare();
    return log;
  }

  get state(): LogState {
    if (this.failure !== undefined) return 'failed';
    return this.noSpace ? 'no-space' : 'ready';
  }

  get pending(): number {
    return this.waiting.length + this.writes.length;
  }

  append(batch: LogBatch, done: Appended): void {
    const encodable = encodableBatch(batch);
    this.add({
      kind: FrameKind.Batch,
      payloadBytes: batchBytes(encodable),
      writePayload: (target, at) => writeBatch(encodable, target, at),
      note: () => {
        if (batch.hardState !== undefined) this.hardState = batch.hardState;
        if (batch.snapshot !== undefined) {
          this.snapshot = batch.snapshot;
          this.lastIndex = batch.snapshot.index;
        }
        const first = batch.entries[0]?.index;
        if (first === undefined) return;
        invariant(first <= this.lastIndex + 1, 'entries follow the log', () => ({ first, lastIndex: this.lastIndex }));
        this.lastIndex = first + batch.entries.length - 1;
      },
      done,
    });
  }

  markSnapshot(metadata: SnapshotMetadata, done: Appended): void {
    const payload = encodeJson(metadata);
    this.add({
      kind: FrameKind.Snapshot,
      payloadBytes: payload.length,
      writePayload: (target, at) => target.set(payload, at),
      note: () => {
        const { index } = metadata;
        invariant(index <= this.lastIndex, 'a snapshot is of what is durable', () => ({ index, last: this.lastIndex }));
        // One from a peer may have overtaken it.
        if (index > (this.snapshot?.index ?? 0)) this.snapshot = metadata;
      },
      done,
    });
  }

  retry(): void {
    if (!this.stuck || this.failure !== undefined) return;
    this.stuck = false;
    for (const write of this.writes) if (write.outcome === 'no-space') this.write(write);
    this.pump();
  }

  async purge(index: number): Promise<void> {
    invariant(index <= (this.snapshot?.index ?? 0), 'only what a snapshot holds is purged', () => ({
      index,
      snapshot: this.snapshot?.index,
    }));
    let removed = false;
    while (this.starts.length > 1) {
      const next = this.starts[1]!;
      // What the segments before said lives on in the header of the next one: it must be durable.
      if (next.lastIndexBefore > index || (this.starts.length === 2 && this.durableFrames === 0)) break;
      const [oldest] = this.starts.splice(0, 1);
      await this.fileSystem.remove(segmentPath(oldest!.sequence));
      removed = true;
    }
    if (removed) await this.fileSystem.syncDirectory(LOG_DIRECTORY);
  }

  async close(): Promise<void> {
    if (this.pending > 0 && this.failure === undefined && !this.stuck) {
      await new Promise<void>((resolve) => {
        this.drained = resolve;
      });
    }
    await this.segments.stop();
    await this.beginning;
    this.failure ??= new PortError('EBADF', 'the log is closed');
    for (const file of this.files) await file.close();
  }

  private add(frame: Waiting): void {
    if (this.failure !== undefined) {
      const failure = this.failure;
      queueMicrotask(() => frame.done(failure));
      return;
    }
    this.waiting.push(frame);
    this.pump();
  }

  private pump(): void {
    while (this.waiting.length > 0 && this.writes.length < this.options.inFlightMax) {
      if (this.failure !== undefined || this.stuck || this.beginning !== undefined) return;
      const frame = this.waiting[0]!;
      const header = this.frames === 0 ? this.segmentHeader(this.segmentBytes) : undefined;
      const start = header === undefined ? 0 : alignFrame(FRAME_HEADER_BYTES + header.length);
      const bytes = start + FRAME_HEADER_BYTES + frame.payloadBytes;
      if (this.position + bytes > this.segmentBytes) {
        // A segment is sealed: all of it is durable before the next one exists.
        if (this.writes.length === 0) this.beginning = this.beginSegment(frame.payloadBytes);
        return;
      }
      this.waiting.shift();
      const buffer = new Uint8Array(bytes);
      if (header !== undefined) {
        buffer.set(header, FRAME_HEADER_BYTES);
        this.seal(buffer, 0, FrameKind.Segment, header.length);
      }
      frame.writePayload(buffer, start + FRAME_HEADER_BYTES);
      this.seal(buffer, start, frame.kind, frame.payloadBytes);
      frame.note();
      const slot = this.files.findIndex((_, at) => this.writes.every((write) => write.slot !== at));
      const { position, frames } = this;
      const write: Write = { slot, position, bytes: buffer, frames, done: frame.done, outcome: 'pending' };
      this.position = alignFrame(position + bytes);
      this.writes.push(write);
      this.write(write);
    }
  }

  private seal(buffer: Uint8Array, at: number, kind: FrameKind, payloadBytes: number): void {
    this.checksum = sealFrame(buffer, at, this.position + at, {
      kind,
      payloadBytes,
      number: this.frames,
      durable: this.durableFrames,
      sequence: this.sequence,
      previous: this.checksum,
    });
    this.frames++;
  }

  /** @param bytes of the segment's file */
  private segmentHeader(bytes: number): Uint8Array {
    const record: SegmentRecord = {
      format: LOG_FORMAT,
      clusterId: this.options.clusterId,
      nodeId: this.options.nodeId,
      hardState: this.hardState,
      snapshot: this.snapshot,
      lastIndex: this.lastIndex,
      framesBefore: this.framesBefore,
      bytes,
    };
    return encodeJson(record);
  }

  private write(write: Write): void {
    write.outcome = 'pending';
    this.files[write.slot]!.writeDurably(write.position, [write.bytes], (error) => this.written(write, error));
  }

  private written(write: Write, error: PortError | undefined): void {
    if (this.failure !== undefined) return;
    if (error === undefined) {
      write.outcome = 'durable';
      this.settle();
    } else if (error.code === 'ENOSPC') {
      // The write did not get as far as the sync, and the same bytes may go to the same place again.
      write.outcome = 'no-space';
      this.noSpace = true;
      this.stuck = true;
    } else this.fail(error);
  }

  /** Calls back what is durable, in order. */
  private settle(): void {
    while (this.writes[0]?.outcome === 'durable') {
      const write = this.writes.shift()!;
      this.durableFrames = write.frames;
      if (!this.stuck) this.noSpace = false;
      write.done(undefined);
      // The caller may have closed the log, or learnt of a failure, meanwhile.
      if (this.failure !== undefined) return;
    }
    this.pump();
    if (this.pending === 0) this.drained?.();
  }

  private fail(error: PortError): void {
    this.failure = error;
    const told = [...this.writes, ...this.waiting];
    this.writes.length = 0;
    this.waiting.length = 0;
    for (const { done } of told) done(error);
    this.drained?.();
  }

  private async beginSegment(payloadBytes: number): Promise<void> {
    try {
      const sequence = this.sequence + 1;
      // No header is longer than one that says the largest number.
      const headerBytes = alignFrame(2 * FRAME_HEADER_BYTES + this.segmentHeader(Number.MAX_SAFE_INTEGER).length);
      const bytes = await this.segments.begin(sequence, headerBytes + FRAME_HEADER_BYTES + payloadBytes);
      const old = this.files;
      this.starts.push({ sequence, lastIndexBefore: this.lastIndex });
      this.sequence = sequence;
      this.segmentBytes = bytes;
      this.position = 0;
      this.framesBefore = this.frames;
      this.frames = 0;
      this.durableFrames = 0;
      await this.openFiles();
      for (const file of old) await file.close();
      this.segments.prepare();
      this.beginning = undefined;
      this.pump();
    } catch (error) {
      this.beginning = undefined;
      if (!(error instanceof PortError)) throw error;
      if (error.code !== 'ENOSPC') return this.fail(error);
      this.noSpace = true;
      this.stuck = true;
    }
  }

  private async openFiles(): Promise<void> {
    const files: File[] = [];
    for (let at = 0; at < this.options.inFlightMax; at++) {
      files.push(await this.fileSystem.open(segmentPath(this.sequence), 'write-through'));
    }
    this.files = files;
  }
}

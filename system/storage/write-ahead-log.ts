import type { PortError } from '../ports.ts';
import type { Entry, HardState, SnapshotMetadata } from '../raft/index.ts';

/** What one write makes durable together: after a crash all of it is there, or nothing. */
export interface LogBatch {
  /** Entries at or after the first one that were written before are replaced. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  /**
   * A snapshot from a peer that takes the place of the log: earlier entries are gone, `entries` follow it. Its
   * file must be durable already (`SnapshotWriter.finish`).
   */
  readonly snapshot: SnapshotMetadata | undefined;
}

/** Durable when undefined. An error is final: the log takes nothing more (see `WriteAheadLog.state`). */
export type Appended = (error: PortError | undefined) => void;

/**
 * - `ready`
 * - `no-space`: batches wait for room on the disk; nothing is lost. Refuse new writes, call `retry` now and then.
 * - `failed`: a write or sync failed, so nothing is known about what reached the disk (fsyncgate). The node must stop.
 */
export type LogState = 'ready' | 'no-space' | 'failed';

/** The log on disk. Opened by `openStorage`. */
export interface WriteAheadLog {
  readonly state: LogState;
  /** Batches given to `append` and not yet called back: those being written, and those that wait. */
  readonly pending: number;
  /**
   * Writes a batch with one write and one fdatasync. Batches become durable, and call back, in the order given;
   * at most `inFlightMax` are with the disk at once, the others wait (bounded by the caller: see `pending`).
   */
  append(batch: LogBatch, done: Appended): void;
  /**
   * Records a snapshot that this node made of its own state; entries after it stay. Its file must be durable.
   * Ordered with `append`.
   */
  markSnapshot(metadata: SnapshotMetadata, done: Appended): void;
  /** Tries again after `no-space`. Cheap when there is nothing to try. */
  retry(): void;
  /**
   * Removes segments whose entries all lie at or below `index`, which must not be above the newest marked
   * snapshot. Keep a margin below that for followers that lag, and for falling back to an older snapshot.
   */
  purge(index: number): Promise<void>;
  /** Waits for what is in flight. */
  close(): Promise<void>;
}

import { type File, type FileSystem, PortError } from '../ports.ts';

export const LOG_DIRECTORY = 'wal';
const SUFFIX = '.wal';
const PREPARED = `${LOG_DIRECTORY}/next.tmp`;
/** Zeros written and synced at a time, so that the sync of a batch never waits for a whole segment. */
const ZEROS = new Uint8Array(1 << 20);

export function segmentPath(sequence: number): string {
  return `${LOG_DIRECTORY}/${sequence.toString(16).padStart(16, '0')}${SUFFIX}`;
}

/** Undefined when the name is not a segment's. */
export function segmentSequence(name: string): number | undefined {
  return /^[0-9a-f]{16}\.wal$/.test(name) ? Number.parseInt(name.slice(0, 16), 16) : undefined;
}

/**
 * Makes segments ahead of need, full of zeros, so that a write to the log changes neither the file's size nor
 * what the file system must remember of it (half the time of a sync), and never finds the disk full.
 */
export class SegmentFiles {
  private readonly fileSystem: FileSystem;
  private readonly segmentBytes: number;
  private prepared: number | undefined;
  private preparing: Promise<PortError | undefined> | undefined;
  private stopping = false;

  constructor(fileSystem: FileSystem, segmentBytes: number) {
    this.fileSystem = fileSystem;
    this.segmentBytes = segmentBytes;
  }

  /** Begins to make the next segment. A failure shows when it is needed, after another attempt. */
  prepare(): void {
    if (this.prepared === undefined && this.preparing === undefined) this.preparing = this.make(this.segmentBytes);
  }

  /** Gives a new segment of at least `bytesMin` its name, durably. @returns its size. @throws PortError */
  async begin(sequence: number, bytesMin: number): Promise<number> {
    await this.preparing;
    if (this.prepared === undefined || this.prepared < bytesMin) {
      this.prepared = undefined;
      this.preparing = this.make(Math.max(this.segmentBytes, bytesMin));
      const error = await this.preparing;
      if (error !== undefined) throw error;
    }
    const bytes = this.prepared!;
    this.prepared = undefined;
    await this.fileSystem.rename(PREPARED, segmentPath(sequence));
    await this.fileSystem.syncDirectory(LOG_DIRECTORY);
    return bytes;
  }

  /** Stops making the next segment. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.preparing;
  }

  private async make(bytes: number): Promise<PortError | undefined> {
    try {
      await this.removePrepared();
      const file = await this.fileSystem.open(PREPARED, 'create');
      try {
        if (!(await this.fill(file, bytes))) return undefined;
      } finally {
        await file.close();
      }
      this.prepared = bytes;
      return undefined;
    } catch (error) {
      if (!(error instanceof PortError)) throw error;
      // Half a segment is of no use, and on a full disk its room is.
      await this.removePrepared().catch(() => {});
      return error;
    } finally {
      this.preparing = undefined;
    }
  }

  private async fill(file: File, bytes: number): Promise<boolean> {
    for (let at = 0; at < bytes; at += ZEROS.length) {
      if (this.stopping) return false;
      await file.write(at, [ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at))]);
      await file.datasync();
    }
    return true;
  }

  private async removePrepared(): Promise<void> {
    try {
      await this.fileSystem.remove(PREPARED);
    } catch (error) {
      if (!(error instanceof PortError && error.code === 'ENOENT')) throw error;
    }
  }
}

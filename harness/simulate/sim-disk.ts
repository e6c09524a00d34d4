import { type File, type FileSystem, PortError } from '../../system/ports.ts';
import type { Random } from '../generator/random.ts';
import { eventKind, type Scheduler, type SimProcess } from './scheduler.ts';

/** What a page cache writes at a time, and so what a power loss keeps or loses as a whole. */
const pageBytes = 4096;
/** What a disk writes at a time: a page that was being written when the power went is torn at such a seam. */
const sectorBytes = 512;

/** How a node's disk behaves now. Probabilities are in parts of 10,000 for each operation. */
export interface DiskConditions {
  readonly syncUs: number;
  readonly syncJitterUs: number;
  /** A sync takes this long instead, with that probability. */
  readonly stallUs: number;
  readonly stall: number;
  /** A sync fails with EIO. */
  readonly syncError: number;
  /** All that files may hold together. */
  readonly capacityBytes: number;
}

export const calmDisk: DiskConditions = {
  syncUs: 150,
  syncJitterUs: 350,
  stallUs: 0,
  stall: 0,
  syncError: 0,
  capacityBytes: 1 << 30,
};

/** A write that is in the page cache and not yet on the platter, with what stood there before. */
interface Unsynced {
  readonly position: number;
  readonly before: Uint8Array;
  readonly lengthBefore: number;
}

class SimFile {
  bytes: Uint8Array = new Uint8Array(4096);
  length = 0;
  unsynced: Unsynced[] = [];

  write(position: number, data: Uint8Array): void {
    const end = position + data.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    const before = this.bytes.slice(position, end);
    this.unsynced.push({ position, before, lengthBefore: this.length });
    this.bytes.set(data, position);
    this.length = Math.max(this.length, end);
  }

  truncate(length: number): void {
    this.bytes.fill(0, length, this.length);
    this.length = length;
  }

  /** Takes back unsynced writes, newest first, page by page as chance will have it. Returns bytes lost. */
  losePower(random: Random): number {
    let lost = 0;
    for (const { position, before, lengthBefore } of this.unsynced.reverse()) {
      const end = position + before.length;
      for (let at = position; at < end; ) {
        const next = Math.min(end, (Math.floor(at / pageBytes) + 1) * pageBytes);
        const fate = random.below(4);
        // Half of the pages never left the cache; a quarter did; a quarter was torn in the middle.
        const keepUntil = fate === 0 ? next : fate === 1 ? tearAt(at, next, random) : at;
        this.bytes.set(before.subarray(keepUntil - position, next - position), keepUntil);
        lost += next - keepUntil;
        at = next;
      }
      if (lost > 0 && lengthBefore < this.length && random.below(2) === 0) this.truncate(Math.max(lengthBefore, 0));
    }
    this.unsynced = [];
    return lost;
  }
}

function tearAt(from: number, to: number, random: Random): number {
  const sectors = Math.ceil((to - from) / sectorBytes);
  return Math.min(to, from + sectorBytes * random.below(sectors));
}

/**
 * A node's disk. It outlives processes. Killing a process loses nothing (the page cache is the machine's);
 * losing power loses, page by page, what was not synced, and changes of directories that were not.
 */
export class SimDisk {
  conditions: DiskConditions = calmDisk;
  readonly #random: Random;
  readonly #files = new Map<string, SimFile>();
  readonly #directories = new Set<string>(['']);
  /** Takes back the changes of directories that are not durable yet, oldest first. */
  #unsyncedNames: { readonly directory: string; readonly undo: () => void }[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** The FileSystem port of one process. */
  portOf(process: SimProcess, scheduler: Scheduler): FileSystem {
    return new SimFileSystem(this, process, scheduler, this.#random);
  }

  /** Returns how many unsynced bytes and names were lost, as proof of the fault. */
  losePower(): { bytes: number; names: number } {
    // A journalled directory loses a suffix of its changes, never something from the middle.
    const keep = this.#random.below(this.#unsyncedNames.length + 1);
    const lost = this.#unsyncedNames.slice(keep);
    for (const { undo } of lost.reverse()) undo();
    this.#unsyncedNames = [];
    let bytes = 0;
    for (const [, file] of this.#sorted()) bytes += file.losePower(this.#random);
    return { bytes, names: lost.length };
  }

  /** Everything gone, as a new machine of the same name. */
  reformat(): void {
    this.#files.clear();
    this.#directories.clear();
    this.#directories.add('');
    this.#unsyncedNames = [];
  }

  paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** Flips one bit; the file must be there. */
  flipBit(path: string, position: number, bit: number): void {
    const file = this.file(path);
    if (position < file.length) file.bytes[position]! ^= 1 << bit;
  }

  sizeOf(path: string): number {
    return this.file(path).length;
  }

  file(path: string): SimFile {
    const file = this.#files.get(path);
    if (file === undefined) throw new PortError('ENOENT', `${path}: no such file`);
    return file;
  }

  create(path: string): SimFile {
    if (this.#files.has(path)) throw new PortError('EEXIST', `${path}: is there already`);
    this.#requireDirectory(parentOf(path));
    const file = new SimFile();
    this.#files.set(path, file);
    this.#unsynced(path, () => this.#files.delete(path));
    return file;
  }

  rename(from: string, to: string): void {
    const file = this.file(from);
    this.#requireDirectory(parentOf(to));
    const replaced = this.#files.get(to);
    this.#files.delete(from);
    this.#files.set(to, file);
    this.#unsynced(to, () => {
      if (replaced === undefined) this.#files.delete(to);
      else this.#files.set(to, replaced);
      this.#files.set(from, file);
    });
  }

  remove(path: string): void {
    const file = this.file(path);
    this.#files.delete(path);
    this.#unsynced(path, () => this.#files.set(path, file));
  }

  makeDirectory(path: string): void {
    const names = path.split('/');
    for (let depth = 1; depth <= names.length; depth++) this.#directories.add(names.slice(0, depth).join('/'));
  }

  list(path: string): string[] {
    const directory = path === '.' ? '' : path;
    this.#requireDirectory(directory);
    const prefix = directory === '' ? '' : `${directory}/`;
    const names = new Set<string>();
    for (const name of [...this.#files.keys(), ...this.#directories]) {
      if (name.length > prefix.length && name.startsWith(prefix)) names.add(name.slice(prefix.length).split('/')[0]!);
    }
    return [...names].sort();
  }

  syncDirectory(path: string): void {
    const directory = path === '.' ? '' : path;
    // The journal is one: syncing a later change makes the earlier ones durable too.
    const last = this.#unsyncedNames.findLastIndex((change) => change.directory === directory);
    this.#unsyncedNames.splice(0, last + 1);
  }

  /** In parts of 10,000. */
  chance(probability: number): boolean {
    return probability > 0 && this.#random.below(10_000) < probability;
  }

  /** @throws PortError ENOSPC when growing by that much does not fit */
  reserve(growthBytes: number): void {
    if (growthBytes <= 0) return;
    let used = growthBytes;
    for (const file of this.#files.values()) used += file.length;
    if (used > this.conditions.capacityBytes) throw new PortError('ENOSPC', 'no space left on the simulated disk');
  }

  #unsynced(path: string, undo: () => void): void {
    this.#unsyncedNames.push({ directory: parentOf(path), undo });
  }

  #requireDirectory(path: string): void {
    if (!this.#directories.has(path)) throw new PortError('ENOENT', `${path}: no such directory`);
  }

  #sorted(): [string, SimFile][] {
    return [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

class SimFileSystem implements FileSystem {
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(disk: SimDisk, process: SimProcess, scheduler: Scheduler, random: Random) {
    this.#disk = disk;
    this.#process = process;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#later(() => this.#disk.makeDirectory(path));
  }

  list(path: string): Promise<readonly string[]> {
    return this.#later(() => this.#disk.list(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#later(() => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#later(() => this.#disk.remove(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#later(() => this.#disk.syncDirectory(path), this.#syncDelayUs());
  }

  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
    return this.#later(() => {
      const file = mode === 'create' ? this.#disk.create(path) : this.#disk.file(path);
      return this.#handle(path, file);
    });
  }

  #handle(path: string, file: SimFile): File {
    const write = (position: number, chunks: readonly Uint8Array[]) => {
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      this.#disk.reserve(position + length - file.length);
      let at = position;
      for (const chunk of chunks) {
        file.write(at, chunk);
        at += chunk.length;
      }
    };
    /** Makes durable what was written before it began. */
    const beginSync = () => {
      const covered = new Set(file.unsynced);
      return () => {
        if (this.#disk.chance(this.#disk.conditions.syncError)) throw new PortError('EIO', `${path}: fdatasync failed`);
        file.unsynced = file.unsynced.filter((write) => !covered.has(write));
      };
    };
    return {
      path,
      size: () => this.#later(() => file.length),
      read: (position, lengthBytes) =>
        this.#later(() => file.bytes.slice(position, Math.min(file.length, position + lengthBytes))),
      write: (position, chunks) => this.#later(() => write(position, chunks)),
      datasync: () => this.#later(beginSync(), this.#syncDelayUs()),
      writeDurably: (position, chunks, done) => {
        let failure: PortError | undefined;
        let endSync: (() => void) | undefined;
        try {
          write(position, chunks);
          endSync = beginSync();
        } catch (error) {
          failure = asPortError(error);
        }
        this.#scheduler.schedule(this.#syncDelayUs(), eventKind.disk, this.#process, () => {
          try {
            endSync?.();
          } catch (error) {
            failure = asPortError(error);
          }
          done(failure);
        });
      },
      truncate: (lengthBytes) =>
        this.#later(() => {
          if (lengthBytes > file.length) write(file.length, [new Uint8Array(lengthBytes - file.length)]);
          else file.truncate(lengthBytes);
        }),
      close: () => this.#later(() => {}),
    };
  }

  #syncDelayUs(): number {
    const { syncUs, syncJitterUs, stall, stallUs } = this.#disk.conditions;
    return this.#disk.chance(stall) ? stallUs : syncUs + this.#random.below(syncJitterUs + 1);
  }

  #later<T>(act: () => T, delayUs = 20 + this.#random.below(60)): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#scheduler.schedule(delayUs, eventKind.disk, this.#process, () => {
        try {
          resolve(act());
        } catch (error) {
          reject(asPortError(error));
        }
      });
    });
  }
}

function asPortError(error: unknown): PortError {
  if (error instanceof PortError) return error;
  throw error;
}

import type { DiskFault } from '../../nemesis/world.ts';
import { type FileSystem, PortError } from '../../system/ports.ts';
import type { Random } from '../generator/random.ts';
import type { Scheduler, SimProcess } from './scheduler.ts';
import { SimFile } from './sim-file.ts';
import { SimFileSystem } from './sim-file-system.ts';

/** How a node's disk behaves while nothing is wrong with it. */
export interface DiskConditions {
  readonly syncUs: number;
  readonly syncJitterUs: number;
  /** A sync takes this long instead, with that probability in parts of 10,000. */
  readonly stallUs: number;
  readonly stall: number;
}

export const calmDisk: DiskConditions = { syncUs: 150, syncJitterUs: 350, stallUs: 0, stall: 0 };

/**
 * A node's disk. It outlives processes. Killing a process loses nothing (the page cache is the machine's);
 * losing power loses, page by page, what was not synced, and changes of directories that were not.
 */
export class SimDisk {
  conditions: DiskConditions = calmDisk;
  /** Ends the process, in the middle of a write or sync of its own. */
  onDeath: ((process: SimProcess) => void) | undefined;
  readonly #random: Random;
  #files = new Map<string, SimFile>();
  readonly #directories = new Set<string>(['']);
  /** Takes back the changes of directories that are not durable yet, oldest first. */
  #unsyncedNames: { readonly directory: string; readonly undo: () => void }[] = [];
  #fault: DiskFault | undefined;
  /** How often the fault was met. */
  #met = 0;
  /** Writes or syncs until the one that fails. */
  #countdown = 0;
  /** Syncs that hang, oldest first; bounded by what nodes have with their disk at once. */
  #held: (() => void)[] = [];
  readonly #thrown = new WeakSet<PortError>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** The FileSystem port of one process. */
  portOf(process: SimProcess, scheduler: Scheduler): FileSystem {
    return new SimFileSystem(this, process, scheduler, this.#random);
  }

  /** From now on, until `heal`. */
  fail(fault: DiskFault): void {
    this.heal();
    this.#fault = fault;
    this.#countdown = fault.type === 'sync-error' || fault.type === 'crash' ? fault.after : 0;
  }

  /** Ends the fault; what hangs goes on. */
  heal(): void {
    if (this.#fault?.type === 'lying') this.#flush();
    this.#fault = undefined;
    this.#met = 0;
    for (const goOn of this.#held.splice(0)) goOn();
  }

  /** What it has said to be durable is. */
  #flush(): void {
    for (const [, file] of this.#sorted()) file.beginSync().end();
    this.#unsyncedNames = [];
  }

  get fault(): DiskFault | undefined {
    return this.#fault;
  }

  get met(): number {
    return this.#met;
  }

  /** Whether this error is one that a fault here made. */
  caused(error: unknown): error is PortError {
    return error instanceof PortError && this.#thrown.has(error);
  }

  /** Whether the process ends in this write or sync. */
  diesIn(operation: 'write' | 'sync'): boolean {
    return this.#fault?.type === 'crash' && this.#fault.at === operation && this.#countsDown();
  }

  /** @throws PortError EIO when it is this sync's turn to fail */
  failSync(path: string): void {
    if (this.#fault?.type === 'sync-error' && this.#countsDown()) throw this.#error('EIO', `${path}: sync failed`);
  }

  /** How much longer a sync takes. */
  slowdownUs(): number {
    if (this.#fault?.type !== 'slow') return 0;
    this.#met++;
    return this.#fault.delayMs * 1000;
  }

  /** Whether the sync hangs; `goOn` is called when it no longer does. */
  hangs(goOn: () => void): boolean {
    if (this.#fault?.type !== 'hung') return false;
    this.#met++;
    this.#held.push(goOn);
    return true;
  }

  /** Whether the disk says of a sync that it is done, and has not begun. */
  lies(): boolean {
    if (this.#fault?.type !== 'lying') return false;
    this.#met++;
    return true;
  }

  /** The kernel may drop from its cache what it wrongly takes for written. */
  dropClean(): void {
    for (const [, file] of this.#sorted()) if (this.#random.below(2) === 0) file.dropClean();
  }

  /** All that is on it now, for `restore`; or what has such a path, for `putBack`. */
  copy(those = /^/): ReadonlyMap<string, SimFile> {
    const files = this.#sorted().filter(([path]) => those.test(path));
    return new Map(files.map(([path, file]) => [path, file.copy()]));
  }

  /** Puts back what a copy holds, durably, in place of the files with such a path. */
  putBack(those: RegExp, copy: ReadonlyMap<string, SimFile>): void {
    for (const path of [...this.#files.keys()].filter((path) => those.test(path))) this.#files.delete(path);
    for (const [path, file] of copy) this.#files.set(path, file.copy());
    this.#unsyncedNames = [];
  }

  /** Puts back what a copy holds, durably, in place of all that is here. */
  restore(copy: ReadonlyMap<string, SimFile>): void {
    this.#files = new Map([...copy].map(([path, file]) => [path, file.copy()]));
    this.#unsyncedNames = [];
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

  /** @throws PortError ENOSPC when a file is to grow on a disk that is full */
  reserve(path: string, growthBytes: number): void {
    if (growthBytes <= 0 || this.#fault?.type !== 'full') return;
    this.#met++;
    throw this.#error('ENOSPC', `${path}: no space left on the simulated disk`);
  }

  #countsDown(): boolean {
    if (--this.#countdown !== 0) return false;
    this.#met++;
    return true;
  }

  #error(code: string, message: string): PortError {
    const error = new PortError(code, message);
    this.#thrown.add(error);
    return error;
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

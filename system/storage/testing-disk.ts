import { type File, type FileSystem, type OpenMode, PortError } from '../ports.ts';

const SECTOR = 512;

interface Inode {
  /** What a crash leaves for certain. */
  durable: Uint8Array;
  /** What the running system reads. */
  current: Uint8Array;
  /** Sectors that differ until a sync. */
  readonly dirty: Set<number>;
}

/**
 * A disk in memory for tests. Every operation is a step in a later turn; operations that are waiting at the same
 * time take their steps in a seeded order. A power cut at any step: unsynced sectors reach the disk or not, each for
 * itself, and unsynced changes of names up to some point.
 */
export class TestingDisk implements FileSystem {
  steps = 0;
  /** The power is cut before this step. */
  cutAt = Number.POSITIVE_INFINITY;
  /** Consulted at each step; an error fails it. */
  fault: (operation: string, path: string) => PortError | undefined = () => undefined;
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private nameChanges: ((names: Map<string, Inode>) => void)[] = [];
  private readonly queue: (() => void)[] = [];
  private scheduled = false;
  private readonly random: (bound: number) => number;
  private onCut: () => void = () => {};
  private isCut = false;

  constructor(random: (bound: number) => number) {
    this.random = random;
  }

  /** Resolves when the power is cut. */
  whenCut(): Promise<void> {
    return new Promise((resolve) => {
      this.onCut = resolve;
    });
  }

  /** What the disk holds after the power cut. */
  reboot(): TestingDisk {
    const next = new TestingDisk(this.random);
    const kept = new Map(this.durableNames);
    for (const change of this.nameChanges.slice(0, this.random(this.nameChanges.length + 1))) change(kept);
    for (const [name, inode] of kept) {
      const bytes = inode.durable.slice();
      const grown = new Uint8Array(Math.max(bytes.length, this.random(2) * inode.current.length));
      grown.set(bytes);
      for (const sector of inode.dirty) {
        if (this.random(2) === 0) continue;
        const end = Math.min(grown.length, (sector + 1) * SECTOR, inode.current.length);
        if (end > sector * SECTOR) grown.set(inode.current.subarray(sector * SECTOR, end), sector * SECTOR);
      }
      const copy: Inode = { durable: grown, current: grown.slice(), dirty: new Set() };
      next.names.set(name, copy);
      next.durableNames.set(name, copy);
    }
    return next;
  }

  paths(): string[] {
    return [...this.names.keys()].sort();
  }

  /** Changes what is on the disk. */
  tamper(path: string, change: (bytes: Uint8Array) => void): void {
    const inode = this.names.get(path)!;
    change(inode.current);
    inode.durable = inode.current.slice();
  }

  bytes(path: string): Uint8Array {
    return this.names.get(path)!.current;
  }

  makeDirectory(): Promise<void> {
    return this.step('makeDirectory', '', () => {});
  }

  list(path: string): Promise<readonly string[]> {
    return this.step('list', path, () =>
      this.paths()
        .filter((name) => name.startsWith(`${path}/`))
        .map((name) => name.slice(path.length + 1)),
    );
  }

  rename(from: string, to: string): Promise<void> {
    return this.step('rename', from, () => {
      const inode = this.inode(from);
      this.changeNames((names) => {
        names.delete(from);
        names.set(to, inode);
      });
    });
  }

  remove(path: string): Promise<void> {
    return this.step('remove', path, () => {
      this.inode(path);
      this.changeNames((names) => names.delete(path));
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.step('syncDirectory', path, () => {
      this.durableNames = new Map(this.names);
      this.nameChanges = [];
    });
  }

  open(path: string, mode: OpenMode): Promise<File> {
    return this.step('open', path, () => {
      if (mode === 'create') {
        if (this.names.has(path)) throw new PortError('EEXIST', path);
        const inode: Inode = { durable: new Uint8Array(0), current: new Uint8Array(0), dirty: new Set() };
        this.changeNames((names) => names.set(path, inode));
      }
      return this.file(path, this.inode(path));
    });
  }

  private file(path: string, inode: Inode): File {
    const write = (position: number, chunks: readonly Uint8Array[]) => {
      let at = position;
      for (const chunk of chunks) {
        if (at + chunk.length > inode.current.length) {
          const grown = new Uint8Array(at + chunk.length);
          grown.set(inode.current);
          inode.current = grown;
        }
        inode.current.set(chunk, at);
        for (let sector = Math.floor(at / SECTOR); sector * SECTOR < at + chunk.length; sector++)
          inode.dirty.add(sector);
        at += chunk.length;
      }
    };
    const sync = () => {
      const durable = new Uint8Array(inode.current.length);
      durable.set(inode.durable.subarray(0, durable.length));
      for (const sector of inode.dirty) {
        const end = Math.min(inode.current.length, (sector + 1) * SECTOR);
        durable.set(inode.current.subarray(sector * SECTOR, end), sector * SECTOR);
      }
      inode.durable = durable;
      inode.dirty.clear();
    };
    /** What a failed sync covered is clean for the kernel, and will not be written again (fsyncgate). */
    const failedSync = (error: unknown) => {
      inode.dirty.clear();
      throw error;
    };
    return {
      path,
      size: () => this.step('size', path, () => inode.current.length),
      read: (position, length) => this.step('read', path, () => inode.current.slice(position, position + length)),
      write: (position, chunks) => this.step('write', path, () => write(position, chunks)),
      datasync: () => this.step('sync', path, sync).catch(failedSync),
      writeDurably: (position, chunks, done) => {
        this.step('write', path, () => write(position, chunks))
          .then(() => this.step('sync', path, sync).catch(failedSync))
          .then(
            () => done(undefined),
            (error: unknown) => {
              if (!(error instanceof PortError)) throw error;
              done(error);
            },
          );
      },
      truncate: (length) =>
        this.step('truncate', path, () => {
          inode.current = inode.current.slice(0, length);
          inode.durable = inode.current.slice();
        }),
      close: () => this.step('close', path, () => {}),
    };
  }

  private inode(path: string): Inode {
    const inode = this.names.get(path);
    if (inode === undefined) throw new PortError('ENOENT', path);
    return inode;
  }

  private changeNames(change: (names: Map<string, Inode>) => void): void {
    change(this.names);
    this.nameChanges.push(change);
  }

  private step<T>(operation: string, path: string, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.queue.push(() => {
        try {
          const error = this.fault(operation, path);
          if (error !== undefined) throw error;
          resolve(act());
        } catch (error) {
          reject(error);
        }
      });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.isCut || this.queue.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (this.steps++ >= this.cutAt) {
        this.isCut = true;
        this.onCut();
        return;
      }
      const [next] = this.queue.splice(this.random(this.queue.length), 1);
      next!();
      this.schedule();
    });
  }
}

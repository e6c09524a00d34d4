import { type File, type FileSystem, type OpenMode, PortError } from '../../system/ports.ts';
import type { Random } from '../generator/random.ts';
import { eventKind, type Scheduler, type SimProcess } from './scheduler.ts';
import type { SimDisk } from './sim-disk.ts';
import { pageBytes, type SimFile } from './sim-file.ts';

/** What an operation throws in which its process ended: nobody hears of it. */
const ended = Symbol('the process ended');

/** One process's door to its machine's disk. */
export class SimFileSystem implements FileSystem {
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
    return new Promise((resolve, reject) => {
      const sync = { end: () => this.#disk.syncDirectory(path), fail: () => {} };
      this.#sync(path, sync, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  open(path: string, mode: OpenMode): Promise<File> {
    return this.#later(() => {
      const file = mode === 'create' ? this.#disk.create(path) : this.#disk.file(path);
      return this.#handle(path, file);
    });
  }

  #handle(path: string, file: SimFile): File {
    const write = (position: number, chunks: readonly Uint8Array[]) => {
      let length = 0;
      for (const chunk of chunks) length += chunk.length;
      this.#disk.reserve(path, position + length - file.length);
      let at = position;
      for (const chunk of chunks) {
        file.write(at, chunk);
        at += chunk.length;
      }
    };
    /** A process that is killed in a write has copied some of its pages to the cache, from the first on. */
    const dieWriting = (position: number, chunks: readonly Uint8Array[]): never => {
      const all = Buffer.concat(chunks);
      const end = position + all.length;
      const boundaries = Math.ceil(end / pageBytes) - Math.floor(position / pageBytes);
      const cut = (Math.floor(position / pageBytes) + this.#random.below(boundaries + 1)) * pageBytes;
      file.write(position, all.subarray(0, Math.max(0, Math.min(end, cut) - position)));
      throw this.#die();
    };
    return {
      path,
      size: () => this.#later(() => file.length),
      read: (position, lengthBytes) =>
        this.#later(() => file.bytes.slice(position, Math.min(file.length, position + lengthBytes))),
      write: (position, chunks) =>
        this.#later(() => (this.#disk.diesIn('write') ? dieWriting : write)(position, chunks)),
      datasync: () =>
        new Promise((resolve, reject) => {
          this.#sync(path, file.beginSync(), (error) => (error === undefined ? resolve() : reject(error)));
        }),
      writeDurably: (position, chunks, done) => {
        // Not in the caller's turn, in which it may have more to do: the write is carried out beside it.
        if (this.#disk.diesIn('write')) return this.#event(() => dieWriting(position, chunks));
        try {
          write(position, chunks);
        } catch (error) {
          const failure = asPortError(error);
          this.#scheduler.schedule(this.#syncDelayUs(), eventKind.disk, this.#process, () => done(failure));
          return;
        }
        this.#sync(path, file.beginSync(), done);
      },
      truncate: (lengthBytes) =>
        this.#later(() => {
          if (lengthBytes > file.length) write(file.length, [new Uint8Array(lengthBytes - file.length)]);
          else file.truncate(lengthBytes);
        }),
      close: () => this.#later(() => {}),
    };
  }

  /** Calls back when the disk says that a sync is over. */
  #sync(
    path: string,
    sync: { end(): void; fail(random: Random): void },
    done: (error: PortError | undefined) => void,
  ): void {
    const over = () => {
      if (this.#disk.hangs(() => this.#event(over))) return;
      if (this.#disk.diesIn('sync')) {
        if (this.#random.below(2) === 0) sync.end();
        throw this.#die();
      }
      try {
        this.#disk.failSync(path);
      } catch (error) {
        sync.fail(this.#random);
        return done(asPortError(error));
      }
      if (!this.#disk.lies()) sync.end();
      done(undefined);
    };
    this.#event(over, this.#syncDelayUs() + this.#disk.slowdownUs());
  }

  #syncDelayUs(): number {
    const { syncUs, syncJitterUs, stall, stallUs } = this.#disk.conditions;
    return this.#disk.chance(stall) ? stallUs : syncUs + this.#random.below(syncJitterUs + 1);
  }

  #later<T>(act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#event(() => {
        try {
          resolve(act());
        } catch (error) {
          if (error === ended) throw error;
          reject(asPortError(error));
        }
      });
    });
  }

  #event(act: () => void, delayUs = 20 + this.#random.below(60)): void {
    this.#scheduler.schedule(delayUs, eventKind.disk, this.#process, () => {
      try {
        act();
      } catch (error) {
        if (error !== ended) throw error;
      }
    });
  }

  #die(): typeof ended {
    this.#disk.onDeath?.(this.#process);
    return ended;
  }
}

function asPortError(error: unknown): PortError {
  if (error instanceof PortError) return error;
  throw error;
}

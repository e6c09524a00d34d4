import { close, constants, fdatasync, fstat, ftruncate, open, read, writev } from 'node:fs';
import { mkdir, open as openFile, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { File, FileSystem } from '../ports.ts';
import { PortError } from '../ports.ts';
import { toPortError } from './port-error.ts';

/** IOV_MAX of Linux: more chunks than this go into further calls. */
const chunksMax = 1024;

const openFlags = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  // Each write is followed by what fdatasync does, in the same call: one trip to the thread pool instead of two.
  'write-through': constants.O_RDWR | constants.O_DSYNC,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

/** @param root the node's data directory; all paths are inside it */
export function createRealFileSystem(root: string): FileSystem {
  const at = (path: string) => {
    if (path.startsWith('/') || path.split('/').includes('..'))
      throw new PortError('EINVAL', `a path outside: ${path}`);
    return join(root, path);
  };
  async function attempt<T>(doing: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw toPortError(error, doing);
    }
  }
  return {
    makeDirectory: (path) =>
      attempt(`making directory ${path}`, async () => {
        await mkdir(at(path), { recursive: true });
      }),
    list: (path) =>
      attempt(`listing ${path}`, async () => {
        const names = await readdir(at(path), { encoding: 'buffer' });
        return names.sort(Buffer.compare).map((name) => name.toString());
      }),
    rename: (from, to) => attempt(`renaming ${from} to ${to}`, () => rename(at(from), at(to))),
    remove: (path) => attempt(`removing ${path}`, () => unlink(at(path))),
    syncDirectory: (path) =>
      attempt(`syncing directory ${path}`, async () => {
        const directory = await openFile(at(path), 'r');
        try {
          await directory.sync();
        } finally {
          await directory.close();
        }
      }),
    open: (path, mode) =>
      attempt(`opening ${path}`, async () => {
        // A bare descriptor, not a FileHandle: the hot path calls back without making promises.
        const descriptor = await openDescriptor(at(path), openFlags[mode], 0o644);
        return new RealFile(path, descriptor, mode === 'write-through');
      }),
  };
}

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);
const readDescriptor = promisify(read);
const truncateDescriptor = promisify(ftruncate);
const statDescriptor = promisify(fstat);
const syncDescriptor = promisify(fdatasync);

class RealFile implements File {
  readonly path: string;
  readonly #descriptor: number;
  readonly #syncsWrites: boolean;

  constructor(path: string, descriptor: number, syncsWrites: boolean) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#syncsWrites = syncsWrites;
  }

  async size(): Promise<number> {
    return (await this.#attempt('asking the size of', () => statDescriptor(this.#descriptor))).size;
  }

  read(position: number, lengthBytes: number): Promise<Uint8Array> {
    return this.#attempt('reading', async () => {
      const bytes = new Uint8Array(lengthBytes);
      let got = 0;
      while (got < lengthBytes) {
        const { bytesRead } = await readDescriptor(this.#descriptor, bytes, got, lengthBytes - got, position + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      return got === lengthBytes ? bytes : bytes.subarray(0, got);
    });
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writeAll(position, chunks, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  async datasync(): Promise<void> {
    await this.#attempt('syncing', () => syncDescriptor(this.#descriptor));
  }

  writeDurably(position: number, chunks: readonly Uint8Array[], done: (error: PortError | undefined) => void): void {
    this.#writeAll(position, chunks, (failed) => {
      if (failed !== undefined || this.#syncsWrites) return done(failed);
      fdatasync(this.#descriptor, (error) => {
        done(error === null || error === undefined ? undefined : toPortError(error, `syncing ${this.path}`));
      });
    });
  }

  async truncate(lengthBytes: number): Promise<void> {
    await this.#attempt('truncating', () => truncateDescriptor(this.#descriptor, lengthBytes));
  }

  async close(): Promise<void> {
    await this.#attempt('closing', () => closeDescriptor(this.#descriptor));
  }

  /** A short write is gone on with: the rest either succeeds or says why not (a full disk). */
  #writeAll(position: number, chunks: readonly Uint8Array[], done: (error: PortError | undefined) => void): void {
    const part = chunks.length > chunksMax ? chunks.slice(0, chunksMax) : chunks;
    writev(this.#descriptor, part, position, (error, writtenBytes) => {
      if (error) return done(toPortError(error, `writing ${this.path}`));
      const rest = after(chunks, writtenBytes);
      if (rest.length === 0) return done(undefined);
      if (writtenBytes === 0) return done(new PortError('EIO', `writing ${this.path}: nothing was taken`));
      this.#writeAll(position + writtenBytes, rest, done);
    });
  }

  async #attempt<T>(doing: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw toPortError(error, `${doing} ${this.path}`);
    }
  }
}

/** The chunks without their first `bytes` bytes, and without empty ones at the front. */
function after(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  let index = 0;
  while (index < chunks.length && chunks[index]!.length <= skip) {
    skip -= chunks[index]!.length;
    index++;
  }
  if (index === chunks.length) return [];
  return skip === 0 ? chunks.slice(index) : [chunks[index]!.subarray(skip), ...chunks.slice(index + 1)];
}

import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { debianPath } from './debian-path.ts';
import { unmount } from './mounts.ts';
import type { Reaper } from './reaper.ts';

/** Commands carry its environment: one that is under way when the harness dies is ended before what it mounts is looked for. */
type MountKeeper = Pick<Reaper, 'mountMade' | 'mountGone' | 'environment'>;

/** Sparse: what nothing was written to takes no room. */
const imageBytes = 1 << 30;
const commandTimeoutMs = 20_000;

/**
 * A file system of a node's own, ext4 on a loop device, that can lose power: shut down without its journal being flushed
 * (ioctl EXT4_IOC_SHUTDOWN with NOLOGFLUSH, by `xfs_io -c shutdown`) and mounted again, it has what was synced, and of
 * the rest what the kernel happened to have written.
 */
export class Ext4Disk {
  #image: string;
  #copies = 0;
  readonly #mountPoint: string;
  readonly #reaper: MountKeeper;

  private constructor(image: string, mountPoint: string, reaper: MountKeeper) {
    this.#image = image;
    this.#mountPoint = mountPoint;
    this.#reaper = reaper;
  }

  /** @param folder a temporary one of the reaper's, for the image and the place where it is mounted */
  static async make(name: string, folder: string, reaper: MountKeeper): Promise<Ext4Disk> {
    const disk = new Ext4Disk(join(folder, `${name}.img`), join(folder, name), reaper);
    writeFileSync(disk.#image, '');
    truncateSync(disk.#image, imageBytes);
    mkdirSync(disk.#mountPoint);
    await disk.#command('mkfs.ext4', '-q', '-m', '0', disk.#image);
    await disk.#mount();
    return disk;
  }

  /** For the node's data; it need not be there yet. */
  get dataFolder(): string {
    return join(this.#mountPoint, 'data');
  }

  /** Makes durable whatever is not. */
  async sync(): Promise<void> {
    await this.#command('sync', '-f', this.#mountPoint);
  }

  /** No process may have a file open on it. @returns how many files are no more what they were */
  async losePower(): Promise<number> {
    const before = this.#digests();
    await this.#command('xfs_io', '-x', '-c', 'shutdown', this.#mountPoint);
    await this.#command('umount', this.#mountPoint);
    await this.#copyImage();
    await this.#mount();
    const after = this.#digests();
    return [...new Set([...before.keys(), ...after.keys()])].filter((file) => before.get(file) !== after.get(file))
      .length;
  }

  /** Leaves a copy of the data there. */
  close(copyTo: string): void {
    if (existsSync(this.dataFolder)) cpSync(this.dataFolder, copyTo, { recursive: true });
    unmount(this.#mountPoint);
    this.#reaper.mountGone(this.#mountPoint);
  }

  /**
   * A mount namespace that was made while it was mounted, a network of another run's for example, still holds the file
   * system that was shut down, and mounting the same image would give that one again. So the next is of a copy.
   */
  async #copyImage(): Promise<void> {
    const before = this.#image;
    this.#image = `${this.#mountPoint}-${++this.#copies}.img`;
    await this.#command('cp', '--sparse=always', before, this.#image);
    rmSync(before);
  }

  async #mount(): Promise<void> {
    this.#reaper.mountMade(this.#mountPoint);
    await this.#command('mount', '-o', 'loop,noatime,noauto_da_alloc', this.#image, this.#mountPoint);
  }

  async #command(program: string, ...words: readonly string[]): Promise<void> {
    const { failed, stderr } = await execa(program, words, {
      env: { PATH: `${process.env.PATH}:${debianPath}`, ...this.#reaper.environment },
      reject: false,
      timeout: commandTimeoutMs,
    });
    if (failed) throw new Error(`${program}: ${stderr.split('\n')[0] || 'failed'}`);
  }

  #digests(): ReadonlyMap<string, string> {
    if (!existsSync(this.dataFolder)) return new Map();
    const names = readdirSync(this.dataFolder, { recursive: true, encoding: 'utf8' });
    const files = names.filter((name) => statSync(join(this.dataFolder, name)).isFile());
    return new Map(
      files.map((name) => [
        name,
        createHash('sha1')
          .update(readFileSync(join(this.dataFolder, name)))
          .digest('hex'),
      ]),
    );
  }
}

/** Makes one, loses something on it and nothing that was synced; for the probe. @throws where that cannot be done */
export async function tryExt4Disk(folder: string, reaper: MountKeeper): Promise<void> {
  const disk = await Ext4Disk.make('probe', folder, reaper);
  try {
    await disk.losePower();
  } finally {
    disk.close(join(folder, 'copy'));
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { DiskFault, Effect } from '../../nemesis/world.ts';
import { BreakableDisk } from './breakable-disk.ts';
import { PreloadDisk, TracedDisk } from './disk-breaker.ts';
import type { Ext4Disk } from './ext4-disk.ts';
import type { Chosen as Mechanisms } from './mechanisms.ts';
import type { Exit, NodeProcess } from './node-process.ts';
import { losePower } from './power-loss.ts';
import type { Reaper } from './reaper.ts';
import { exitCodes } from './system-exits.ts';

export interface NodeDiskOptions {
  readonly process: NodeProcess;
  readonly dataFolder: string;
  /** What it lies on when that can lose power by itself; undefined: what was not synced is taken back by the journal. */
  readonly ext4: Ext4Disk | undefined;
  /** Names of mechanisms, by power. */
  readonly mechanisms: Mechanisms;
  readonly reaper: Reaper;
  /** Where the node keeps the journal of what it has not synced; undefined: it keeps none. */
  readonly journalFolder: string | undefined;
  readonly random: (bound: number) => number;
}

const mechanism = 'preload-disk';
/** For a node that has anything to write: far longer than from one write to the next. */
const syncTimeoutMs = 3000;

/** One node's disk: broken by what stands before it, and what is left on it when power is lost. */
export class NodeDisk {
  readonly #options: NodeDiskOptions;
  readonly #preload: PreloadDisk;
  readonly #disk: BreakableDisk | undefined;

  constructor(options: NodeDiskOptions) {
    this.#options = options;
    const { process, mechanisms, reaper } = options;
    this.#preload = new PreloadDisk(() => process.control);
    const pids = () => (process.pid === undefined ? [] : [process.pid]);
    const breaker = mechanisms.disk === 'strace' ? new TracedDisk(pids, true, reaper) : this.#preload;
    if (mechanisms.disk !== undefined) this.#disk = new BreakableDisk(process, breaker, isMadeBy);
  }

  /** Modules for the node's command line. */
  static modules({ disk, power }: Mechanisms): readonly string[] {
    return disk === 'preload-disk' || power !== undefined ? [new URL('preload/disk.js', import.meta.url).href] : [];
  }

  /** Variables for the next process: a disk outlives processes. */
  get environment(): { readonly [name: string]: string } {
    const { mechanisms, dataFolder, journalFolder } = this.#options;
    const { fault } = this.#disk ?? {};
    return {
      // One thread for all of its files, whose calls strace then counts as one sequence; and no way around system calls.
      ...(mechanisms.disk === 'strace' && { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' }),
      ...(NodeDisk.modules(mechanisms).length > 0 && {
        SPLITBRAIN_DISK_ROOT: dataFolder,
        ...(journalFolder !== undefined && { SPLITBRAIN_DISK_JOURNAL: journalFolder }),
        ...(fault !== undefined && mechanisms.disk === 'preload-disk' && { SPLITBRAIN_DISK: JSON.stringify(fault) }),
      }),
    };
  }

  /** Why no process could start on it now. */
  get unusable(): string | undefined {
    return this.#disk?.unusable;
  }

  /** To be called when a process has been started. */
  async started(): Promise<void> {
    if (this.#options.mechanisms.disk === 'strace') await this.#disk?.started();
  }

  /** To be called when the process was sent a signal to end on. */
  ending(): void {
    this.#disk?.ending();
  }

  /** To be called when the process has ended. */
  ended(exit: Exit): void {
    const fault = this.#disk?.ended(exit);
    const { dataFolder, journalFolder, random } = this.#options;
    // What the kernel still had in memory when a sync failed it may have thrown away (fsyncgate).
    if (fault?.type === 'sync-error' && journalFolder !== undefined) losePower(dataFolder, journalFolder, random);
  }

  /** See `BreakableDisk`. */
  async set(fault: DiskFault | undefined): Promise<Effect> {
    const { type } = this.#disk?.fault ?? {};
    // What syncs were about that did nothing; where there is a journal instead, it is told.
    if (type === 'lying' && fault?.type !== 'lying') await this.#options.ext4?.sync();
    if (this.#disk !== undefined) return this.#disk.set(fault);
    if (fault !== undefined) throw new Error('the cluster was started without a way to break its disks');
    return { effect: 'moot', mechanism: 'none', proof: { reason: 'it is whole already' } };
  }

  /** Ends the process in its next sync, before anything of that was done; kills it when none comes, or it is stopped. */
  async endAtSync(isStopped: boolean): Promise<(Exit & { readonly atSync: boolean }) | undefined> {
    const { process } = this.#options;
    const { exited } = process;
    if (exited !== undefined && !isStopped) {
      const fault: DiskFault = { type: 'crash', at: 'sync', after: 1 };
      process.expect('power', (exit, lines) => isMadeBy(fault, exit, lines));
      void this.#preload.set(fault);
      const exit = await Promise.race([exited, delay(syncTimeoutMs)]);
      process.expect('power', undefined);
      if (exit !== undefined) return { ...exit, atSync: exit.signal === 'SIGKILL' };
    }
    const exit = await process.kill();
    return exit && { ...exit, atSync: false };
  }

  /**
   * As `endAtSync`, and takes back what was not synced. Proven by what was taken back; moot when all was synced, which
   * cannot be when it ended in a sync.
   */
  async losePower(isStopped: boolean): Promise<Effect> {
    const { process, dataFolder, journalFolder, random, ext4 } = this.#options;
    const pid = process.pid ?? null;
    const exit = await this.endAtSync(isStopped);
    if (exit === undefined) return { effect: 'moot', mechanism, proof: { state: 'down' } };
    if (ext4 !== undefined) {
      const filesChanged = await ext4.losePower();
      const proof = { pid, signal: exit.signal, atSync: exit.atSync, filesChanged };
      return { effect: filesChanged > 0 ? 'proven' : 'moot', mechanism: 'ext4', proof };
    }
    if (journalFolder === undefined) throw new Error('the cluster was started without a journal of its disks');
    const { unsynced, lost } = losePower(dataFolder, journalFolder, random);
    const effect = lost > 0 ? 'proven' : exit.atSync ? 'ineffective' : 'moot';
    return { effect, mechanism, proof: { pid, signal: exit.signal, atSync: exit.atSync, unsynced, lost } };
  }
}

/** Whether a process ended as that fault makes it end: killed, or by its own decision when a sync failed. */
function isMadeBy(fault: DiskFault, { code, signal }: Exit, lastLogLines: readonly string[]): boolean {
  if (fault.type === 'crash') return signal === 'SIGKILL';
  return fault.type === 'sync-error' && code === exitCodes.crash && /"code":"EIO"/.test(lastLogLines.at(-1) ?? '');
}

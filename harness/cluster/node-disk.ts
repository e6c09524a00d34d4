import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { DiskFault, Effect } from '../../nemesis/world.ts';
import type { Ext4Disk } from './ext4-disk.ts';
import type { Exit, NodeProcess } from './node-process.ts';
import { losePower } from './power-loss.ts';
import type { DiskCounts } from './preload/faulty-disk.ts';
import { exitCodes } from './system-exits.ts';

export interface NodeDiskOptions {
  readonly process: NodeProcess;
  readonly dataFolder: string;
  /** What it lies on when that can lose power by itself; undefined: what was not synced is taken back by the journal. */
  readonly ext4: Ext4Disk | undefined;
  /** Whether the disk module is loaded into the node. */
  readonly breakable: boolean;
  /** Where the node keeps the journal of what it has not synced; undefined: it keeps none. */
  readonly journalFolder: string | undefined;
  readonly random: (bound: number) => number;
}

const mechanism = 'preload-disk';
const orderTimeoutMs = 2000;
/** For a node that has anything to write: far longer than from one write to the next. */
const syncTimeoutMs = 3000;
/** And than from the last of some tens to its exit. */
const proofTimeoutMs = 4000;
const lookEveryMs = 20;
/** So many syncs that went well are more than could have been under way when the fault was set. */
const inFlightMax = 4;

const diskCounts: z.ZodType<DiskCounts> = z.object({
  synced: z.number(),
  failed: z.number(),
  delayed: z.number(),
  held: z.number(),
  skipped: z.number(),
});

/** What each fault does to operations, as the disk module counts them. */
const countOf = { full: 'failed', slow: 'delayed', hung: 'held', lying: 'skipped' } as const;

/** One node's disk, broken by the module that stands before it in the node's process (`preload/disk.ts`). */
export class NodeDisk {
  readonly #options: NodeDiskOptions;
  #fault: DiskFault | undefined;

  constructor(options: NodeDiskOptions) {
    this.#options = options;
  }

  /** The module, when there is one, and its variables for the next process: a disk outlives processes. */
  get environment(): { readonly [name: string]: string } {
    const { breakable, dataFolder, journalFolder } = this.#options;
    if (!breakable) return {};
    return {
      SPLITBRAIN_DISK_ROOT: dataFolder,
      ...(journalFolder !== undefined && { SPLITBRAIN_DISK_JOURNAL: journalFolder }),
      ...(this.#fault !== undefined && { SPLITBRAIN_DISK: JSON.stringify(this.#fault) }),
    };
  }

  /** Why no process could start on it now. */
  get unusable(): string | undefined {
    const { type } = this.#fault ?? {};
    return type === 'full' || type === 'hung' ? `its disk is ${type}` : undefined;
  }

  /** To be called when the process has ended. */
  ended(exit: Exit): void {
    const fault = this.#fault;
    if (fault?.type !== 'sync-error' && fault?.type !== 'crash') return;
    this.#fault = undefined;
    this.#options.process.expect('disk', undefined);
    const { process, dataFolder, journalFolder, random } = this.#options;
    // What the kernel still had in memory when a sync failed it may have thrown away (fsyncgate).
    const isForgotten = fault.type === 'sync-error' && isMadeBy(fault, exit, process.lastLogLines);
    if (isForgotten && journalFolder !== undefined) losePower(dataFolder, journalFolder, random);
  }

  /**
   * Breaks or mends it. Proven by the operations that the fault hit, or by the process's end where that is the
   * fault; moot when the node wrote nothing; ineffective when it wrote and nothing was hit.
   */
  async set(fault: DiskFault | undefined): Promise<Effect> {
    const { process, breakable } = this.#options;
    if (this.#fault === undefined && fault === undefined) {
      return { effect: 'moot', mechanism, proof: { reason: 'it is whole already' } };
    }
    if (!breakable) throw new Error('the cluster was started without the disk module');
    this.#fault = fault;
    process.expect('disk', fault === undefined ? undefined : (exit, lines) => isMadeBy(fault, exit, lines));
    const { exited } = process;
    const counts = await this.#tell({ fault: fault ?? null });
    if (counts === undefined || exited === undefined) {
      return { effect: 'moot', mechanism, proof: { reason: 'the node is down or paused' } };
    }
    return fault === undefined ? this.#proveMended(counts) : this.#proveBroken(fault, counts, exited);
  }

  /** Ends the process in its next sync, before anything of that was done; kills it when none comes, or it is stopped. */
  async endAtSync(isStopped: boolean): Promise<(Exit & { readonly atSync: boolean }) | undefined> {
    const { process } = this.#options;
    const { exited } = process;
    if (exited !== undefined && !isStopped) {
      const fault: DiskFault = { type: 'crash', at: 'sync', after: 1 };
      process.expect('power', (exit, lines) => isMadeBy(fault, exit, lines));
      void this.#tell({ fault });
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

  async #proveBroken(fault: DiskFault, before: DiskCounts, exited: Promise<Exit>): Promise<Effect> {
    const of = { fault: JSON.stringify(fault) };
    if (fault.type === 'sync-error' || fault.type === 'crash') {
      const exit = await Promise.race([exited, delay(proofTimeoutMs)]);
      if (exit !== undefined) {
        const made = isMadeBy(fault, exit, this.#options.process.lastLogLines);
        return { effect: made ? 'proven' : 'moot', mechanism, proof: { ...of, code: exit.code, signal: exit.signal } };
      }
      const synced = ((await this.#tell({}))?.synced ?? before.synced) - before.synced;
      const effect = synced > fault.after + inFlightMax ? 'ineffective' : 'moot';
      return { effect, mechanism, proof: { ...of, synced, reason: 'the node did not end' } };
    }
    const hit = (counts: DiskCounts): number => counts[countOf[fault.type]] - before[countOf[fault.type]];
    const after = await this.#until((counts) => hit(counts) > 0);
    if (after === undefined)
      return { effect: 'moot', mechanism, proof: { ...of, reason: 'the node is down or paused' } };
    const synced = after.synced - before.synced;
    const effect = hit(after) > 0 ? 'proven' : synced > inFlightMax ? 'ineffective' : 'moot';
    return { effect, mechanism, proof: { ...of, hit: hit(after), synced } };
  }

  async #proveMended(before: DiskCounts): Promise<Effect> {
    const after = await this.#until((counts) => counts.synced > before.synced);
    const synced = after === undefined ? 0 : after.synced - before.synced;
    return { effect: synced > 0 ? 'proven' : 'moot', mechanism, proof: { synced } };
  }

  /** @returns the counts when they show it, or the last ones after a bounded time; undefined without an answer */
  async #until(isShown: (counts: DiskCounts) => boolean): Promise<DiskCounts | undefined> {
    const startedAt = performance.now();
    for (;;) {
      const counts = await this.#tell({});
      if (counts === undefined || isShown(counts) || performance.now() - startedAt > proofTimeoutMs) return counts;
      await delay(lookEveryMs);
    }
  }

  async #tell(order: { readonly fault?: DiskFault | null }): Promise<DiskCounts | undefined> {
    const answer = await this.#options.process.control?.tell('disk', order, orderTimeoutMs).catch(() => undefined);
    return answer === undefined ? undefined : diskCounts.parse(answer);
  }
}

/** Whether a process ended as that fault makes it end: killed, or by its own decision when a sync failed. */
function isMadeBy(fault: DiskFault, { code, signal }: Exit, lastLogLines: readonly string[]): boolean {
  if (fault.type === 'crash') return signal === 'SIGKILL';
  return fault.type === 'sync-error' && code === exitCodes.crash && /"code":"EIO"/.test(lastLogLines.at(-1) ?? '');
}

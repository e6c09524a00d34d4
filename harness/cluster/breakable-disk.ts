import { setTimeout as delay } from 'node:timers/promises';
import type { DiskFault, Effect } from '../../nemesis/world.ts';
import type { DiskBreaker } from './disk-breaker.ts';
import type { Exit } from './node-process.ts';
import type { DiskCounts } from './preload/faulty-disk.ts';

/** The process on the disk. */
export interface ProcessOnDisk {
  /** Of the process that runs now; undefined while there is none. */
  readonly exited: Promise<Exit> | undefined;
  readonly lastLogLines: readonly string[];
  /** From now on such an end counts as ordered; undefined: no longer. */
  expect(because: string, isExpected: ((exit: Exit, lastLogLines: readonly string[]) => boolean) | undefined): void;
}

/** Whether a process ended as that fault makes it end. */
export type IsMadeBy = (fault: DiskFault, exit: Exit, lastLogLines: readonly string[]) => boolean;

/** For a node that has anything to write: far longer than from the last of some tens of writes to its exit. */
const proofTimeoutMs = 4000;
const lookEveryMs = 20;
/** So many syncs that went well are more than could have been under way when the fault was set. */
const inFlightMax = 4;

/** What each fault does to operations, as they are counted. */
const countOf = { full: 'failed', slow: 'delayed', hung: 'held', lying: 'skipped' } as const;

/** A disk that can be broken, and the proof that it is. A fault outlives processes: a disk stays as it is. */
export class BreakableDisk {
  readonly #process: ProcessOnDisk;
  readonly #breaker: DiskBreaker;
  readonly #isMadeBy: IsMadeBy;
  #fault: DiskFault | undefined;

  constructor(process: ProcessOnDisk, breaker: DiskBreaker, isMadeBy: IsMadeBy) {
    this.#process = process;
    this.#breaker = breaker;
    this.#isMadeBy = isMadeBy;
  }

  get fault(): DiskFault | undefined {
    return this.#fault;
  }

  /** Why no process could start on it now. */
  get unusable(): string | undefined {
    const { type } = this.#fault ?? {};
    return type === 'full' || type === 'hung' ? `its disk is ${type}` : undefined;
  }

  /** To be called when the process was sent a signal to end on. */
  ending(): void {
    this.#breaker.ending();
  }

  /** To be called when the process has ended. @returns the fault that made it end, which is over then */
  ended(exit: Exit): DiskFault | undefined {
    const fault = this.#fault;
    if (fault?.type !== 'sync-error' && fault?.type !== 'crash') return undefined;
    this.#fault = undefined;
    this.#process.expect('disk', undefined);
    return this.#isMadeBy(fault, exit, this.#process.lastLogLines) ? fault : undefined;
  }

  /** To be called when another process runs on it. */
  async started(): Promise<void> {
    if (this.#fault !== undefined) await this.#breaker.set(this.#fault);
  }

  /**
   * Breaks or mends it. Proven by the operations that the fault hit, or by the process's end where that is the
   * fault; moot when the node wrote nothing; ineffective when it wrote and nothing was hit.
   */
  async set(fault: DiskFault | undefined): Promise<Effect> {
    if (this.#fault === undefined && fault === undefined) return this.#moot({ reason: 'it is whole already' });
    this.#fault = fault;
    const isMadeBy = this.#isMadeBy;
    this.#process.expect('disk', fault && ((exit, lines) => isMadeBy(fault, exit, lines)));
    const { exited } = this.#process;
    const counts = await this.#breaker.set(fault);
    if (counts === undefined || exited === undefined) return this.#moot({ reason: 'the node is down or paused' });
    if (fault !== undefined) return this.#proveBroken(fault, counts, exited);
    const mended = await this.#proveMended(counts);
    await this.#breaker.rest();
    return mended;
  }

  async #proveBroken(fault: DiskFault, before: DiskCounts, exited: Promise<Exit>): Promise<Effect> {
    const { mechanism } = this.#breaker;
    const of = { fault: JSON.stringify(fault) };
    if (fault.type === 'sync-error' || fault.type === 'crash') {
      const exit = await Promise.race([exited, delay(proofTimeoutMs)]);
      if (exit !== undefined) {
        const made = this.#isMadeBy(fault, exit, this.#process.lastLogLines);
        return { effect: made ? 'proven' : 'moot', mechanism, proof: { ...of, code: exit.code, signal: exit.signal } };
      }
      const synced = ((await this.#breaker.counts())?.synced ?? before.synced) - before.synced;
      const effect = synced > fault.after + inFlightMax ? 'ineffective' : 'moot';
      return { effect, mechanism, proof: { ...of, synced, reason: 'the node did not end' } };
    }
    const hit = (counts: DiskCounts): number => counts[countOf[fault.type]] - before[countOf[fault.type]];
    const after = await this.#until((counts) => hit(counts) > 0);
    if (after === undefined) return this.#moot({ ...of, reason: 'the node is down or paused' });
    const synced = after.synced - before.synced;
    const effect = hit(after) > 0 ? 'proven' : synced > inFlightMax ? 'ineffective' : 'moot';
    return { effect, mechanism, proof: { ...of, hit: hit(after), synced } };
  }

  async #proveMended(before: DiskCounts): Promise<Effect> {
    const { mechanism } = this.#breaker;
    const after = await this.#until((counts) => counts.synced > before.synced);
    const synced = after === undefined ? 0 : after.synced - before.synced;
    return { effect: synced > 0 ? 'proven' : 'moot', mechanism, proof: { synced } };
  }

  /** @returns the counts when they show it, or the last ones after a bounded time; undefined without an answer */
  async #until(isShown: (counts: DiskCounts) => boolean): Promise<DiskCounts | undefined> {
    const startedAt = performance.now();
    for (;;) {
      const counts = await this.#breaker.counts();
      if (counts === undefined || isShown(counts) || performance.now() - startedAt > proofTimeoutMs) return counts;
      await delay(lookEveryMs);
    }
  }

  #moot(proof: Effect['proof']): Effect {
    return { effect: 'moot', mechanism: this.#breaker.mechanism, proof };
  }
}

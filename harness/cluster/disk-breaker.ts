import { z } from 'zod';
import type { DiskFault } from '../../nemesis/world.ts';
import { CallTracer, injectionOf } from './call-tracer.ts';
import type { DiskCounts } from './preload/faulty-disk.ts';
import type { PreloadControl } from './preload-control.ts';
import type { Reaper } from './reaper.ts';

/** What stands between a node's process and its disk. */
export interface DiskBreaker {
  readonly mechanism: string;
  /**
   * Breaks or mends the disk of the process that runs now.
   * @returns what had been done to its operations by then; undefined when there is no process, or none that answers
   */
  set(fault: DiskFault | undefined): Promise<DiskCounts | undefined>;
  /** The same, asked for again. */
  counts(): Promise<DiskCounts | undefined>;
  /** Nothing more will be asked for: what only looked may go. */
  rest(): Promise<void>;
  /** To be called when the process was sent a signal to end on. */
  ending(): void;
}

const orderTimeoutMs = 2000;
const none: DiskCounts = { synced: 0, failed: 0, delayed: 0, held: 0, skipped: 0 };
const diskCounts: z.ZodType<DiskCounts> = z.object({
  synced: z.number(),
  failed: z.number(),
  delayed: z.number(),
  held: z.number(),
  skipped: z.number(),
});

/** A module in the node's own process (`preload/disk.ts`). */
export class PreloadDisk implements DiskBreaker {
  readonly mechanism = 'preload-disk';
  readonly #control: () => PreloadControl | undefined;

  /** @param control of the process that runs now */
  constructor(control: () => PreloadControl | undefined) {
    this.#control = control;
  }

  set(fault: DiskFault | undefined): Promise<DiskCounts | undefined> {
    return this.#tell({ fault: fault ?? null });
  }

  counts(): Promise<DiskCounts | undefined> {
    return this.#tell({});
  }

  async rest(): Promise<void> {}

  ending(): void {}

  async #tell(order: { readonly fault?: DiskFault | null }): Promise<DiskCounts | undefined> {
    const answer = await this.#control()
      ?.tell('disk', order, orderTimeoutMs)
      .catch(() => undefined);
    return answer === undefined ? undefined : diskCounts.parse(answer);
  }
}

/** A thread that was stopped at each look for so long does not only pass by its tracer. */
const heldMsMin = 300;

/** strace on the process's system calls (`call-tracer.ts`): of any program, and only while something is wrong. */
export class TracedDisk implements DiskBreaker {
  readonly mechanism = 'strace';
  readonly #pids: () => readonly number[];
  readonly #writesThrough: boolean;
  readonly #reaper: Reaper;
  #tracer: CallTracer | undefined;
  #fault: DiskFault | undefined;
  /** Since when each thread was stopped at every look. */
  #stoppedSinceMs = new Map<number, number>();

  /** @param pids of the processes that run now. @param writesThrough see `injectionOf` */
  constructor(pids: () => readonly number[], writesThrough: boolean, reaper: Reaper) {
    this.#pids = pids;
    this.#writesThrough = writesThrough;
    this.#reaper = reaper;
  }

  /** Mended it is looked at for as long as `counts` are asked for: whether calls are carried out again. */
  async set(fault: DiskFault | undefined): Promise<DiskCounts | undefined> {
    await this.rest();
    const pids = this.#pids();
    if (pids.length === 0) return undefined;
    this.#fault = fault;
    this.#tracer = await CallTracer.attach(pids, fault && injectionOf(fault, this.#writesThrough), this.#reaper);
    return none;
  }

  async counts(): Promise<DiskCounts | undefined> {
    if (this.#tracer === undefined || this.#pids().length === 0) return undefined;
    const { carriedOut, injected, delayed } = this.#tracer.counts;
    const { type } = this.#fault ?? {};
    return {
      synced: carriedOut,
      failed: type === 'full' || type === 'sync-error' ? injected : 0,
      delayed,
      held: type === 'hung' ? this.#held(this.#tracer) : 0,
      skipped: type === 'lying' ? injected : 0,
    };
  }

  async rest(): Promise<void> {
    const tracer = this.#tracer;
    this.#tracer = undefined;
    this.#stoppedSinceMs.clear();
    await tracer?.detach();
  }

  /** What its tracer holds could not end; and must not be carried out before it does. */
  ending(): void {
    this.#tracer?.kill();
    this.#tracer = undefined;
  }

  #held(tracer: CallTracer): number {
    const now = performance.now();
    this.#stoppedSinceMs = new Map(
      tracer.heldThreads().map((thread) => [thread, this.#stoppedSinceMs.get(thread) ?? now]),
    );
    return [...this.#stoppedSinceMs.values()].filter((since) => now - since >= heldMsMin).length;
  }
}

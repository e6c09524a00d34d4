import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { ClockFault, DiskFault, Effect } from '../../nemesis/world.ts';
import { BreakableDisk } from '../cluster/breakable-disk.ts';
import { TracedDisk } from '../cluster/disk-breaker.ts';
import { bendClock, FakedClock } from '../cluster/faked-clock.ts';
import type { Reaper } from '../cluster/reaper.ts';
import { treeOf } from './process-tree.ts';
import type { Exit, ServerProcess } from './server-process.ts';

/** The disk and the clock of one node of other people's servers, as far as they can be broken. */
export class NodeHardware {
  readonly #reaper: Reaper;
  #disk: BreakableDisk | undefined;
  #clock: { readonly bent: FakedClock; readonly wallMs: () => Promise<number | undefined> } | undefined;

  constructor(reaper: Reaper) {
    this.#reaper = reaper;
  }

  /** Why no process could start on it now. */
  get unusable(): string | undefined {
    return this.#disk?.unusable;
  }

  /** The disk is what this server writes to. @param endsOnFailedSync whether that is how a failed sync makes it end */
  carries(server: ServerProcess, endsOnFailedSync: (exit: Exit) => boolean): void {
    const pids = () => (server.pid === undefined ? [] : treeOf(server.pid));
    const breaker = new TracedDisk(pids, false, this.#reaper);
    this.#disk = new BreakableDisk(server, breaker, (fault, exit) =>
      fault.type === 'crash' ? exit.signal === 'SIGKILL' : fault.type === 'sync-error' && endsOnFailedSync(exit),
    );
  }

  /**
   * The clock is this server's.
   * @param wallMs what it says now; undefined when it does not answer
   * @returns variables for the server's process
   */
  tells(wallMs: () => Promise<number | undefined>): { readonly [name: string]: string } {
    const folder = this.#reaper.temporaryFolder('clock');
    chmodSync(folder, 0o755); // For the server's account.
    const bent = FakedClock.make(join(folder, 'ahead'));
    this.#clock = { bent, wallMs };
    return bent.environment;
  }

  /** See `BreakableDisk`. @throws when it cannot be broken */
  async setDisk(fault: DiskFault | undefined): Promise<Effect> {
    if (this.#disk !== undefined) return this.#disk.set(fault);
    if (fault !== undefined) throw new Error('this server’s disk cannot be broken');
    return asItIs('it is whole already');
  }

  /** See `bendClock`. @throws when it cannot be bent so */
  async setClock(fault: ClockFault): Promise<Effect> {
    const { wallOffsetMs, wallRate, monotonicRate } = this.#clock?.bent.fault ?? trueClock;
    const isSo =
      wallOffsetMs === fault.wallOffsetMs && wallRate === fault.wallRate && monotonicRate === fault.monotonicRate;
    if (isSo) return asItIs('it is so already');
    if (this.#clock === undefined) throw new Error('this clock cannot be bent');
    return bendClock(this.#clock.bent, fault, this.#clock.wallMs);
  }

  /** To be called when the server's process was started. */
  async started(): Promise<void> {
    await this.#disk?.started();
  }

  /** To be called when it is about to be ended. */
  ending(): void {
    this.#disk?.ending();
  }

  /** To be called when it has ended. */
  ended(exit: Exit): void {
    this.#disk?.ended(exit);
  }

  /** The end of the run. */
  close(): void {
    this.ending();
    this.#clock?.bent.close();
  }
}

const trueClock: ClockFault = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };

function asItIs(reason: string): Effect {
  return { effect: 'moot', mechanism: 'none', proof: { reason } };
}

import type { DiskFault } from '../../../nemesis/world.ts';

/** How often each thing was done since the process started. */
export interface DiskCounts {
  readonly synced: number;
  readonly failed: number;
  readonly delayed: number;
  readonly held: number;
  readonly skipped: number;
}

type Done = (error: NodeJS.ErrnoException | null) => void;

/** What a disk with a fault does to each write and sync before the real one gets to see it. */
export class FaultyDisk {
  readonly counts: { -readonly [K in keyof DiskCounts]: number } = {
    synced: 0,
    failed: 0,
    delayed: 0,
    held: 0,
    skipped: 0,
  };
  readonly #endProcess: () => void;
  readonly #flush: () => void;
  #fault: DiskFault | undefined;
  /** Operations that are still good. */
  #left = 0;
  /** Syncs that wait for the fault to end; as many as the node has under way at once. */
  #held: (() => void)[] = [];

  /** @param endProcess at once, in the middle of what it does. @param flush makes durable whatever is not */
  constructor(endProcess: () => void, flush: () => void) {
    this.#endProcess = endProcess;
    this.#flush = flush;
  }

  /** From now on. @param fault undefined: none */
  set(fault: DiskFault | undefined): void {
    if (this.#fault?.type === 'lying') this.#flush();
    this.#fault = fault;
    this.#left = fault !== undefined && 'after' in fault ? fault.after : 0;
    if (fault?.type === 'hung') return;
    const held = this.#held;
    this.#held = [];
    for (const go of held) go();
  }

  /**
   * Before anything is written, made or made longer. With a full disk no write has room: as on a file system that never
   * writes in place, else a log that is laid out ahead would notice too late.
   * @returns what it fails with
   */
  beforeWrite(operation: string): NodeJS.ErrnoException | undefined {
    const fault = this.#fault;
    if (fault?.type === 'crash' && fault.at === 'write') this.#countDown(this.#endProcess);
    if (fault?.type !== 'full') return undefined;
    this.counts.failed++;
    return systemError('ENOSPC', 'no space left on device', operation);
  }

  /** @param real does it, if it comes to that. @param done is told how it went, or seemed to go */
  sync(operation: string, real: (done: Done) => void, done: Done): void {
    const go = (): void =>
      real((error) => {
        this.counts.synced++;
        done(error);
      });
    const fault = this.#fault;
    switch (fault?.type) {
      case 'slow':
        this.counts.delayed++;
        setTimeout(go, fault.delayMs);
        return;
      case 'hung':
        this.counts.held++;
        this.#held.push(go);
        return;
      case 'lying':
        this.counts.skipped++;
        setImmediate(done, null);
        return;
      case 'sync-error':
        if (this.#countDown(() => this.counts.failed++)) {
          setImmediate(done, systemError('EIO', 'i/o error', operation));
          return;
        }
        break;
      case 'crash':
        if (fault.at === 'sync') this.#countDown(this.#endProcess);
    }
    go();
  }

  /** @returns whether it was the one that the fault is about */
  #countDown(act: () => void): boolean {
    this.#left--;
    if (this.#left !== 0) return false;
    act();
    return true;
  }
}

function systemError(code: 'EIO' | 'ENOSPC', message: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}, ${syscall}`), { code, syscall });
}

/** By hand, as all that a node loads: undefined is a disk without fault. @throws TypeError */
export function diskFault(parsed: unknown): DiskFault | undefined {
  if (parsed === null) return undefined;
  const { type, after, at, delayMs } = parsed as { readonly [name: string]: unknown };
  if (type === 'full' || type === 'hung' || type === 'lying') return { type };
  if (type === 'slow' && typeof delayMs === 'number') return { type, delayMs };
  if (type === 'sync-error' && typeof after === 'number') return { type, after };
  if (type === 'crash' && typeof after === 'number' && (at === 'write' || at === 'sync')) return { type, at, after };
  throw new TypeError(`not a disk fault: ${JSON.stringify(parsed)}`);
}

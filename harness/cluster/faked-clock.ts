import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { ClockFault, Effect } from '../../nemesis/world.ts';

const mechanism = 'libfaketime';
const libraryFolder = '/usr/lib';
/** How often the file is written anew while a clock drifts: so far it is behind its own rate at most. */
const driftEveryMs = 20;
const proofTimeoutMs = 3000;
const readEveryMs = 50;
/** A reading is so exact, beside the time that asking took: what a drift has not yet written, and the server's own. */
const toleranceMs = 50;
const trueClock: ClockFault = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };

/**
 * Stands before a command that is to have a /dev/shm and System V segments of its own, which go when its last process
 * does, however it ends. Needs root.
 */
export const ownSharedMemory = [
  ...['unshare', '--mount', '--ipc', '--', 'sh', '-ec'],
  ...['mount -t tmpfs tmpfs /dev/shm; exec "$@"', 'sh'],
] as const;

/** Where Debian's libfaketime is, the one for programs with threads; undefined: nowhere. */
export function findFakeTime(): string | undefined {
  const folders = existsSync(libraryFolder) ? readdirSync(libraryFolder) : [];
  const paths = folders.map((folder) => join(libraryFolder, folder, 'faketime/libfaketimeMT.so.1'));
  return paths.find((path) => existsSync(path));
}

/** Whether a program here can be told a wrong time; for the probe. @throws with what was seen instead */
export async function tryFakeTime(folder: string): Promise<void> {
  const clock = FakedClock.make(join(folder, 'clock'));
  const aheadS = 7200;
  clock.write(aheadS * 1000);
  const variables = Object.entries(clock.environment).map(([name, value]) => `${name}=${value}`);
  const [command, ...words] = [...ownSharedMemory, 'env', ...variables, 'date', '+%s'] as const;
  const { stdout } = await execa(command, words, { reject: false });
  const seenS = Number(stdout) - Date.now() / 1000;
  if (Math.abs(seenS - aheadS) > 60)
    throw new Error(`libfaketime did nothing to date: it is ${Math.round(seenS)} s ahead`);
}

/**
 * The wall clock of a program in C, bent by libfaketime: preloaded, it adds to what the kernel says what stands in a
 * file, which is read anew each time. Monotonic time stays true. It does nothing to programs in Go, which ask the
 * kernel by themselves, and redis deadlocks in it.
 */
export class FakedClock {
  readonly #file: string;
  readonly #library: string;
  #fault = trueClock;
  #setMs = performance.now();
  #drifting: NodeJS.Timeout | undefined;

  private constructor(file: string, library: string) {
    this.#file = file;
    this.#library = library;
    this.write(0);
  }

  /** @param file to be read by the server's account. @throws where there is no libfaketime */
  static make(file: string): FakedClock {
    const library = findFakeTime();
    if (library === undefined) throw new Error('there is no libfaketime');
    return new FakedClock(file, library);
  }

  /**
   * For the server's process, and no other before it on its command line: the library makes things in /dev/shm in the
   * name of whoever loads it first. They stay when it is killed, unless it has `ownSharedMemory`.
   */
  get environment(): { readonly [name: string]: string } {
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      // Both names of it, of older and newer versions.
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** How it is bent. */
  get fault(): ClockFault {
    return this.#fault;
  }

  /** What it should be ahead of the true time, in milliseconds. */
  get aheadMs(): number {
    const { wallOffsetMs, wallRate } = this.#fault;
    return wallOffsetMs + (wallRate - 1) * (performance.now() - this.#setMs);
  }

  /** @throws for a rate of monotonic time, which stays true */
  bend(fault: ClockFault): void {
    if (fault.monotonicRate !== 1) throw new Error('libfaketime leaves monotonic time as it is');
    clearInterval(this.#drifting);
    this.#fault = fault;
    this.#setMs = performance.now();
    this.write(this.aheadMs);
    if (fault.wallRate !== 1) this.#drifting = setInterval(() => this.write(this.aheadMs), driftEveryMs);
  }

  close(): void {
    clearInterval(this.#drifting);
  }

  /** What stands in the file from now on: replaced as a whole, as the library ends a program that reads a part of it. */
  write(aheadMs: number): void {
    const seconds = aheadMs / 1000;
    writeFileSync(`${this.#file}.next`, `${seconds < 0 ? '' : '+'}${seconds.toFixed(6)}\n`, { mode: 0o644 });
    renameSync(`${this.#file}.next`, this.#file);
  }
}

/**
 * Bends a server's clock and proves it by the server's own readings: proven when it is as far from the true time as it
 * should be, and was not before; ineffective when it is not.
 * @param read the server's wall clock now, in milliseconds; undefined when it does not answer
 */
export async function bendClock(
  clock: FakedClock,
  fault: ClockFault,
  read: () => Promise<number | undefined>,
): Promise<Effect> {
  const before = await aheadOf(read);
  clock.bend(fault);
  if (before === undefined) return { effect: 'moot', mechanism, proof: { reason: 'the server does not answer' } };
  const startedAt = performance.now();
  for (;;) {
    const seen = await aheadOf(read);
    if (seen === undefined) return { effect: 'moot', mechanism, proof: { reason: 'the server does not answer' } };
    const askedMs = clock.aheadMs;
    const proof = {
      beforeMs: before.aheadMs,
      askedMs: Math.round(askedMs),
      seenMs: seen.aheadMs,
      within: seen.withinMs,
    };
    const isAsAsked = Math.abs(seen.aheadMs - askedMs) <= seen.withinMs;
    if (!isAsAsked) return { effect: 'ineffective', mechanism, proof };
    if (Math.abs(seen.aheadMs - before.aheadMs) > seen.withinMs + before.withinMs) {
      return { effect: 'proven', mechanism, proof };
    }
    if (performance.now() - startedAt > proofTimeoutMs) {
      return { effect: 'moot', mechanism, proof: { ...proof, reason: 'too small a change to be seen' } };
    }
    await delay(readEveryMs);
  }
}

async function aheadOf(
  read: () => Promise<number | undefined>,
): Promise<{ readonly aheadMs: number; readonly withinMs: number } | undefined> {
  const asked = Date.now();
  const wallMs = await read().catch(() => undefined);
  const answered = Date.now();
  if (wallMs === undefined) return undefined;
  return {
    aheadMs: Math.round(wallMs - (asked + answered) / 2),
    withinMs: Math.round((answered - asked) / 2) + toleranceMs,
  };
}

import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { execa, type Options, type ResultPromise } from 'execa';
import type { DiskFault } from '../../nemesis/world.ts';
import { debianPath } from './debian-path.ts';
import { processStat } from './proc.ts';
import type { Reaper } from './reaper.ts';
import { withinMs } from './within.ts';

type TracerReaper = Pick<Reaper, 'environment' | 'processStarted' | 'processGone'>;

const attachTimeoutMs = 5000;
const detachTimeoutMs = 5000;
/** A call that is held for so long is never carried out while a run lasts. */
const foreverUs = 1_000_000_000;
const writes = ['pwrite64', 'pwritev'] as const;
const syncs = ['fdatasync', 'fsync'] as const;

/** What became of the system calls of traced processes since they are traced. */
export interface CallCounts {
  /** Carried out as they were asked for. */
  readonly carriedOut: number;
  /** Answered in the kernel's place. */
  readonly injected: number;
  readonly delayed: number;
}

/**
 * What a disk's fault is to system calls, as strace's option `-e inject` has it, which counts the calls of each thread
 * by itself.
 * @param writesThrough whether the processes open files with O_DSYNC, so that a write is a sync as well
 */
export function injectionOf(fault: DiskFault, writesThrough: boolean): string {
  const syncing = (writesThrough ? [...writes, ...syncs] : syncs).join(',');
  switch (fault.type) {
    case 'full':
      return `${writes}:error=ENOSPC`;
    case 'sync-error':
      return `${syncing}:error=EIO:when=${fault.after}`;
    case 'slow':
      return `${syncing}:delay_enter=${fault.delayMs * 1000}`;
    case 'hung':
      return `${syncing}:delay_enter=${foreverUs}`;
    case 'lying':
      return `${syncs}:retval=0`;
    case 'crash':
      return `${fault.at === 'write' ? writes : syncing}:signal=KILL:when=${fault.after}`;
  }
}

/**
 * strace, attached to processes that run, for as long as something is done to their writes and syncs: between them and
 * the kernel, so to any program and without its help. When it ends, however it ends, the kernel lets them go.
 */
export class CallTracer {
  readonly #pids: readonly number[];
  readonly #strace: ResultPromise<StraceOptions>;
  readonly #counts: { -readonly [K in keyof CallCounts]: number };

  private constructor(pids: readonly number[], counts: CallTracer['counts'], strace: ResultPromise<StraceOptions>) {
    this.#pids = pids;
    this.#counts = counts;
    this.#strace = strace;
  }

  /**
   * @param pids with all of their threads. @param injection undefined: only looks
   * @throws with what strace says, when it may not
   */
  static async attach(
    pids: readonly number[],
    injection: string | undefined,
    reaper: TracerReaper,
  ): Promise<CallTracer> {
    const words = [
      ...['-f', '-s', '0', '-e', 'signal=none', '-e', `trace=${[...writes, ...syncs]}`],
      ...(injection === undefined ? [] : ['-e', `inject=${injection}`]),
      ...pids.flatMap((pid) => ['-p', String(pid)]),
    ];
    const subprocess = execa('strace', words, straceOptions(reaper));
    const { pid } = subprocess;
    if (pid !== undefined) {
      reaper.processStarted(pid);
      subprocess.once('close', () => reaper.processGone(pid));
    }
    const counts = { carriedOut: 0, injected: 0, delayed: 0 };
    const waiting = new Set(pids.map(String));
    let complaint = 'strace did not start';
    let isOne = false;
    const attached = new Promise<boolean>((resolve) => {
      if (subprocess.stderr === null) return resolve(false);
      const lines = createInterface({ input: subprocess.stderr });
      lines.on('line', (line) => {
        const [, seen, gone] = attachments.exec(line) ?? [];
        if (seen === undefined && gone === undefined) count(line, counts);
        if (seen === undefined && line.startsWith('strace: ')) complaint = line;
        // Of many processes some may have ended by now.
        isOne ||= seen !== undefined;
        if (waiting.delete(seen ?? gone ?? '') && waiting.size === 0) resolve(isOne);
      });
      lines.on('close', () => resolve(false));
    });
    const isAttached = await withinMs(attachTimeoutMs, 'strace did not attach', attached).catch((error) => {
      subprocess.kill('SIGKILL');
      throw error;
    });
    if (!isAttached) throw new Error(complaint);
    return new CallTracer(pids, counts, subprocess);
  }

  get counts(): CallCounts {
    return this.#counts;
  }

  /** The threads that the kernel shows to be stopped by their tracer: those whose calls are held, and others in passing. */
  heldThreads(): readonly number[] {
    return this.#pids.flatMap(threadsOf).filter((thread) => processStat(thread)?.state === 't');
  }

  /** Resolves when the processes go on by themselves: what was held is carried out then. Twice is the same as once. */
  async detach(): Promise<void> {
    this.#strace.kill('SIGTERM');
    await withinMs(detachTimeoutMs, 'strace did not end', this.#strace).catch(() => this.kill());
  }

  /** At once: what is held is carried out, but for a process that was sent SIGKILL. */
  kill(): void {
    this.#strace.kill('SIGKILL');
  }
}

/** Traces a process that sleeps, and keeps it asleep; for the probe. @throws where that is not allowed */
export async function tryCallTracer(reaper: TracerReaper): Promise<void> {
  const sleeper = execa('sleep', ['60'], { ...straceOptions(reaper), stderr: 'ignore' });
  try {
    if (sleeper.pid === undefined) throw new Error('there is no sleep');
    reaper.processStarted(sleeper.pid);
    const tracer = await CallTracer.attach([sleeper.pid], injectionOf({ type: 'hung' }, true), reaper);
    await tracer.detach();
  } finally {
    sleeper.kill('SIGKILL');
    await sleeper;
    if (sleeper.pid !== undefined) reaper.processGone(sleeper.pid);
  }
}

/** What strace says of a process that it was to attach to: that it did, or that there is none. */
const attachments = /^strace: (?:Process (\d+) attached|attach: ptrace\(\w+, (\d+)\): No such process)/;

type StraceOptions = ReturnType<typeof straceOptions>;

function straceOptions(reaper: TracerReaper) {
  return {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    // A session of its own: Ctrl-C on the terminal is for the harness.
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    env: { PATH: `${process.env.PATH}:${debianPath}`, ...reaper.environment },
    extendEnv: false,
  } as const satisfies Options;
}

function count(line: string, counts: { -readonly [K in keyof CallCounts]: number }): void {
  if (line.endsWith('(INJECTED)')) counts.injected++;
  else if (line.endsWith('(DELAYED)')) counts.delayed++;
  else if (/ = \d+$/.test(line)) counts.carriedOut++;
}

function threadsOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return []; // It has ended.
  }
}

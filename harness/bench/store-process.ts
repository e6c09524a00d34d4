import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { processStat } from '../cluster/proc.ts';
import type { Reaper } from '../cluster/reaper.ts';
import { withinMs } from '../cluster/within.ts';

const stopTimeoutMs = 20_000;

/** One server that is measured, a process of its own on record with the reaper. */
export interface StoreProcess {
  readonly pid: number;
  /** User and kernel time so far. */
  cpuMs(): number;
  /** Resident memory now, in megabytes. */
  memoryMb(): number;
  /** SIGTERM, and waits until it is gone; calling it again waits for the same end. */
  stop(): Promise<void>;
}

/** @param log file that takes what the process prints */
export function startProcess(
  reaper: Reaper,
  command: string,
  commandArguments: readonly string[],
  log: string,
): StoreProcess {
  const output = openSync(log, 'a');
  // A session of its own, and no pipes: Ctrl-C is for the bench, which ends its servers in its own order.
  const subprocess = spawn(command, commandArguments, {
    stdio: ['ignore', output, output],
    detached: true,
    env: { PATH: process.env.PATH, ...reaper.environment },
  });
  closeSync(output);
  const { pid } = subprocess;
  if (pid === undefined) throw new Error(`${command} could not be started`);
  reaper.processStarted(pid);
  const ended = once(subprocess, 'exit').then(() => reaper.processGone(pid));
  return {
    pid,
    cpuMs: () => {
      const stat = processStat(pid);
      if (stat === undefined || stat.state === 'Z')
        throw new Error(`${command} (process ${pid}) has ended: see ${log}`);
      return stat.cpuMs;
    },
    memoryMb: () => {
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
      return Number(kilobytes) / 1000;
    },
    stop: () => {
      subprocess.kill('SIGTERM');
      return withinMs(stopTimeoutMs, `${command} did not end on SIGTERM`, ended);
    },
  };
}

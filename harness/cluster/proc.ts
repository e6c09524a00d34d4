import { readFileSync } from 'node:fs';

/** What Linux says of a process in `/proc/PID/stat` (proc(5)). */
export interface ProcessStat {
  /** R running, S sleeping, D waiting for the disk, T stopped by a signal, Z a zombie … */
  readonly state: string;
  /** Clock ticks since boot at which it started: with the pid it names one process for good, as pids come again. */
  readonly startTime: string;
  /** What it has used of processors so far, in user and kernel mode. */
  readonly cpuMs: number;
  /** The same of its children that have ended and were waited for. */
  readonly endedChildrenCpuMs: number;
}

/** USER_HZ, which Linux shows to programs as 100 on every architecture that Node runs on. */
const clockTickMs = 10;

/** @returns undefined when there is no such process */
export function processStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the command's name in parentheses, and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined) return undefined;
  const ticks = (first: number): number => Number(fields[first]) + Number(fields[first + 1]);
  return { state, startTime, cpuMs: ticks(11) * clockTickMs, endedChildrenCpuMs: ticks(13) * clockTickMs };
}

/** Whether exactly that process still runs; a zombie does not. */
export function isAlive(process: { readonly pid: number; readonly startTime: string }): boolean {
  const stat = processStat(process.pid);
  return stat !== undefined && stat.startTime === process.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

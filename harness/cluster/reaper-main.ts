/**
 * The reaper: a process of its own session that reads records from a pipe whose other end only the harness holds.
 * When the pipe closes without `done`, the harness is dead, however it died: every process on record is ended, every
 * file system on record unmounted, every temporary folder and control group removed, and the reaper exits.
 *
 * A process may have been forked and not yet been recorded when the harness died. So every child also carries the
 * run's token in its environment, and the reaper looks through /proc for it, for long enough that a fork that was
 * under way has reached its exec.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { removeControlGroup } from './control-group.ts';
import { unmount } from './mounts.ts';
import { isAlive, processStat } from './proc.ts';
import { isControlGroup, isTemporaryFolder, parseReaperRecord, TOKEN_VARIABLE } from './reaper-records.ts';

const forkWindowMs = 500;
const patienceMs = 10_000;

const processes = new Map<number, string>();
const folders = new Set<string>();
const groups = new Set<string>();
const mounts = new Set<string>();
let token: string | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  const record = parseReaperRecord(line);
  switch (record?.type) {
    case 'token':
      token = record.token;
      process.stdout.write('ready\n');
      break;
    case 'process':
      processes.set(record.pid, record.startTime);
      break;
    case 'gone':
      processes.delete(record.pid);
      break;
    case 'folder':
      folders.add(record.path);
      break;
    case 'removed':
      folders.delete(record.path);
      break;
    case 'group':
      groups.add(record.path);
      break;
    case 'group-removed':
      groups.delete(record.path);
      break;
    case 'mount':
      mounts.add(record.path);
      break;
    case 'unmounted':
      mounts.delete(record.path);
      break;
    case 'done':
      process.exit(0);
  }
}

const closedAt = performance.now();
for (;;) {
  const elapsedMs = performance.now() - closedAt;
  const left = endAll();
  if ((left === 0 && elapsedMs > forkWindowMs) || elapsedMs > patienceMs) break;
  await delay(20);
}
for (const mount of mounts) unmount(mount);
for (const folder of folders) if (isTemporaryFolder(folder)) rmSync(folder, { recursive: true, force: true });
for (const group of groups) if (isControlGroup(group)) removeControlGroup(group);

/** SIGKILL also ends stopped processes. @returns how many were still there */
function endAll(): number {
  const alive = [...processes].map(([pid, startTime]) => ({ pid, startTime })).filter(isAlive);
  for (const pid of new Set([...alive.map((child) => child.pid), ...pidsWithToken()])) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  return alive.length;
}

function pidsWithToken(): number[] {
  if (token === undefined) return [];
  const mark = `${TOKEN_VARIABLE}=${token}`;
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && hasInEnvironment(pid, mark));
}

function hasInEnvironment(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark) && processStat(pid)?.state !== 'Z';
  } catch {
    return false; // Another user's, or gone.
  }
}

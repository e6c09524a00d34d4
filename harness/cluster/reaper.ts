import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { removeControlGroup } from './control-group.ts';
import { unmount } from './mounts.ts';
import { processStat } from './proc.ts';
import { type ReaperRecord, TOKEN_VARIABLE } from './reaper-records.ts';
import { withinMs } from './within.ts';

/** What the harness keeps the reaper informed of. See `reaper-main.ts`. */
export interface Reaper {
  /**
   * Must be in the environment of every child, so that one that was forked and not yet recorded when the harness
   * died is found all the same.
   */
  readonly environment: { readonly [name: string]: string };
  /** Puts a child on record; to be called in the turn of the event loop that spawned it. */
  processStarted(pid: number): void;
  processGone(pid: number): void;
  /** Puts a control group on record; to be called before it is made. */
  groupMade(path: string): void;
  /** Removes one whose processes have ended; `close` or the reaper tries again where the kernel was not ready. */
  removeGroup(path: string): void;
  /** Puts a place in a temporary folder on record where a file system is mounted; to be called before it is. */
  mountMade(path: string): void;
  mountGone(path: string): void;
  /** Makes a folder below the system's temporary one; `close` or the reaper removes it. */
  temporaryFolder(purpose: string): string;
  /** Unmounts, removes temporary folders and control groups, and ends the reaper. Children must be gone already. */
  close(): Promise<void>;
}

const startTimeoutMs = 15_000;
const closeTimeoutMs = 10_000;

/** Starts the reaper process and resolves when it listens: nothing that it should end may be started before. */
export async function startReaper(): Promise<Reaper> {
  const token = randomUUID();
  // A session of its own: Ctrl-C on the terminal must not reach the one process that cleans up after it.
  const subprocess = execa(process.execPath, [fileURLToPath(new URL('reaper-main.js', import.meta.url))], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR },
    extendEnv: false,
  });
  const { stdin, stdout } = subprocess;
  const send = (record: ReaperRecord): void => void stdin.write(`${JSON.stringify(record)}\n`);
  send({ type: 'token', token });
  await withinMs(startTimeoutMs, 'the reaper process did not start', once(stdout, 'data'));
  stdout.destroy();
  subprocess.unref();

  const folders = new Set<string>();
  const groups = new Set<string>();
  const mounts = new Set<string>();
  let closed: Promise<void> | undefined;

  async function close(): Promise<void> {
    for (const path of mounts) unmount(path);
    for (const path of folders) {
      rmSync(path, { recursive: true, force: true });
      send({ type: 'removed', path });
    }
    for (const group of groups) removeControlGroup(group);
    send({ type: 'done' });
    stdin.end();
    await withinMs(closeTimeoutMs, 'the reaper process did not end', subprocess);
  }

  return {
    environment: { [TOKEN_VARIABLE]: token },
    processStarted(pid) {
      const stat = processStat(pid);
      if (stat !== undefined) send({ type: 'process', pid, startTime: stat.startTime });
    },
    processGone: (pid) => send({ type: 'gone', pid }),
    groupMade(path) {
      groups.add(path);
      send({ type: 'group', path });
    },
    removeGroup(path) {
      if (!removeControlGroup(path)) return;
      groups.delete(path);
      send({ type: 'group-removed', path });
    },
    mountMade(path) {
      mounts.add(path);
      send({ type: 'mount', path });
    },
    mountGone(path) {
      mounts.delete(path);
      send({ type: 'unmounted', path });
    },
    temporaryFolder(purpose) {
      const path = mkdtempSync(join(tmpdir(), `splitbrain-${purpose}-`));
      folders.add(path);
      send({ type: 'folder', path });
      return path;
    },
    close: () => (closed ??= close()),
  };
}

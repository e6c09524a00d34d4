import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isTemporaryFolder } from './reaper-records.ts';

/** The device that is mounted there; undefined when none is. */
function deviceAt(path: string): string | undefined {
  const lines = readFileSync('/proc/self/mounts', 'latin1').split('\n');
  return lines.map((line) => line.split(' ')).findLast(([, folder]) => folder === path)?.[0];
}

/** Whether a loop device is mounted there whose image lies in a temporary folder of the harness. */
function isOurs(path: string): boolean {
  const device = deviceAt(path);
  if (device === undefined || !device.startsWith('/dev/loop')) return false;
  const image = readFileSync(`/sys/block/${basename(device)}/loop/backing_file`, 'latin1').trim();
  return isTemporaryFolder(dirname(image));
}

/** Unmounts what was mounted there, whose loop device goes with it; nothing that is not the harness's own. */
export function unmount(path: string): void {
  if (!isOurs(path)) return;
  const { status } = spawnSync('umount', [path]);
  // Somebody has a file open: it vanishes when that is closed.
  if (status !== 0) spawnSync('umount', ['--lazy', path]);
}

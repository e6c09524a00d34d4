import { lstatSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { readResults } from '../../results/store/read.ts';
import { names } from './past.ts';

/** Never less than this is left on the disk. */
const freeLeastBytes = 1e9;

export interface Retention {
  /** The folder of all nights. */
  readonly root: string;
  /** Nights, the latest ones, that keep their passing runs. */
  readonly keep: number;
  readonly bytesMax: number;
}

/**
 * Makes room: passing runs of older nights go first; then, while there is still too much, passing runs of any night,
 * the oldest first. Failures and unknown runs and what nights came to are never removed.
 * @returns why there is still too little room, where there is
 */
export function makeRoom({ root, keep, bytesMax }: Retention): string | undefined {
  const nights = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, name))
    .sort();
  for (const night of nights.slice(0, -keep)) for (const run of passing(night)) remove(run);
  let bytes = sizeOf(root);
  for (const night of nights) {
    if (bytes <= bytesMax) break;
    for (const run of passing(night)) {
      if (bytes <= bytesMax) break;
      bytes -= sizeOf(run);
      remove(run);
    }
  }
  if (bytes > bytesMax) return `${root} holds ${gigabytes(bytes)} of failures, more than max-disk: remove some`;
  const { bavail, bsize } = statfsSync(root);
  const free = bavail * bsize;
  return free < freeLeastBytes ? `only ${gigabytes(free)} are left on the disk: make room` : undefined;
}

/** The folders of a night's passing runs, the oldest first. */
function passing(night: string): readonly string[] {
  return folders(join(night, names.runs))
    .flatMap((test) => folders(test))
    .filter(isValid)
    .sort();
}

function folders(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  } catch {
    return []; // It was not made, or is gone.
  }
}

/** One that cannot be read, or is being written, is kept. */
function isValid(run: string): boolean {
  try {
    return readResults(run).valid === true;
  } catch {
    return false;
  }
}

function remove(run: string): void {
  rmSync(run, { recursive: true, force: true });
}

function sizeOf(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.blocks * 512;
  return readdirSync(path).reduce((total, name) => total + sizeOf(join(path, name)), 0);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

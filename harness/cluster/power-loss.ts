import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { covers, type JournalLine, journalFile, keptFolder, type Unsynced } from './disk-journal.ts';

const sectorBytes = 512;

export interface PowerLoss {
  /** Operations that were not durable when the node died, and how many of them were taken back. */
  readonly unsynced: number;
  readonly lost: number;
}

/**
 * Makes a dead node's disk what it may be after a loss of power: of what was not synced the first so many operations
 * survive, the next may have been torn, the rest, at least one, is gone; where a file had grown, its new length may have survived
 * without its bytes. What was synced stays. (Pillai et al., OSDI 2014, on what file systems make of a crash.)
 * @param dataFolder the node's data directory
 * @param diskFolder where the node kept its journal
 */
export function losePower(dataFolder: string, diskFolder: string, random: (bound: number) => number): PowerLoss {
  const unsynced = readJournal(join(diskFolder, journalFile));
  const lost = unsynced.length === 0 ? [] : unsynced.slice(random(unsynced.length));
  for (const [at, done] of [...lost.entries()].reverse()) {
    if (done.type === 'write') {
      undoWrite(dataFolder, done, at === 0 && done.tears ? wholeSectors(done, random) : 0, random(3) === 0);
    } else undoName(diskFolder, done);
  }
  rmSync(diskFolder, { recursive: true, force: true });
  return { unsynced: unsynced.length, lost: lost.length };
}

/** A disk writes a sector as a whole or not at all. @returns how many of the first bytes reached it, not all */
function wholeSectors(
  { position, lengthBytes }: { readonly position: number; readonly lengthBytes: number },
  random: (bound: number) => number,
): number {
  const tornAt = position + random(lengthBytes);
  return Math.max(0, tornAt - (tornAt % sectorBytes) - position);
}

function readJournal(path: string): readonly Unsynced[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  lines.pop(); // Empty, or cut short by the kill: what it announced was not done.
  let unsynced: Unsynced[] = [];
  for (const text of lines) {
    const line = JSON.parse(text) as JournalLine;
    if (line.type === 'synced' || line.type === 'synced-directory' || line.type === 'synced-all') {
      unsynced = unsynced.filter((done) => !covers(line, done, dirname));
    } else {
      unsynced.push(line);
    }
  }
  return unsynced;
}

/** @param keptBytes so many of the first bytes did reach the disk. @param lengthSurvives filled with zeros */
function undoWrite(
  dataFolder: string,
  { inode, position, lengthBytes, sizeBytes, old }: Extract<Unsynced, { type: 'write' }>,
  keptBytes: number,
  lengthSurvives: boolean,
): void {
  const path = pathOf(dataFolder, inode);
  if (path === undefined) return; // Its name is gone, too.
  const descriptor = openSync(path, 'r+');
  const oldBytes = typeof old === 'number' ? Buffer.alloc(old) : Buffer.from(old, 'base64');
  const lostOld = oldBytes.subarray(Math.min(keptBytes, oldBytes.length));
  if (lostOld.length > 0)
    writeSync(descriptor, lostOld, 0, lostOld.length, position + oldBytes.length - lostOld.length);
  const grownTo = position + lengthBytes;
  if (fstatSync(descriptor).size >= grownTo && grownTo > sizeBytes) {
    const keptUntil = Math.max(sizeBytes, position + keptBytes);
    ftruncateSync(descriptor, keptUntil);
    if (lengthSurvives) ftruncateSync(descriptor, grownTo);
  }
  closeSync(descriptor);
}

function undoName(diskFolder: string, done: Exclude<Unsynced, { type: 'write' }>): void {
  if (done.type === 'create') {
    rmSync(done.path, { force: true });
    return;
  }
  if (done.type === 'rename') {
    if (existsSync(done.from) || !existsSync(done.path)) return; // It had not come to that.
    renameSync(done.path, done.from);
  }
  if (done.kept !== null && !existsSync(done.path)) linkSync(join(diskFolder, keptFolder, done.kept), done.path);
}

function pathOf(folder: string, inode: number): string | undefined {
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, entry);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() && stat.ino === inode) return path;
  }
  return undefined;
}

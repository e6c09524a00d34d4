/**
 * The undo journal of one node's disk, `nodes/<n>/disk/journal.ndjson`: what must be taken back if the machine lost
 * power now. `preload/disk.ts` writes it in the node, `power-loss.ts` reads it when the node is dead. Old bytes that
 * are all zero are only counted.
 */
export type JournalLine = Unsynced | Synced;

/** Something was done that is not durable yet; written before it is done. */
export type Unsynced =
  | {
      readonly type: 'write';
      readonly sequence: number;
      readonly inode: number;
      readonly position: number;
      readonly lengthBytes: number;
      /** The file's size before, and what stood in the part of it that is overwritten or cut off. */
      readonly sizeBytes: number;
      readonly old: string | number;
      /** A part of it may reach the disk: a write, not a change of the length alone. */
      readonly tears: boolean;
    }
  | { readonly type: 'create'; readonly sequence: number; readonly path: string }
  | {
      readonly type: 'rename';
      readonly sequence: number;
      readonly path: string;
      readonly from: string;
      /** A second name of the file that was replaced, in `kept/`. */
      readonly kept: string | null;
    }
  | { readonly type: 'unlink'; readonly sequence: number; readonly path: string; readonly kept: string };

/** What was done up to a sequence number is durable: the bytes of a file, or the names in a directory. */
export type Synced =
  | { readonly type: 'synced'; readonly sequence: number; readonly inode: number }
  | { readonly type: 'synced-directory'; readonly sequence: number; readonly path: string }
  | { readonly type: 'synced-all'; readonly sequence: number };

export const journalFile = 'journal.ndjson';
export const keptFolder = 'kept';

/** Whether a sync made that durable. @param directoryOf of a path */
export function covers(sync: Synced, done: Unsynced, directoryOf: (path: string) => string): boolean {
  if (done.sequence > sync.sequence) return false;
  if (sync.type === 'synced-all') return true;
  if (sync.type === 'synced') return done.type === 'write' && done.inode === sync.inode;
  return done.type !== 'write' && directoryOf(done.path) === sync.path;
}

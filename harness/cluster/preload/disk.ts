/**
 * Loaded into a node with `--import`, before its own code: stands between it and everything below
 * `SPLITBRAIN_DISK_ROOT`. Disk faults come from the harness (`control.ts`), or in `SPLITBRAIN_DISK` for the process's
 * whole life: a disk stays as it is when a process is restarted. Each order is answered with what was done to the
 * node's operations so far; an order of null only asks.
 *
 * With `SPLITBRAIN_DISK_JOURNAL` it also keeps an undo journal there; when the process has ended, the harness takes
 * back what that has: a machine without power (`power-loss.ts`).
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';
import { takeOrders } from './control.ts';
import { diskFault, FaultyDisk } from './faulty-disk.ts';
import { UndoJournal } from './undo-journal.ts';

const root = process.env.SPLITBRAIN_DISK_ROOT;
const journalFolder = process.env.SPLITBRAIN_DISK_JOURNAL;
const initial = process.env.SPLITBRAIN_DISK;

if (root !== undefined) {
  const journal = journalFolder === undefined ? undefined : new UndoJournal(journalFolder);
  const disk = new FaultyDisk(
    () => process.kill(process.pid, 'SIGKILL'),
    () => journal?.synced({ type: 'synced-all', sequence: journal.lastSequence }),
  );
  if (initial !== undefined) disk.set(diskFault(JSON.parse(initial)));
  takeOrders('disk', (order) => {
    const { fault } = order as { readonly fault?: unknown };
    if (fault !== undefined) disk.set(diskFault(fault));
    return disk.counts;
  });
  standBefore(resolve(root), disk, journal);
}

function standBefore(root: string, disk: FaultyDisk, journal: UndoJournal | undefined): void {
  const real = {
    open: fs.open,
    close: fs.close,
    writev: fs.writev,
    ftruncate: fs.ftruncate,
    fdatasync: fs.fdatasync,
    openHandle: fs.promises.open,
    rename: fs.promises.rename,
    unlink: fs.promises.unlink,
  };
  /** Descriptors of files below the root, with their inodes. */
  const inodes = new Map<number, number>();
  /** Those of them of which each write is to be synced. Here that is done after the write, so that faults can meet it. */
  const syncing = new Set<number>();
  const isBelow = (file: unknown): file is string => typeof file === 'string' && resolve(file).startsWith(`${root}/`);

  const open = (file: fs.PathLike, flags: number, mode: number, done: (error: unknown, fd?: number) => void): void => {
    if (!isBelow(file)) {
      real.open(file, flags, mode, done);
      return;
    }
    const isNew = (flags & fs.constants.O_CREAT) !== 0 && !fs.existsSync(file);
    if (isNew) {
      const failure = disk.beforeWrite('open');
      if (failure !== undefined) {
        setImmediate(done, failure);
        return;
      }
      journal?.willCreate(resolve(file));
    }
    const { O_DSYNC } = fs.constants;
    real.open(file, flags & ~O_DSYNC, mode, (error, descriptor) => {
      if (error === null) {
        if ((flags & O_DSYNC) !== 0) syncing.add(descriptor);
        const inode = fs.fstatSync(descriptor).ino;
        inodes.set(descriptor, inode);
        // What is still unsynced of that inode was of a file that is no more.
        if (isNew) journal?.synced({ type: 'synced', sequence: journal.lastSequence, inode });
      }
      done(error, descriptor);
    });
  };
  const close = (descriptor: number, done: fs.NoParamCallback): void => {
    inodes.delete(descriptor);
    syncing.delete(descriptor);
    real.close(descriptor, done);
  };
  const writev = (
    descriptor: number,
    buffers: NodeJS.ArrayBufferView[],
    position: number,
    done: (error: NodeJS.ErrnoException | null, bytes?: number, buffers?: NodeJS.ArrayBufferView[]) => void,
  ): void => {
    const inode = inodes.get(descriptor);
    if (inode !== undefined) {
      const failure = disk.beforeWrite('writev');
      if (failure !== undefined) {
        setImmediate(done, failure);
        return;
      }
      const lengthBytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
      journal?.willChange(descriptor, inode, position, lengthBytes, true);
    }
    real.writev(descriptor, buffers, position, (error, bytes) => {
      if (error !== null || !syncing.has(descriptor)) done(error, bytes, buffers);
      else fdatasync(descriptor, (failed) => done(failed, bytes, buffers));
    });
  };
  const ftruncate = (descriptor: number, lengthBytes: number, done: fs.NoParamCallback): void => {
    const inode = inodes.get(descriptor);
    if (inode !== undefined) {
      const { size } = fs.fstatSync(descriptor);
      const failure = lengthBytes > size ? disk.beforeWrite('ftruncate') : undefined;
      if (failure !== undefined) {
        setImmediate(done, failure);
        return;
      }
      journal?.willChange(descriptor, inode, Math.min(size, lengthBytes), Math.abs(size - lengthBytes), false);
    }
    real.ftruncate(descriptor, lengthBytes, done);
  };
  const fdatasync = (descriptor: number, done: fs.NoParamCallback): void => {
    const inode = inodes.get(descriptor);
    if (inode === undefined) {
      real.fdatasync(descriptor, done);
      return;
    }
    const perform = (finished: fs.NoParamCallback): void => {
      const sequence = journal?.lastSequence ?? 0;
      real.fdatasync(descriptor, (error) => {
        if (error === null) journal?.synced({ type: 'synced', sequence, inode });
        finished(error);
      });
    };
    disk.sync('fdatasync', perform, done);
  };
  Object.assign(fs, { open, close, writev, ftruncate, fdatasync });

  Object.assign(fs.promises, {
    async open(file: string, ...rest: [string | number | undefined, fs.Mode | undefined]) {
      const handle = await real.openHandle(file, ...rest);
      if (`${resolve(file)}/`.startsWith(`${root}/`) && (await handle.stat()).isDirectory()) {
        const sync = handle.sync.bind(handle);
        const perform = (finished: fs.NoParamCallback): void => {
          const sequence = journal?.lastSequence ?? 0;
          sync().then(
            () => {
              journal?.synced({ type: 'synced-directory', sequence, path: resolve(file) });
              finished(null);
            },
            (error: NodeJS.ErrnoException) => finished(error),
          );
        };
        handle.sync = () =>
          new Promise((resolve, reject) => {
            disk.sync('fsync', perform, (error) => (error === null ? resolve() : reject(error)));
          });
      }
      return handle;
    },
    async rename(from: string, to: string) {
      if (isBelow(to)) journal?.willRename(resolve(from), resolve(to));
      await real.rename(from, to);
    },
    async unlink(file: string) {
      if (isBelow(file) && fs.existsSync(file)) journal?.willUnlink(resolve(file));
      await real.unlink(file);
    },
  });
  syncBuiltinESMExports();
}

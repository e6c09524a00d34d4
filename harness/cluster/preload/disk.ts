/**
 * Loaded into a node with `--import`, before its own code: keeps an undo journal of everything below
 * `SPLITBRAIN_DISK_ROOT` that was written, created, renamed or removed and not yet synced, in `SPLITBRAIN_DISK_JOURNAL`.
 * When the node is killed, the harness takes back what the journal has: a machine without power (see `power-loss.ts`).
 * New directories count as durable at once.
 *
 * On SIGUSR2 the process kills itself at its next sync, before anything of it was done: the moment at which the most
 * is lost.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { covers, type JournalLine, journalFile, keptFolder, type Synced, type Unsynced } from '../disk-journal.ts';

/** The journal is written anew with only what is still unsynced when it has grown to this. */
const journalBytesMax = 4 * 1024 * 1024;

const root = process.env.SPLITBRAIN_DISK_ROOT;
const journalFolder = process.env.SPLITBRAIN_DISK_JOURNAL;
if (root !== undefined && journalFolder !== undefined) journalDisk(resolve(root), journalFolder);

function journalDisk(root: string, folder: string): void {
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
  fs.mkdirSync(join(folder, keptFolder), { recursive: true });
  const path = join(folder, journalFile);
  let journal = fs.openSync(path, 'w');
  let journalBytes = 0;
  let unsynced: Unsynced[] = [];
  let lastSequence = 0;
  let diesAtSync = false;
  /** Descriptors of files below the root, with their inodes. */
  const inodes = new Map<number, number>();

  process.on('SIGUSR2', () => {
    diesAtSync = true;
  });

  function append(line: JournalLine): void {
    journalBytes += fs.writeSync(journal, `${JSON.stringify(line)}\n`);
  }

  /** Called before the thing is done. @returns its sequence number */
  function willDo(done: Unsynced): void {
    unsynced.push(done);
    append(done);
  }

  function synced(sync: Synced): void {
    const durable = unsynced.filter((done) => covers(sync, done, dirname));
    if (durable.length === 0) return;
    unsynced = unsynced.filter((done) => !durable.includes(done));
    append(sync);
    if (unsynced.length === 0) {
      fs.ftruncateSync(journal, 0);
      fs.closeSync(journal);
      journal = fs.openSync(path, 'w');
      journalBytes = 0;
    } else if (journalBytes > journalBytesMax) {
      const next = `${path}.next`;
      fs.writeFileSync(next, unsynced.map((done) => `${JSON.stringify(done)}\n`).join(''));
      fs.closeSync(journal);
      fs.renameSync(next, path);
      journal = fs.openSync(path, 'a');
      journalBytes = fs.fstatSync(journal).size;
    }
    for (const done of durable) {
      if ('kept' in done && done.kept !== null) fs.rmSync(join(folder, keptFolder, done.kept), { force: true });
    }
  }

  function willChange(descriptor: number, inode: number, position: number, lengthBytes: number, tears: boolean): void {
    const { size } = fs.fstatSync(descriptor);
    const old = Buffer.alloc(Math.max(0, Math.min(size - position, lengthBytes)));
    if (old.length > 0) fs.readSync(descriptor, old, 0, old.length, position);
    willDo({
      type: 'write',
      sequence: ++lastSequence,
      inode,
      position,
      lengthBytes,
      sizeBytes: size,
      old: old.every((byte) => byte === 0) ? old.length : old.toString('base64'),
      tears,
    });
  }

  function keep(file: string): string {
    const kept = String(lastSequence);
    fs.linkSync(file, join(folder, keptFolder, kept));
    return kept;
  }

  const isBelow = (file: unknown): file is string => typeof file === 'string' && resolve(file).startsWith(`${root}/`);
  const dieIfAsked = (): void => {
    if (diesAtSync) process.kill(process.pid, 'SIGKILL');
  };

  const open = (file: fs.PathLike, flags: number, mode: number, done: (error: unknown, fd: number) => void): void => {
    if (!isBelow(file)) {
      real.open(file, flags, mode, done);
      return;
    }
    const isNew = (flags & fs.constants.O_CREAT) !== 0 && !fs.existsSync(file);
    if (isNew) willDo({ type: 'create', sequence: ++lastSequence, path: resolve(file) });
    real.open(file, flags, mode, (error, descriptor) => {
      if (error === null) {
        const inode = fs.fstatSync(descriptor).ino;
        inodes.set(descriptor, inode);
        // What is still unsynced of that inode was of a file that is no more.
        if (isNew) synced({ type: 'synced', sequence: lastSequence, inode });
      }
      done(error, descriptor);
    });
  };
  const close = (descriptor: number, done: fs.NoParamCallback): void => {
    inodes.delete(descriptor);
    real.close(descriptor, done);
  };
  const writev = (
    descriptor: number,
    buffers: NodeJS.ArrayBufferView[],
    position: number,
    done: (error: NodeJS.ErrnoException | null, bytes: number, buffers: NodeJS.ArrayBufferView[]) => void,
  ): void => {
    const inode = inodes.get(descriptor);
    const lengthBytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    if (inode !== undefined) willChange(descriptor, inode, position, lengthBytes, true);
    real.writev(descriptor, buffers, position, done);
  };
  const ftruncate = (descriptor: number, lengthBytes: number, done: fs.NoParamCallback): void => {
    const inode = inodes.get(descriptor);
    if (inode !== undefined) {
      const { size } = fs.fstatSync(descriptor);
      willChange(descriptor, inode, Math.min(size, lengthBytes), Math.abs(size - lengthBytes), false);
    }
    real.ftruncate(descriptor, lengthBytes, done);
  };
  const fdatasync = (descriptor: number, done: fs.NoParamCallback): void => {
    const inode = inodes.get(descriptor);
    if (inode === undefined) {
      real.fdatasync(descriptor, done);
      return;
    }
    dieIfAsked();
    const sequence = lastSequence;
    real.fdatasync(descriptor, (error) => {
      if (error === null) synced({ type: 'synced', sequence, inode });
      done(error);
    });
  };
  Object.assign(fs, { open, close, writev, ftruncate, fdatasync });

  Object.assign(fs.promises, {
    async open(file: string, ...rest: [string | number | undefined, fs.Mode | undefined]) {
      const handle = await real.openHandle(file, ...rest);
      if (`${resolve(file)}/`.startsWith(`${root}/`) && (await handle.stat()).isDirectory()) {
        const sync = handle.sync.bind(handle);
        handle.sync = async () => {
          dieIfAsked();
          const sequence = lastSequence;
          await sync();
          synced({ type: 'synced-directory', sequence, path: resolve(file) });
        };
      }
      return handle;
    },
    async rename(from: string, to: string) {
      if (isBelow(to)) {
        const sequence = ++lastSequence;
        const kept = fs.existsSync(to) ? keep(to) : null;
        willDo({ type: 'rename', sequence, path: resolve(to), from: resolve(from), kept });
      }
      await real.rename(from, to);
    },
    async unlink(file: string) {
      if (isBelow(file) && fs.existsSync(file)) {
        const sequence = ++lastSequence;
        willDo({ type: 'unlink', sequence, path: resolve(file), kept: keep(file) });
      }
      await real.unlink(file);
    },
  });
  syncBuiltinESMExports();
}

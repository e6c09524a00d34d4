import { constants, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { File } from '../ports.ts';
import { createRealFileSystem } from './file-system.ts';

/** The flags of this process's descriptor of a file (proc_pid_fdinfo(5)). */
function flagsOf(path: string): number {
  const descriptor = readdirSync('/proc/self/fd').find((one) => {
    try {
      return readlinkSync(`/proc/self/fd/${one}`) === path;
    } catch {
      return false;
    }
  });
  const [, flags = ''] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1')) ?? [];
  return Number.parseInt(flags, 8);
}

function durably(file: File, position: number, text: string): Promise<void> {
  const chunks = [...text].map((letter) => new TextEncoder().encode(letter));
  return new Promise((resolve, reject) => {
    file.writeDurably(position, chunks, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

t.test(
  'the kernel itself syncs each write to a write-through file',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const folder = t.testdir({});
    const files = createRealFileSystem(folder);
    for (const [mode, syncs] of [
      ['write-through', true],
      ['write', false],
    ] as const) {
      writeFileSync(join(folder, mode), '0123456789');
      const file = await files.open(mode, mode);
      t.equal((flagsOf(join(folder, mode)) & constants.O_DSYNC) !== 0, syncs, mode);
      await durably(file, 3, 'abc');
      await durably(file, 8, 'defg');
      t.equal(readFileSync(join(folder, mode), 'latin1'), '012abc67defg');
      await file.close();
      await t.rejects(durably(file, 0, 'x'), { code: 'EBADF' }, 'a failed write is told');
    }
  },
);

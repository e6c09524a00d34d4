import {
  closeSync,
  constants,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Damage, Effect, NodeId } from '../../nemesis/world.ts';

const mechanism = 'files';
const sectorBytes = 512;

const patterns: { readonly [file in Damage['file']]: { readonly folder: string; readonly name: RegExp } } = {
  log: { folder: 'wal', name: /\.wal$/ },
  snapshot: { folder: 'snapshots', name: /\.snapshot$/ },
};

/** What is done to the files of one node while it is down, and what they were before. */
export class FileDamage {
  readonly #node: NodeId;
  readonly #dataFolder: string;
  readonly #undamagedFolder: string;
  /** The snapshots of when it last began to serve. */
  readonly #oldFolder: string;
  readonly #random: (bound: number) => number;
  /** Below the data folder; until the node serves again. */
  readonly #damaged = new Set<string>();
  #isWiped = false;

  /** @param folder `nodes/<n>/` of the run folder: beside the data, the copy of what it was is kept there */
  constructor(node: NodeId, folder: string, dataFolder: string, random: (bound: number) => number) {
    this.#node = node;
    this.#dataFolder = dataFolder;
    this.#undamagedFolder = join(folder, 'undamaged');
    this.#oldFolder = join(folder, 'old');
    this.#random = random;
  }

  /** Proven by other bytes at that place; moot when there is no such file yet. @throws when there is nothing to restore */
  apply({ file: kind, how }: Damage): Effect {
    if (how === 'restore') return this.#restore();
    if (how === 'old') return this.#putBack(kind);
    const { folder, name } = patterns[kind];
    const contents = filesIn(join(this.#dataFolder, folder))
      .filter((file) => name.test(file))
      .map((file) => ({ file: `${folder}/${file}`, bytes: contentOf(join(this.#dataFolder, folder, file)) }))
      .filter(({ bytes }) => bytes.length > 0);
    const hit = contents[this.#random(Math.max(1, contents.length))];
    const harm = hit && this.#harm(hit.bytes, how);
    if (hit === undefined || harm === undefined) {
      return { effect: 'moot', mechanism, proof: { files: contents.length, reason: 'nothing there to harm' } };
    }
    const path = join(this.#dataFolder, hit.file);
    if (!existsSync(this.#undamagedFolder)) copy(this.#dataFolder, this.#undamagedFolder);
    if (harm.bytes === undefined) truncateSync(path, harm.offset);
    else overwrite(path, harm.offset, harm.bytes);
    this.#damaged.add(hit.file);
    const changed = !contentOf(path).equals(hit.bytes);
    return { effect: changed ? 'proven' : 'ineffective', mechanism, proof: { file: hit.file, offset: harm.offset } };
  }

  /** Whether this is what a node says that will not start because of what was done to its files. */
  isRefusal(message: string): boolean {
    return [...this.#damaged].some(
      (file) => message.includes(file) || new RegExp(`(^|[\\s:])${file.split('/')[0]} at byte`).test(message),
    );
  }

  /** To be called when the node serves: what it was before must not come back. */
  served(): void {
    this.#damaged.clear();
    rmSync(this.#undamagedFolder, { recursive: true, force: true });
    rmSync(this.#oldFolder, { recursive: true, force: true });
    const { folder } = patterns.snapshot;
    const now = join(this.#dataFolder, folder);
    // It may write one at this moment: what is not finished is no part of it.
    for (const file of filesIn(now)) {
      if (patterns.snapshot.name.test(file)) copyIfThere(join(now, file), join(this.#oldFolder, file));
    }
  }

  /** Whether it has forgotten what it had acknowledged, and must not come back under its old name. */
  get isWiped(): boolean {
    return this.#isWiped;
  }

  /** It is another member now, which has nothing to forget. */
  renamed(): void {
    this.#isWiped = false;
  }

  /** Takes all that the node has on disk. */
  wipe(): Effect {
    const files = filesIn(this.#dataFolder).length;
    rmSync(this.#dataFolder, { recursive: true, force: true });
    this.served();
    this.#isWiped = true;
    return { effect: files > 0 ? 'proven' : 'moot', mechanism, proof: { files } };
  }

  /** Proven by other files than before, or other bytes in them; moot when they are the same. */
  #putBack(kind: Damage['file']): Effect {
    const { folder, name } = patterns[kind];
    const now = join(this.#dataFolder, folder);
    const was = filesIn(this.#oldFolder);
    const is = filesIn(now).filter((file) => name.test(file));
    const gone = is.filter((file) => !was.includes(file));
    if (kind === 'log' || gone.length === 0) {
      return { effect: 'moot', mechanism, proof: { files: was.length, reason: 'nothing older to put back' } };
    }
    if (!existsSync(this.#undamagedFolder)) copy(this.#dataFolder, this.#undamagedFolder);
    for (const file of is) rmSync(join(now, file));
    for (const file of was) copy(join(this.#oldFolder, file), join(now, file));
    for (const file of [...is, ...was]) this.#damaged.add(`${folder}/${file}`);
    const isSo = filesIn(now).filter((file) => name.test(file)).length === was.length;
    return {
      effect: isSo ? 'proven' : 'ineffective',
      mechanism,
      proof: { putBack: was.join(' '), gone: gone.join(' ') },
    };
  }

  /** @returns the bytes that belong there now; none: the file ends there. Undefined: nothing would change */
  #harm(bytes: Buffer, how: Exclude<Damage['how'], 'restore' | 'old'>): { offset: number; bytes?: Buffer } | undefined {
    const at = this.#random(bytes.length);
    switch (how) {
      case 'flip':
        return { offset: at, bytes: Buffer.of(bytes[at]! ^ (1 << this.#random(8))) };
      case 'truncate':
        return { offset: at };
      case 'misdirect': {
        const to = Math.floor(at / sectorBytes) * sectorBytes;
        const from = sectorBytes * this.#random(Math.max(1, Math.floor(bytes.length / sectorBytes)));
        const sector = bytes.subarray(from, from + Math.min(sectorBytes, bytes.length - to));
        return sector.equals(bytes.subarray(to, to + sector.length)) ? undefined : { offset: to, bytes: sector };
      }
    }
  }

  #restore(): Effect {
    if (!existsSync(this.#undamagedFolder)) {
      throw new Error(`node ${this.#node} has served since it was damaged, or never was`);
    }
    rmSync(this.#dataFolder, { recursive: true, force: true });
    copy(this.#undamagedFolder, this.#dataFolder);
    const files = filesIn(this.#dataFolder).length;
    this.served();
    return { effect: 'proven', mechanism, proof: { files } };
  }
}

function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE });
}

/** Its owner, which runs, may remove it at this moment. */
function copyIfThere(from: string, to: string): void {
  try {
    copy(from, to);
  } catch (error) {
    if (existsSync(from)) throw error;
  }
}

function filesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
}

/** Without the zeros that a log is laid out with ahead. */
function contentOf(path: string): Buffer {
  const bytes = readFileSync(path);
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return bytes.subarray(0, length);
}

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
}

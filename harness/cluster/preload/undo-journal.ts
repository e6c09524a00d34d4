/**
 * Keeps the undo journal of one process (`disk-journal.ts`): what it has written, created, renamed or removed and not
 * yet synced, each written down before it is done. New directories count as durable at once, and so does what an
 * earlier process left unsynced when it was merely killed.
 */
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { covers, type JournalLine, journalFile, keptFolder, type Synced, type Unsynced } from '../disk-journal.ts';

/** The journal is written anew with only what is still unsynced when it has grown to this. */
const journalBytesMax = 4 * 1024 * 1024;

export class UndoJournal {
  readonly #folder: string;
  readonly #path: string;
  #descriptor: number;
  #bytes = 0;
  #unsynced: Unsynced[] = [];
  #lastSequence = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, journalFile);
    // What a process that was merely killed left there is durable, and its numbers are given again.
    fs.rmSync(join(folder, keptFolder), { recursive: true, force: true });
    fs.mkdirSync(join(folder, keptFolder), { recursive: true });
    this.#descriptor = fs.openSync(this.#path, 'w');
  }

  /** What a sync that begins now will make durable. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  willCreate(path: string): void {
    this.#willDo({ type: 'create', sequence: ++this.#lastSequence, path });
  }

  willRename(from: string, path: string): void {
    const sequence = ++this.#lastSequence;
    const kept = fs.existsSync(path) ? this.#keep(path) : null;
    this.#willDo({ type: 'rename', sequence, path, from, kept });
  }

  willUnlink(path: string): void {
    const sequence = ++this.#lastSequence;
    this.#willDo({ type: 'unlink', sequence, path, kept: this.#keep(path) });
  }

  /** @param tears a part of it may reach the disk: a write, not a change of the length alone */
  willChange(descriptor: number, inode: number, position: number, lengthBytes: number, tears: boolean): void {
    const { size } = fs.fstatSync(descriptor);
    const old = Buffer.alloc(Math.max(0, Math.min(size - position, lengthBytes)));
    if (old.length > 0) fs.readSync(descriptor, old, 0, old.length, position);
    this.#willDo({
      type: 'write',
      sequence: ++this.#lastSequence,
      inode,
      position,
      lengthBytes,
      sizeBytes: size,
      old: old.every((byte) => byte === 0) ? old.length : old.toString('base64'),
      tears,
    });
  }

  synced(sync: Synced): void {
    const durable = this.#unsynced.filter((done) => covers(sync, done, dirname));
    if (durable.length === 0) return;
    this.#unsynced = this.#unsynced.filter((done) => !durable.includes(done));
    this.#append(sync);
    if (this.#unsynced.length === 0) {
      fs.ftruncateSync(this.#descriptor, 0);
      fs.closeSync(this.#descriptor);
      this.#descriptor = fs.openSync(this.#path, 'w');
      this.#bytes = 0;
    } else if (this.#bytes > journalBytesMax) {
      const next = `${this.#path}.next`;
      fs.writeFileSync(next, this.#unsynced.map((done) => `${JSON.stringify(done)}\n`).join(''));
      fs.closeSync(this.#descriptor);
      fs.renameSync(next, this.#path);
      this.#descriptor = fs.openSync(this.#path, 'a');
      this.#bytes = fs.fstatSync(this.#descriptor).size;
    }
    for (const done of durable) {
      if ('kept' in done && done.kept !== null) fs.rmSync(join(this.#folder, keptFolder, done.kept), { force: true });
    }
  }

  #willDo(done: Unsynced): void {
    this.#unsynced.push(done);
    this.#append(done);
  }

  #append(line: JournalLine): void {
    this.#bytes += fs.writeSync(this.#descriptor, `${JSON.stringify(line)}\n`);
  }

  #keep(file: string): string {
    const kept = String(this.#lastSequence);
    fs.linkSync(file, join(this.#folder, keptFolder, kept));
    return kept;
  }
}

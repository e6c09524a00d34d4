import { closeSync, openSync, writeSync } from 'node:fs';

/**
 * Appends JSON lines as they happen. Each line is handed to the kernel before `append` returns, so that the death
 * of this process, SIGKILL included, loses nothing that was appended (a power cut may).
 */
export class LineWriter<T> {
  readonly path: string;
  #descriptor: number;

  /** Creates the file, and throws the system's error when it is there already; with `a` it goes on with one that is. */
  constructor(path: string, mode: 'ax' | 'a' = 'ax') {
    this.path = path;
    this.#descriptor = openSync(path, mode);
  }

  append(record: T): void {
    const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
  }

  /** Closing twice does nothing. */
  close(): void {
    if (this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}

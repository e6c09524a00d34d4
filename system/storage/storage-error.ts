/** What is on disk cannot be believed. The node must not start with it; the message says where and what to do. */
export class CorruptStorageError extends Error {
  readonly file: string;
  readonly offset: number;
  constructor(file: string, offset: number, message: string) {
    super(`${file} at byte ${offset}: ${message}`);
    this.name = 'CorruptStorageError';
    this.file = file;
    this.offset = offset;
  }
}

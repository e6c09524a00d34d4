/** Bytes that are no snapshot of this version and these limits, or a damaged one. */
export class SnapshotError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SnapshotError';
  }
}

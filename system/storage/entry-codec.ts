import type { Entry } from '../raft/index.ts';

/**
 * Entries as bytes, the same in the log and to peers: u32 data length | u8 type | term and index as 6 bytes each,
 * little-endian | data. No checksum: the frame around them has one.
 */
export const ENTRY_HEADER_BYTES = 17;

/** What entries take, encoded one after another. */
export function encodedEntriesBytes(_entries: readonly Entry[]): number {
  throw new Error('not yet');
}

/** Writes entries one after another. @returns where they end */
export function writeEntries(_entries: readonly Entry[], _target: Uint8Array, _at: number): number {
  throw new Error('not yet');
}

/** Reads what `writeEntries` wrote into [at, end). Undefined when the bytes are not entries. Data are views. */
export function readEntries(_source: Uint8Array, _at: number, _end: number): Entry[] | undefined {
  throw new Error('not yet');
}

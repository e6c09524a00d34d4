import { type Entry, EntryType } from './raft/index.ts';

/**
 * Entries as bytes, the same in the log and to peers: u32 data length | u8 type | term and index, 6 bytes each |
 * data; little-endian. No checksum: the frame around them has one.
 */
const ENTRY_HEADER_BYTES = 17;

const HIGH = 0x1_0000_0000;

/** What entries take, encoded one after another. */
export function encodedEntriesBytes(entries: readonly Entry[]): number {
  let bytes = entries.length * ENTRY_HEADER_BYTES;
  for (let i = 0; i < entries.length; i++) bytes += entries[i]!.data.length;
  return bytes;
}

/** Writes entries one after another. @returns where they end */
export function writeEntries(entries: readonly Entry[], target: Uint8Array, at: number): number {
  let to = at;
  for (let i = 0; i < entries.length; i++) {
    const { term, index, type, data } = entries[i]!;
    putU32(target, to, data.length);
    target[to + 4] = type;
    putU48(target, to + 5, term);
    putU48(target, to + 11, index);
    target.set(data, to + ENTRY_HEADER_BYTES);
    to += ENTRY_HEADER_BYTES + data.length;
  }
  return to;
}

/** Reads what `writeEntries` wrote into [at, end). Undefined when the bytes are not entries. Data are views. */
export function readEntries(source: Uint8Array, at: number, end: number): Entry[] | undefined {
  const entries: Entry[] = [];
  let from = at;
  while (from < end) {
    const start = from + ENTRY_HEADER_BYTES;
    if (start > end) return undefined;
    const length = getU32(source, from);
    const type = entryType(source[from + 4]!);
    if (length > end - start || type === undefined) return undefined;
    entries.push({
      term: getU48(source, from + 5),
      index: getU48(source, from + 11),
      type,
      data: source.subarray(start, start + length),
    });
    from = start + length;
  }
  return entries;
}

function entryType(byte: number): EntryType | undefined {
  switch (byte) {
    case EntryType.Normal:
    case EntryType.ConfChange:
    case EntryType.ConfChangeV2:
      return byte;
    default:
      return undefined;
  }
}

export function putU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

export function getU32(source: Uint8Array, at: number): number {
  return (source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)) >>> 0;
}

export function putU48(target: Uint8Array, at: number, value: number): void {
  // Stores and shifts take the value modulo 2^32 by themselves.
  putU32(target, at, value);
  const high = value < HIGH ? 0 : Math.floor(value / HIGH);
  target[at + 4] = high;
  target[at + 5] = high >>> 8;
}

export function getU48(source: Uint8Array, at: number): number {
  return (source[at + 4]! | (source[at + 5]! << 8)) * HIGH + getU32(source, at);
}

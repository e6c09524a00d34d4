/** What an entry carries. The numbers are those of the log format and never change. */
export const EntryType = { Normal: 0, ConfChange: 1, ConfChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/**
 * One slot of the replicated log. Immutable once made: the same object (and the same bytes) is shared by the
 * log, by messages to every peer and by the Ready, so nobody may write into `data`.
 */
export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  /** Empty for the entry that a new leader appends, and for one that leaves a joint configuration. */
  readonly data: Uint8Array;
}

/** The bytes of an entry that carries nothing. */
export const NO_DATA = new Uint8Array(0);

/** What type, term and index count for in size limits, whatever a codec makes of them. */
const ENTRY_OVERHEAD_BYTES = 16;

/** The size that `maxBytes` limits speak of. */
export function entryBytes(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + entry.data.length;
}

export function totalEntryBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) bytes += entryBytes(entries[i]!);
  return bytes;
}

/** The size that limits on uncommitted and inflight data speak of: an empty entry is free and never refused. */
export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) bytes += entries[i]!.data.length;
  return bytes;
}

/** How many of the first entries fit into `maxBytes`: at least one, so that a single large entry still moves. */
export function countWithin(entries: readonly Entry[], maxBytes: number): number {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += entryBytes(entries[i]!);
    if (bytes > maxBytes && i > 0) return i;
  }
  return entries.length;
}

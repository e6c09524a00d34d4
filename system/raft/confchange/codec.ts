import type { Entry, EntryType } from '../entry.ts';
import type { ConfChange } from './change.ts';

/** The entry type and bytes under which a change is proposed. A V2 that leaves a joint configuration is empty. */
export function encodeConfChange(_change: ConfChange): { readonly type: EntryType; readonly data: Uint8Array } {
  throw new Error('not yet');
}

/** The change in an entry of type ConfChange or ConfChangeV2; an invariant of what the core lets into the log. */
export function decodeConfChange(_entry: Pick<Entry, 'type' | 'data'>): ConfChange {
  throw new Error('not yet');
}

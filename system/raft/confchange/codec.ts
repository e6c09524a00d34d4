import { invariant } from '../../assert.ts';
import { type Entry, EntryType, NO_DATA } from '../entry.ts';
import {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
} from './change.ts';

// V1: u8 type | f64 node | context.   V2: u8 transition | u16 count | count × (u8 type | f64 node) | context.
// An f64 holds every safe integer exactly.
const SINGLE_BYTES = 9;
const V2_HEADER_BYTES = 3;
const TYPES: readonly ConfChangeType[] = Object.values(ConfChangeType);
const TRANSITIONS: readonly ConfChangeTransition[] = Object.values(ConfChangeTransition);

/** The change that leaves a joint configuration. It is the one with no bytes, so no size limit refuses it. */
export const LEAVE_JOINT: ConfChangeV2 = {
  version: 2,
  transition: ConfChangeTransition.Auto,
  changes: [],
  context: NO_DATA,
};

/** The entry type and bytes under which a change is proposed. */
export function encodeConfChange(change: ConfChange): { readonly type: EntryType; readonly data: Uint8Array } {
  if (change.version === 1) {
    const data = new Uint8Array(SINGLE_BYTES + change.context.length);
    writeSingle(new DataView(data.buffer), 0, change);
    data.set(change.context, SINGLE_BYTES);
    return { type: EntryType.ConfChange, data };
  }
  const { transition, changes, context } = change;
  const leaves = transition === ConfChangeTransition.Auto && changes.length === 0 && context.length === 0;
  if (leaves) return { type: EntryType.ConfChangeV2, data: NO_DATA };
  const changesEnd = V2_HEADER_BYTES + changes.length * SINGLE_BYTES;
  const data = new Uint8Array(changesEnd + context.length);
  const view = new DataView(data.buffer);
  view.setUint8(0, transition);
  view.setUint16(1, changes.length, true);
  for (const [i, single] of changes.entries()) writeSingle(view, V2_HEADER_BYTES + i * SINGLE_BYTES, single);
  data.set(context, changesEnd);
  return { type: EntryType.ConfChangeV2, data };
}

/** The change in an entry of type ConfChange or ConfChangeV2. Only what `encodeConfChange` made may be in a log. */
export function decodeConfChange(entry: Pick<Entry, 'type' | 'data'>): ConfChange {
  const { type, data } = entry;
  if (type === EntryType.ConfChangeV2 && data.length === 0) return LEAVE_JOINT;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const facts = () => ({ type, data: [...data.subarray(0, 64)] });
  if (type === EntryType.ConfChange) {
    invariant(data.length >= SINGLE_BYTES, 'a membership entry is too short', facts);
    return { version: 1, ...readSingle(view, 0), context: data.subarray(SINGLE_BYTES) };
  }
  invariant(type === EntryType.ConfChangeV2, 'not a membership entry', facts);
  invariant(data.length >= V2_HEADER_BYTES, 'a membership entry is too short', facts);
  const transition = TRANSITIONS[view.getUint8(0)];
  const count = view.getUint16(1, true);
  const changesEnd = V2_HEADER_BYTES + count * SINGLE_BYTES;
  invariant(data.length >= changesEnd && transition !== undefined, 'a membership entry is broken', facts);
  const changes: ConfChangeSingle[] = [];
  for (let i = 0; i < count; i++) changes.push(readSingle(view, V2_HEADER_BYTES + i * SINGLE_BYTES));
  return { version: 2, transition: transition!, changes, context: data.subarray(changesEnd) };
}

function writeSingle(view: DataView, at: number, { type, nodeId }: ConfChangeSingle): void {
  view.setUint8(at, type);
  view.setFloat64(at + 1, nodeId, true);
}

function readSingle(view: DataView, at: number): ConfChangeSingle {
  const type = TYPES[view.getUint8(at)];
  const nodeId = view.getFloat64(at + 1, true);
  invariant(type !== undefined && Number.isSafeInteger(nodeId) && nodeId >= 0, 'a membership entry is broken', () => ({
    type: view.getUint8(at),
    nodeId,
  }));
  return { type: type!, nodeId };
}

/**
 * The consensus core: pure, in the shape of etcd-io/raft. Start with `RawNode`, then `Ready` for what its caller owes.
 */
export {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
} from './confchange/change.ts';
export { decodeConfChange, encodeConfChange } from './confchange/codec.ts';
export { type Entry, EntryType, NO_DATA } from './entry.ts';
export { MemoryStorage } from './memory-storage.ts';
export {
  APPEND_THREAD,
  APPLY_THREAD,
  type Message,
  MessageType,
  type MutableMessage,
  newMessage,
} from './message.ts';
export { RawNode } from './raw-node.ts';
export type { Ready } from './ready.ts';
export type { ProposalDropped } from './refusal.ts';
export {
  type ConfState,
  EMPTY_CONF_STATE,
  EMPTY_HARD_STATE,
  type HardState,
  NONE,
  type Snapshot,
  type SnapshotMetadata,
} from './state.ts';
export type { BasicStatus, Status } from './status.ts';

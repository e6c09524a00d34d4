/**
 * The consensus core: pure, in the shape of etcd-io/raft. Start with `RawNode`, then `Ready` for what its caller owes.
 */

export {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV1,
  type ConfChangeV2,
} from './confchange/change.ts';
export { decodeConfChange, encodeConfChange } from './confchange/codec.ts';
export type { Config, ReadOnlyOption } from './config.ts';
export { type Entry, EntryType, entryBytes, NO_DATA } from './entry.ts';
export { type Logger, SILENT } from './logger.ts';
export { MemoryStorage } from './memory-storage.ts';
export {
  APPEND_THREAD,
  APPLY_THREAD,
  isLocalMessage,
  isResponse,
  type Message,
  MessageType,
  type MutableMessage,
  newMessage,
} from './message.ts';
export { RawNode } from './raw-node.ts';
export type { Ready } from './ready.ts';
export type { ProposalDropped, StepRefused } from './refusal.ts';
export {
  type ConfState,
  EMPTY_CONF_STATE,
  EMPTY_HARD_STATE,
  type HardState,
  NONE,
  type ReadState,
  type Role,
  type Snapshot,
  type SnapshotMetadata,
  type SoftState,
} from './state.ts';
export type { BasicStatus, ProgressStatus, Status } from './status.ts';
export type { Storage, Unreadable } from './storage.ts';
export type { ProgressState } from './tracker/progress-state.ts';

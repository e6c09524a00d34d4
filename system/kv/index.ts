/** The replicated state machine: pure and deterministic. Start with `Store`. */
export { type ByteString, byteStringOf, bytesOf, prefixEnd } from './byte-string.ts';
export type { Command, Compare, Operation, Relation, SessionUse, TxnOperation, Value } from './command.ts';
export { decodeCommand, encodeCommand } from './command-codec.ts';
export { DEFAULT_LIMITS, isWithin, type Limits, OPERATION_ID_BYTES_MAX } from './limits.ts';
export type { Effect, Item, Outcome, RangeResult, RefusalReason, Refused, Result, TxnResult } from './result.ts';
export { SNAPSHOT_CHUNK_BYTES, type StateView } from './snapshot.ts';
export { SnapshotError } from './snapshot-error.ts';
export { type RangeQuery, type Restore, Store } from './store.ts';
export type { WatchBatch, WatchEvent, Watcher, WatchFilter } from './watch.ts';

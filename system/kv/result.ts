import type { ByteString } from './byte-string.ts';
import type { Value } from './command.ts';

/** A key as it is read. Revisions as etcd's: `revision` of the last change, `version` counts changes since creation. */
export interface Item {
  readonly key: ByteString;
  readonly value: Value;
  readonly createRevision: number;
  readonly revision: number;
  readonly version: number;
}

/** Keys in byte order, all as of `revision`; `more` when the limit left some out. */
export interface RangeResult {
  readonly revision: number;
  readonly items: readonly Item[];
  readonly more: boolean;
}

/** What a command answers. `revision` is the store's, after the command. */
export type Result =
  | { readonly type: 'put' | 'cas'; readonly revision: number }
  | { readonly type: 'delete'; readonly revision: number; readonly deleted: boolean }
  | { readonly type: 'append'; readonly revision: number; readonly length: number }
  | {
      readonly type: 'txn';
      readonly revision: number;
      readonly succeeded: boolean;
      readonly results: readonly TxnResult[];
    }
  | { readonly type: 'open-session'; readonly session: number }
  | { readonly type: 'close-session'; readonly closed: boolean }
  | Refused;

/** Nothing happened, for certain. */
export interface Refused {
  readonly type: 'refused';
  readonly reason: RefusalReason;
  readonly revision: number;
}

/**
 * - `cas-mismatch`: the value or revision was not the expected one
 * - `not-a-list`: an append to a key that holds bytes
 * - `too-large`: above one of `Limits`
 * - `session-expired`: no such session (never opened, closed, or displaced by newer ones)
 * - `sequence-stale`: the session has moved on to a higher sequence
 * - `malformed`: the bytes are no command; only ever a bug or another version
 */
export type RefusalReason =
  | 'cas-mismatch'
  | 'not-a-list'
  | 'too-large'
  | 'session-expired'
  | 'sequence-stale'
  | 'malformed';

export type TxnResult =
  | { readonly type: 'get'; readonly item: Item | undefined }
  | { readonly type: 'range'; readonly items: readonly Item[]; readonly more: boolean }
  | { readonly type: 'put' }
  | { readonly type: 'delete'; readonly deleted: boolean }
  | { readonly type: 'append'; readonly length: number };

/** As docs/ARCHITECTURE.md, "Operation ids and the audit file". */
export type Effect = 'applied' | 'refused' | 'deduplicated' | 'none';

/** What became of one entry. */
export interface Outcome {
  readonly effect: Effect;
  /** Undefined exactly when the effect is `none`. */
  readonly result: Result | undefined;
  readonly operationId: ByteString | undefined;
}

import type { ByteString } from './byte-string.ts';

/** What a key holds, as it is read: bytes that were put, or the elements that were appended, oldest first. */
export type Value = Uint8Array | readonly Uint8Array[];

/** Where a retry is recognised: the session that the log gave out, and the caller's number within it. */
export interface SessionUse {
  readonly session: number;
  /** Starts at 1 and rises with each new operation; a retry carries the number again. */
  readonly sequence: number;
}

/** What one entry of the log asks of the state machine. Revision 0 stands for "the key does not exist". */
export type Command = {
  /** Opaque, at most OPERATION_ID_BYTES_MAX; comes out again when the command is applied. */
  readonly operationId?: ByteString | undefined;
  readonly session?: SessionUse | undefined;
} & Operation;

export type Operation =
  | { readonly type: 'put'; readonly key: ByteString; readonly value: Uint8Array; readonly ifRevision?: number }
  | { readonly type: 'delete'; readonly key: ByteString; readonly ifRevision?: number }
  /** `expected: null`: the key must not exist. A list equals no bytes. */
  | {
      readonly type: 'cas';
      readonly key: ByteString;
      readonly expected: Uint8Array | null;
      readonly value: Uint8Array;
    }
  | { readonly type: 'append'; readonly key: ByteString; readonly element: Uint8Array }
  | {
      readonly type: 'txn';
      readonly compare: readonly Compare[];
      readonly then: readonly TxnOperation[];
      readonly else: readonly TxnOperation[];
    }
  | { readonly type: 'open-session' }
  | { readonly type: 'close-session'; readonly id: number };

/** How the actual figure must stand to the given one. */
export type Relation = '=' | '!=' | '<' | '>';

/**
 * A condition on one key. A key that does not exist has revision 0, create revision 0, version 0, and a value
 * that is unequal to every value, neither below nor above any. Values compare in byte order; a list likewise
 * has no order with bytes.
 */
export type Compare =
  | { readonly type: 'value'; readonly key: ByteString; readonly relation: Relation; readonly value: Uint8Array }
  | {
      readonly type: 'revision' | 'create-revision' | 'version';
      readonly key: ByteString;
      readonly relation: Relation;
      readonly number: number;
    }
  | { readonly type: 'exists'; readonly key: ByteString; readonly exists: boolean };

/** Reads inside a transaction see what the operations before them in the same transaction wrote. */
export type TxnOperation =
  | { readonly type: 'get'; readonly key: ByteString }
  /** Keys of [from, to), in byte order; without `to`, to the end. */
  | { readonly type: 'range'; readonly from: ByteString; readonly to?: ByteString; readonly limit: number }
  | { readonly type: 'put'; readonly key: ByteString; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: ByteString }
  | { readonly type: 'append'; readonly key: ByteString; readonly element: Uint8Array };

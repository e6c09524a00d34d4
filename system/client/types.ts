import type { Bytes } from './value.ts';

export interface CallOptions {
  /** Travels inside the command and comes out in the audit. At most 128 bytes. */
  readonly operationId?: string;
  /** For node and client alike; 5,000 when missing. */
  readonly timeoutMs?: number;
  /** A retry with the same sequence takes effect once and gets the first answer. Only writes look at it. */
  readonly session?: { readonly id: string; readonly sequence: number };
}

export const readModes = ['linearizable', 'lease', 'serializable'] as const;
export type ReadMode = (typeof readModes)[number];

export interface Versioned {
  readonly value: Uint8Array;
  /** The revision of the last write to the key. */
  readonly revision: number;
}

export interface Item extends Versioned {
  readonly key: Uint8Array;
}

/** What a watch tells of one key at one revision. */
export interface WatchedChange {
  readonly revision: number;
  readonly key: Uint8Array;
  /** Null: it was deleted. */
  readonly value: Uint8Array | null;
}

/** A condition of a transaction. A missing key has value null and revision 0. */
export type Compare =
  | { readonly key: Bytes; readonly is: '=' | '!='; readonly value: Bytes | null }
  | { readonly key: Bytes; readonly is: '=' | '!=' | '<' | '>'; readonly revision: number };

/** A step of a transaction. */
export type TxnOp =
  | { readonly op: 'get' | 'delete'; readonly key: Bytes }
  | { readonly op: 'put' | 'append'; readonly key: Bytes; readonly value: Bytes };

/** What a step gave, in the order of the steps. `get`: the value, or null when missing. */
export type TxnResult =
  | { readonly op: 'get'; readonly value: Uint8Array | null; readonly revision: number }
  | { readonly op: 'put' }
  | { readonly op: 'delete'; readonly deleted: boolean }
  | { readonly op: 'append'; readonly length: number };

export interface Txn {
  readonly compare: readonly Compare[];
  /** What happens when all comparisons hold (`then` on the wire: a property of that name would look like a promise). */
  readonly success: readonly TxnOp[];
  readonly failure: readonly TxnOp[];
}

export interface Member {
  readonly id: string;
  readonly url: string;
  readonly learner: boolean;
}

/** A voter, or a learner, at this address; or no member any more. */
export type MemberChange =
  | { readonly id: string; readonly url: string; readonly learner?: boolean }
  | { readonly id: string; readonly remove: true };

export interface Status {
  readonly id: string;
  readonly clusterId: string;
  readonly role: 'leader' | 'follower' | 'candidate' | 'pre-candidate';
  readonly term: number;
  /** Null when the node knows of none. */
  readonly leader: string | null;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly members: readonly Member[];
  /** The state machine's hash at `applied`. */
  readonly hash: string;
  readonly clock: { readonly wallMs: number; readonly monotonicMs: number };
  /** Differs between any two starts of a node. */
  readonly incarnation: string;
}

import type { History, Value } from '../history/op.ts';
import { type Section, unknown } from '../verdict.ts';

/** What transactions did: appends to lists, writes of registers, or writes and predicate reads over a closed universe. */
export type TxnModel = 'list-append' | 'rw-register' | 'closed-predicate';

/** Options as Elle's; a missing one has Elle's default. */
export interface TxnOptions {
  readonly model: TxnModel;
  /** Names as in Elle and on jepsen.io/consistency; default `["strict-serializable"]`. */
  readonly consistencyModels?: readonly string[];
  /** Anomalies to look for beyond those that the models prohibit, for example `["G1", "dirty-update"]`. */
  readonly anomalies?: readonly string[];
  /** rw-register: each key on its own is linearizable, so realtime order orders versions. */
  readonly linearizableKeys?: boolean;
  /** rw-register: each key on its own is sequential, so a process's order orders versions. */
  readonly sequentialKeys?: boolean;
  /** rw-register: within a transaction writes follow reads, so a read version precedes the written one. */
  readonly wfrKeys?: boolean;
  /** rw-register: the value of every key before any write; a read of anything else that nobody wrote is garbage. */
  readonly initial?: Value;
}

/** What `details` of the section holds. */
export interface TxnDetails {
  readonly consistencyModels: readonly string[];
  readonly anomalyTypes: readonly string[];
  /** The weakest models that the history rules out. */
  readonly not: readonly string[];
  /** Stronger models that fall with them. */
  readonly alsoNot: readonly string[];
  /** Kinds of cycle whose presence is not decided because a bound on the search was reached. */
  readonly undecided: readonly string[];
}

/** Checks a history of transactions for the anomalies that the consistency models prohibit (Kingsbury & Alvaro, "Elle", VLDB 2020). */
export function checkTxn(
  history: History,
  options: TxnOptions,
): Section & { readonly details: TxnDetails & { readonly [name: string]: Value } } {
  const details = {
    consistencyModels: options.consistencyModels ?? ['strict-serializable'],
    anomalyTypes: [],
    not: [],
    alsoNot: [],
    undecided: [],
  };
  return { ...unknown('not checked', { operations: history.length }), details };
}

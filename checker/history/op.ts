/**
 * The vocabulary of a run, shared by every room (Jepsen's terms). A history is a list of these in the order in
 * which they happened; that order, never `time`, decides what came before what.
 */
export type OpType = 'invoke' | 'ok' | 'fail' | 'info';

/** Whatever a workload puts into an operation: JSON. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value };

export interface Op {
  /** Position in the history, from 0. */
  readonly index: number;
  /** Nanoseconds since the start of the run, monotonic. For pictures only. */
  readonly time: number;
  /** A logical thread; never used again after an `info`. `"nemesis"` for faults. */
  readonly process: number | 'nemesis';
  /** `invoke`, then at most one of: `ok` it happened, `fail` it did not, `info` it may have, or may yet. */
  readonly type: OpType;
  /** The function: read, write, cas, txn, add, enqueue … */
  readonly f: string;
  /** The independent object that the operation is on, where the workload has several. */
  readonly key?: Value;
  readonly value?: Value;
  /** Why it failed or is uncertain: `cas-mismatch`, `timeout`, `no-leader`, `connection-refused` … */
  readonly error?: string;
  /** The operation id that the request carried, by which the committed-log audit finds it. Only on invocations. */
  readonly op?: string;
  /** The node that the request was sent to. Only for people. */
  readonly node?: string;
}

export type History = readonly Op[];

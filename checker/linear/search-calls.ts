import type { Operation } from '../model/model.ts';
import type { Transitions } from '../model/transitions.ts';
import type { SearchResult } from './problem.ts';
import type { Search } from './search.ts';

/** A call of the history, with where it is found in it. */
export interface Call {
  readonly operation: Operation;
  /** Index of its invocation. */
  readonly invoke: number;
  /** Index of its completion; `OPEN` when its outcome is unknown, or its completion not needed. */
  readonly complete: number;
}

/** Searches the calls, which are in order of invocation. */
export function searchCalls(
  search: Search<unknown>,
  transitions: Transitions<unknown>,
  initial: number,
  calls: readonly Call[],
): SearchResult {
  return search.run({
    initial,
    length: calls.length,
    classes: Int32Array.from(calls, (call) => transitions.classOf(call.operation)),
    invoke: Int32Array.from(calls, (call) => call.invoke),
    complete: Int32Array.from(calls, (call) => call.complete),
  });
}

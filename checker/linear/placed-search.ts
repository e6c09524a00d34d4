import type { Value } from '../history/op.ts';
import { Transitions } from '../model/transitions.ts';
import { placeAppends, placedAppends } from './placed-appends.ts';
import type { SearchBounds, SearchResult } from './problem.ts';
import { Search } from './search.ts';
import { type Call, searchCalls } from './search-calls.ts';

/** Searches keys that hold lists, with appends placed where later answers show them. One is used for many keys. */
export class PlacedSearch {
  readonly transitions = new Transitions<unknown>(placedAppends);
  readonly #search: Search<unknown>;
  readonly #initial: Value;

  constructor(initial: Value, bounds: SearchBounds, wantOrder: boolean) {
    this.#search = new Search(this.transitions, bounds, wantOrder);
    this.#initial = initial;
  }

  /**
   * @returns undefined where appends cannot be placed. The completion that nothing reaches may come before those of
   * the answers that make it so.
   */
  run(calls: readonly Call[]): SearchResult | undefined {
    const placed = placeAppends(calls, this.#initial);
    if (placed === undefined) return undefined;
    return searchCalls(this.#search, this.transitions, this.transitions.state(this.#initial), placed);
  }
}

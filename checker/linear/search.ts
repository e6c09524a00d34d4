import { OPEN } from '../history/calls.ts';
import type { Transitions } from '../model/transitions.ts';
import { JustInTime } from './just-in-time.ts';
import type { Problem, Resume, SearchBounds, SearchResult, Seed } from './problem.ts';

/** With this few crashed calls all ways to use them are tried at once. */
const CRASHES_FEW = 2;
/** Completions before the one that was not reached for which more crashed calls are allowed; doubled when in vain. */
const AROUND = 32;
/** Bounds on attempts with a limit: of all, and of those in a row that came no further. */
const ATTEMPTS_MAX = 64;
const VAIN_MAX = 4;

/**
 * The general search of one key, for every model. Calls of unknown outcome make it hard: each may take effect at any
 * later time, so that with many of them there are very many configurations. A linearization is mostly found among
 * those that use hardly more of them than they have to: so that is tried first, with more allowed before the
 * completions where it was not enough. That there is none is often seen already where each crashed call may be used
 * as often as one likes, which forgets how many are left. What neither decides is searched in full.
 */
export class Search<State> {
  readonly #search: JustInTime<State>;
  readonly #bounds: SearchBounds;

  constructor(transitions: Transitions<State>, bounds: SearchBounds, wantOrder: boolean) {
    this.#search = new JustInTime(transitions, bounds, wantOrder);
    this.#bounds = bounds;
  }

  /**
   * Searches one key. An instance is used for many, one after another. With `resume` it goes on from where a search
   * of the same key was, and stops before the completions from `until` on; `frontier` then tells where it is.
   */
  run(problem: Problem, resume?: Resume): SearchResult {
    // What goes on from a frontier needs all of it.
    if (resume !== undefined || countCrashes(problem) <= CRASHES_FEW) return this.#search.run(problem, resume);
    return this.#limited(problem) ?? this.#search.run(problem);
  }

  /** Where the last search, which found no violation, arrived. */
  frontier(): readonly Seed[] {
    return this.#search.frontier();
  }

  #limited(problem: Problem): SearchResult | undefined {
    const allowed = new Int32Array(problem.length);
    let furthest = -1;
    let around = AROUND;
    for (let attempt = 0, vain = 0; attempt < ATTEMPTS_MAX && vain < VAIN_MAX && !this.#bounds.expired(); attempt++) {
      const result = this.#search.run(problem, undefined, allowed);
      if (result.valid !== false) return result.valid === true ? result : undefined;
      const { reached } = this.#search;
      if (attempt === 0) {
        const refuted = this.#search.run(problem, undefined, 'unlimited');
        if (refuted.valid === false) return refuted.call === result.call ? result : refuted;
      }
      if (reached > furthest) {
        furthest = reached;
        around = AROUND;
        vain = 0;
      } else {
        around *= 2;
        vain++;
      }
      for (let at = Math.max(0, reached - around); at <= reached; at++) allowed[at]!++;
    }
    return undefined;
  }
}

function countCrashes({ length, complete }: Problem): number {
  let count = 0;
  for (let i = 0; i < length; i++) if (complete[i] === OPEN) count++;
  return count;
}

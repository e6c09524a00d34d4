import { OPEN } from '../history/calls.ts';
import type { Problem } from './problem.ts';

/** The calls of a problem in the order in which they complete, and how many are open at once. */
export class Completions {
  calls = new Int32Array(16);
  length = 0;
  /** How many calls that may change the state, and that only observe it, are open at once at most. */
  moversMost = 0;
  observersMost = 0;

  /** @param observes by class of calls */
  sort(problem: Problem, observes: readonly boolean[]): void {
    if (this.calls.length < problem.length) this.calls = new Int32Array(2 * problem.length);
    this.#order(problem);
    this.#count(problem, observes);
  }

  #order({ length, complete }: Problem): void {
    const { calls } = this;
    let completing = 0;
    // Calls come in order of invocation, which is nearly that of completion: insertion is quick.
    for (let i = 0; i < length; i++) {
      const end = complete[i]!;
      if (end === OPEN) continue;
      let at = completing++;
      while (at > 0 && complete[calls[at - 1]!]! > end) {
        calls[at] = calls[at - 1]!;
        at--;
      }
      calls[at] = i;
    }
    this.length = completing;
  }

  #count({ length, classes, invoke, complete }: Problem, observes: readonly boolean[]): void {
    const { calls } = this;
    let movers = 0;
    let observers = 0;
    let moversMost = 0;
    let observersMost = 0;
    for (let i = 0, ended = 0; i < length; i++) {
      if (complete[i] === OPEN) continue;
      for (; complete[calls[ended]!]! < invoke[i]!; ended++) {
        if (observes[classes[calls[ended]!]!]!) observers--;
        else movers--;
      }
      if (observes[classes[i]!]!) observersMost = Math.max(observersMost, ++observers);
      else moversMost = Math.max(moversMost, ++movers);
    }
    this.moversMost = moversMost;
    this.observersMost = observersMost;
  }
}

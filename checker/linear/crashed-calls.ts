import { OPEN } from '../history/calls.ts';
import type { Problem } from './problem.ts';

/**
 * The calls of unknown outcome, by class: those with the same effect are interchangeable, so that only how many of
 * them were used matters. Those that only observe constrain nothing, and are left out.
 */
export class CrashedCalls {
  readonly classes: number[] = [];
  /** The calls of each class. */
  readonly calls: number[][] = [];
  /** How many of each class were invoked so far. */
  readonly invoked: number[] = [];

  /** @param observes by class of calls */
  gather({ length, classes, complete }: Problem, observes: readonly boolean[]): void {
    this.classes.length = 0;
    this.calls.length = 0;
    this.invoked.length = 0;
    for (let i = 0; i < length; i++) if (complete[i] === OPEN && !observes[classes[i]!]!) this.#add(i, classes[i]!);
  }

  #add(call: number, one: number): void {
    const id = this.numberOf(one);
    if (id !== -1) {
      this.calls[id]!.push(call);
      return;
    }
    this.classes.push(one);
    this.calls.push([call]);
    this.invoked.push(0);
  }

  /** The number of a class of calls; -1 when none of it crashed. */
  numberOf(one: number): number {
    return this.classes.indexOf(one);
  }

  get count(): number {
    return this.classes.length;
  }
}

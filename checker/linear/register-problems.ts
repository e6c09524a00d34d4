import { OPEN } from '../history/calls.ts';
import { type Events, NULL, type Ref } from '../history/events.ts';
import type { Operation } from '../model/model.ts';
import type { Transitions } from '../model/transitions.ts';
import type { Problem } from './problem.ts';
import { CAS, MISMATCH, NOTHING, READ, type RegisterCalls, WRITE } from './register-calls.ts';

/** Values from -NEAR to NEAR are looked up in tables, others in maps. */
const NEAR = 16;

/**
 * Makes problems for the search from the calls on registers. Values that nobody reads or compares with are all
 * alike, and get one name; without failed compares, a call of unknown outcome that writes one may be left out.
 * All keys share one table of transitions.
 */
export class RegisterProblems {
  readonly #transitions: Transitions<unknown>;
  readonly #events: Events;
  readonly #initial: number;
  /** Classes by kind and values, plus one. */
  #near = new Int32Array(0);
  /** The last key, by number, that named each value. */
  readonly #namedBy = new Int32Array(2 * NEAR);
  readonly #namedFar = new Set<Ref>();
  #key = 0;
  // The columns of the last problem.
  #classes = new Int32Array(0);
  #names = new Int32Array(0);
  #invoke = new Int32Array(0);
  #complete = new Int32Array(0);

  constructor(events: Events, transitions: Transitions<unknown>, initial: number) {
    this.#events = events;
    this.#initial = initial;
    this.#transitions = transitions;
  }

  /** The problem, and for each of its calls the number of the register's call. Both last until the next one. */
  of(calls: RegisterCalls): { readonly problem: Problem; readonly names: Int32Array } {
    const { length, kind, first, second, invoke, complete } = calls;
    this.#key++;
    if (this.#near.length === 0) this.#near = new Int32Array(2 * NEAR * 2 * NEAR * 8);
    this.#namedFar.clear();
    let mismatches = false;
    for (let i = 0; i < length; i++) {
      const k = kind[i]!;
      if (k === READ || k === CAS || k === MISMATCH) this.#name(first[i]!);
      if (k === MISMATCH) mismatches = true;
    }
    if (this.#classes.length < length) this.#reserve(length);
    const classes = this.#classes;
    const names = this.#names;
    const invokes = this.#invoke;
    const completes = this.#complete;
    let junk: Ref | undefined;
    let kept = 0;
    for (let i = 0; i < length; i++) {
      const k = kind[i]!;
      if (k === NOTHING) continue;
      const isOpen = complete[i] === OPEN;
      let one = first[i]!;
      let two = second[i]!;
      if (k === WRITE && !this.#isNamed(one)) {
        if (isOpen && !mismatches) continue;
        junk ??= one;
        one = junk;
      } else if (k === CAS && !this.#isNamed(two)) {
        if (isOpen && !mismatches) continue;
        junk ??= two;
        two = junk;
      }
      classes[kept] = this.#classOf(k, one, two, isOpen);
      names[kept] = i;
      invokes[kept] = invoke[i]!;
      completes[kept] = complete[i]!;
      kept++;
    }
    return { problem: { initial: this.#initial, length: kept, classes, invoke: invokes, complete: completes }, names };
  }

  #reserve(length: number): void {
    this.#classes = new Int32Array(2 * length);
    this.#names = new Int32Array(2 * length);
    this.#invoke = new Int32Array(2 * length);
    this.#complete = new Int32Array(2 * length);
  }

  #name(ref: Ref): void {
    if (isNear(ref)) this.#namedBy[ref + NEAR] = this.#key;
    else this.#namedFar.add(ref);
  }

  #isNamed(ref: Ref): boolean {
    return isNear(ref) ? this.#namedBy[ref + NEAR] === this.#key : this.#namedFar.has(ref);
  }

  #classOf(kind: number, first: Ref, second: Ref, unknown: boolean): number {
    const two = kind === CAS ? second : NULL;
    if (!isNear(first) || !isNear(two)) {
      return this.#transitions.classOf(this.#operation(kind, first, two, unknown));
    }
    const at = (((first + NEAR) * 2 * NEAR + two + NEAR) * 4 + kind) * 2 + Number(unknown);
    let found = this.#near[at]!;
    if (found === 0) {
      found = this.#transitions.classOf(this.#operation(kind, first, two, unknown)) + 1;
      this.#near[at] = found;
    }
    return found - 1;
  }

  #operation(kind: number, first: Ref, second: Ref, unknown: boolean): Operation {
    const outcome = kind === MISMATCH ? 'refused' : unknown ? 'unknown' : 'ok';
    const value = this.#events.value(first);
    if (kind === READ) return { f: 'read', argument: null, result: value, outcome, process: 0 };
    if (kind === WRITE) return { f: 'write', argument: value, result: null, outcome, process: 0 };
    return { f: 'cas', argument: [value, this.#events.value(second)], result: null, outcome, process: 0 };
  }
}

function isNear(ref: Ref): boolean {
  return ref >= -NEAR && ref < NEAR;
}

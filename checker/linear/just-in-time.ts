import { OPEN } from '../history/calls.ts';
import { REFUSED, type Transitions } from '../model/transitions.ts';
import { Completions } from './completions.ts';
import { Configurations } from './configurations.ts';
import { CrashedCalls } from './crashed-calls.ts';
import { insertCalls } from './insert-calls.ts';
import { OpenMovers } from './open-movers.ts';
import { OpenObservers } from './open-observers.ts';
import { prefixOf } from './prefix.ts';
import {
  type Prefix,
  type Problem,
  type Resume,
  type SearchBounds,
  type SearchResult,
  type Seed,
  TIME_IS_UP,
} from './problem.ts';
import { clearBit, hasBit, lowest, NOT, setBit } from './slots.ts';
import { Trails } from './trails.ts';

const PREFIXES_MAX = 8;
const STEPS_BETWEEN_LOOKS = 256;
const EMPTY = new Int32Array(0);
/** Bound on configurations where crashed calls are used without a limit, so that they are few if it helps at all. */
const UNLIMITED_MAX = 20_000;
/** The tree of linearizations is cleared of dead ends when it is this large, and then each time it has doubled. */
const TRAILS_MIN = 1 << 20;

/**
 * Just-in-time linearization (Lowe, "Testing for linearizability", 2017) over a frontier of
 * configurations. Events are taken in order; only a completion makes calls take effect, and only as many as it
 * needs. What keeps the frontier small:
 * - calls that can only observe are placed as soon as they fit;
 * - of open calls with the same effect the one that completes first goes first, and crashed calls with the same
 *   effect are a number;
 * - a call that overwrites whatever is there hides others right before it: from then on every open call that
 *   overwrites too may be taken as hidden or as still to come, and which of them is left open. So a call that
 *   overwrites is only placed where something sees it, or when it completes;
 * - of two configurations one that can do all that the other can is enough (`Configurations`).
 */
export class JustInTime<State> {
  readonly #transitions: Transitions<State>;
  readonly #bounds: SearchBounds;
  readonly #wantOrder: boolean;
  #problem: Problem = { initial: 0, length: 0, classes: EMPTY, invoke: EMPTY, complete: EMPTY };
  /** Present when the linearization is wanted. */
  #trails: Trails | undefined;
  #trailsMax = TRAILS_MIN;
  readonly #completions = new Completions();
  #reached = 0;
  #slotOf = new Int32Array(16);
  // By class: whether it observes, and whether it overwrites.
  readonly #observes: boolean[] = [];
  readonly #overwrites: boolean[] = [];
  /** The open calls that may change the state have slots, and so have, by themselves, those that observe. */
  readonly #movers = new OpenMovers();
  readonly #observers: OpenObservers<State>;
  readonly #crashed = new CrashedCalls();
  #current = new Configurations();
  #next = new Configurations();
  readonly #work = new Configurations();
  // Where the parts of a row begin.
  #hiddenAt = 1;
  #placedAt = 1;
  #countsAt = 1;
  #row = new Int32Array(1);
  #from = new Int32Array(1);
  #trail = NOT;
  #unlimited = false;
  #endless = false;
  /** A configuration that uses this many crashed calls may not use more. */
  #crashesMax = Number.POSITIVE_INFINITY;
  #classStamp = new Int32Array(64);
  #stamp = 0;
  #steps = 0;

  constructor(transitions: Transitions<State>, bounds: SearchBounds, wantOrder: boolean) {
    this.#transitions = transitions;
    this.#observers = new OpenObservers(transitions);
    this.#bounds = bounds;
    this.#wantOrder = wantOrder;
  }

  /** How many completions of the last problem it came past. */
  get reached(): number {
    return this.#reached;
  }

  /**
   * Searches one key. An instance is used for many, one after another. With `resume` it goes on from where a search
   * of the same key was, and stops before the completions from `until` on; `frontier` then tells where it is.
   *
   * @param crashes how crashed calls are used: each once (`exact`); in fewer ways, which is enough to find a
   * linearization, but not to refute one (for each completion how many more may be used than were necessary so far);
   * or as often as one likes, which is enough to refute (the prefixes then leave crashed calls out)
   */
  run(problem: Problem, resume?: Resume, crashes: Int32Array | 'exact' | 'unlimited' = 'exact'): SearchResult {
    this.#unlimited = crashes === 'unlimited';
    this.#endless = false;
    this.#prepare(problem);
    const { length, invoke, complete } = problem;
    const completions = this.#completions;
    let next = 0;
    while (next < (resume?.carried ?? 0)) this.#invoke(next++);
    for (const seed of resume?.seeds ?? [{ state: problem.initial, ahead: [], hidden: [] }]) this.#plant(seed);
    for (let at = 0; at < completions.length; at++) {
      const call = completions.calls[at]!;
      this.#reached = at;
      this.#crashesMax = typeof crashes === 'string' ? Number.POSITIVE_INFINITY : this.#leastCrashes() + crashes[at]!;
      const end = complete[call]!;
      if (resume !== undefined && end >= resume.until) break;
      if (call === next && (next + 1 === length || invoke[next + 1]! > end) && this.#alone(call)) {
        next++;
        continue;
      }
      while (next < length && invoke[next]! < end) this.#invoke(next++);
      const stopped = this.#complete(call);
      if (stopped !== undefined) return stopped;
    }
    return { valid: true, order: this.#order(), steps: this.#steps };
  }

  /** The linearization that was found, the hidden calls each right before a call that hides it. */
  #order(): number[] | undefined {
    if (this.#trails === undefined) return undefined;
    const placed = this.#trails.order(this.#current.trails[this.#anyRow()]!);
    const isPlaced = new Set(placed);
    const hidden = this.#completions.calls.subarray(0, this.#completions.length).filter((call) => !isPlaced.has(call));
    const hides = new Int32Array(placed.length + 1).fill(placed.length + 1);
    for (let at = placed.length - 1; at >= 0; at--) {
      hides[at] = this.#overwrites[this.#problem.classes[placed[at]!]!]! ? at : hides[at + 1]!;
    }
    return insertCalls(placed, this.#problem, [...hidden.sort()], (_, low) => hides[low]!);
  }

  /** Where the last search, which found no violation, arrived. */
  frontier(): readonly Seed[] {
    return this.#prefixes(this.#current, this.#current.length, Number.POSITIVE_INFINITY);
  }

  #plant({ state, ahead, hidden }: Seed): void {
    const row = this.#row.fill(0);
    row[0] = state;
    const { classes, complete } = this.#problem;
    for (const call of ahead) {
      const one = classes[call]!;
      if (complete[call] === OPEN) row[this.#countsAt + this.#crashed.numberOf(one)]!++;
      else setBit(row, this.#observes[one]! ? this.#placedAt : 1, this.#slotOf[call]!);
    }
    for (const call of hidden) setBit(row, this.#hiddenAt, this.#slotOf[call]!);
    this.#current.add(row, NOT);
  }

  #prepare(problem: Problem): void {
    this.#problem = problem;
    const { length } = problem;
    const { classes: operations, model } = this.#transitions;
    for (let one = this.#observes.length; one < operations.length; one++) {
      const observes = model.observes?.(operations[one]!) === true;
      this.#observes.push(observes);
      this.#overwrites.push(!observes && model.overwrites?.(operations[one]!) === true);
    }
    if (this.#slotOf.length < length) this.#slotOf = new Int32Array(2 * length);
    if (this.#classStamp.length < operations.length) this.#classStamp = new Int32Array(2 * operations.length);
    this.#crashed.gather(problem, this.#observes);
    this.#completions.sort(problem, this.#observes);
    const { moversMost, observersMost } = this.#completions;
    const moverWords = (moversMost + 31) >>> 5;
    this.#movers.reset(moversMost, moverWords);
    this.#observers.reset(observersMost);
    this.#layOut(moverWords, (observersMost + 31) >>> 5);
    this.#trails = this.#wantOrder && !this.#unlimited ? new Trails() : undefined;
    this.#trailsMax = TRAILS_MIN;
    this.#steps = 0;
  }

  #layOut(moverWords: number, observerWords: number): void {
    this.#hiddenAt = 1 + moverWords;
    this.#placedAt = 1 + 2 * moverWords;
    this.#countsAt = this.#placedAt + observerWords;
    const counts = this.#crashed.count;
    const width = this.#countsAt + counts;
    if (this.#row.length !== width) {
      this.#row = new Int32Array(width);
      this.#from = new Int32Array(width);
    }
    for (const set of [this.#current, this.#next, this.#work]) set.reset({ moverWords, observerWords, counts });
  }

  #anyRow(): number {
    for (let row = 0; row < this.#current.length; row++) if (!this.#current.isDead(row)) return row;
    throw new Error('invariant: the frontier of a valid history is never empty');
  }

  /** Takes a call that no other overlaps, if that needs no choice. */
  #alone(call: number): boolean {
    const current = this.#current;
    if (current.length !== 1 || this.#crashed.count > 0) return false;
    if (this.#movers.order.length > 0 || this.#observers.count > 0) return false;
    const to = this.#transitions.step(current.words[0]!, this.#problem.classes[call]!);
    if (to < 0) return false;
    if (this.#trails !== undefined) current.trails[0] = this.#trails.add(current.trails[0]!, call);
    // Nothing is added to the set any more, so it need not be found by its state.
    current.words[0] = to;
    return true;
  }

  #invoke(call: number): void {
    const { complete, classes } = this.#problem;
    const one = classes[call]!;
    if (complete[call] === OPEN) {
      const crash = this.#crashed.numberOf(one);
      if (crash !== NOT) this.#crashed.invoked[crash]!++;
      return;
    }
    if (this.#observes[one]!) {
      this.#slotOf[call] = this.#observers.take(call);
      return;
    }
    this.#slotOf[call] = this.#movers.take(call, complete, this.#overwrites[one]!);
  }

  #release(call: number): void {
    const slot = this.#slotOf[call]!;
    const one = this.#problem.classes[call]!;
    if (this.#observes[one]!) {
      this.#observers.give(slot);
      return;
    }
    this.#movers.give(slot, this.#overwrites[one]!);
  }

  /** Places, in the row, all open observers that fit its state. Says whether there were any. */
  #place(): boolean {
    if (this.#observers.count === 0) return false;
    const row = this.#row;
    const words = this.#countsAt - this.#placedAt;
    const from = this.#observers.fitting(row[0]!, this.#problem.classes);
    const { fits } = this.#observers;
    let any = false;
    for (let word = 0; word < words; word++) {
      const fresh = fits[from + word]! & ~row[this.#placedAt + word]!;
      if (fresh === 0) continue;
      any = true;
      row[this.#placedAt + word]! |= fresh;
      if (this.#trails === undefined) continue;
      for (let bits = fresh; bits !== 0; bits &= bits - 1) {
        this.#trail = this.#trails.add(this.#trail, this.#observers.calls[word * 32 + lowest(bits)]!);
      }
    }
    return any;
  }

  #complete(call: number): SearchResult | undefined {
    const work = this.#work;
    const next = this.#next;
    const current = this.#current;
    const { width } = current;
    const row = this.#row;
    const from = this.#from;
    work.clear();
    next.clear();
    for (let at = 0; at < current.length; at++) {
      if (current.isDead(at)) continue;
      copyRow(current.words, at * width, row);
      this.#trail = current.trails[at]!;
      this.#place();
      this.#sort(call);
      this.#takeHidden(call);
    }
    const before = work.length;
    for (let at = 0; at < work.length; at++) {
      if (work.isDead(at)) continue;
      if (++this.#steps % STEPS_BETWEEN_LOOKS === 0) {
        const reason = this.#exceeded();
        if (reason !== undefined) return this.#unknown(reason, call);
      }
      copyRow(work.words, at * width, from);
      this.#moveOn(call, work.trails[at]!);
      if (this.#endless) return this.#unknown('crashed calls could be used for ever', call);
    }
    if (next.live === 0) {
      return { valid: false, call, prefixes: this.#prefixes(work, before), steps: this.#steps };
    }
    this.#release(call);
    this.#next = current;
    this.#current = next;
    if (this.#trails !== undefined && this.#trails.length > this.#trailsMax) {
      this.#trails.compact(next.trails, next.length);
      this.#trailsMax = Math.max(TRAILS_MIN, this.#trails.length * 2);
    }
    return undefined;
  }

  /** Files the row as one that the completing call is linearized in, or as one to go on from. */
  #sort(call: number): void {
    const row = this.#row;
    const slot = this.#slotOf[call]!;
    const at = this.#observes[this.#problem.classes[call]!]! ? this.#placedAt : 1;
    if (!hasBit(row, at, slot)) {
      this.#work.add(row, this.#trail);
      return;
    }
    clearBit(row, at, slot);
    this.#next.add(row, this.#trail);
  }

  /** Takes the call, which the row may hold as hidden, as just that. To place it instead remains to be tried. */
  #takeHidden(call: number): void {
    const slot = this.#slotOf[call]!;
    if (this.#observes[this.#problem.classes[call]!]! || !hasBit(this.#row, this.#hiddenAt, slot)) return;
    clearBit(this.#row, this.#hiddenAt, slot);
    this.#next.add(this.#row, this.#trail);
  }

  /** Places each call that can come next after `#from`. */
  #moveOn(call: number, trail: number): void {
    const from = this.#from;
    const { classes } = this.#problem;
    const transitions = this.#transitions;
    const stamp = ++this.#stamp;
    for (const mover of this.#movers.order) {
      if (hasBit(from, 1, mover)) continue;
      const other = this.#movers.calls[mover]!;
      const one = classes[other]!;
      if (this.#classStamp[one] === stamp) continue;
      this.#classStamp[one] = stamp;
      const to = transitions.step(from[0]!, one);
      if (to === REFUSED) continue;
      for (const state of to >= 0 ? [to] : transitions.several(to)) {
        this.#row.set(from);
        this.#row[0] = state;
        setBit(this.#row, 1, mover);
        clearBit(this.#row, this.#hiddenAt, mover);
        this.#trail = this.#trails === undefined ? NOT : this.#trails.add(trail, other);
        this.#settle(call, one, other === call);
      }
    }
    if (this.#crashesIn(from, 0) >= this.#crashesMax) return;
    const crashed = this.#crashed;
    for (let crash = 0; crash < crashed.count; crash++) {
      const used = from[this.#countsAt + crash]!;
      if (this.#unlimited ? crashed.invoked[crash] === 0 : used === crashed.invoked[crash]) continue;
      const one = crashed.classes[crash]!;
      if (this.#classStamp[one] === stamp) continue;
      const to = transitions.step(from[0]!, one);
      // A crashed call that changes nothing need not happen, unless it hides another.
      if (to === REFUSED || (to === from[0] && !(this.#overwrites[one]! && this.#hides()))) continue;
      for (const state of to >= 0 ? [to] : transitions.several(to)) {
        this.#row.set(from);
        this.#row[0] = state;
        if (!this.#unlimited) this.#row[this.#countsAt + crash] = used + 1;
        else if (this.#growsBy(state, one)) this.#endless = true;
        this.#trail = this.#trails === undefined ? NOT : this.#trails.add(trail, crashed.calls[crash]![used]!);
        this.#settle(call, one, false);
      }
    }
  }

  /** Whether a call that overwrites, right after `#from`, would hide one that is not hidden yet. */
  #hides(): boolean {
    const words = this.#hiddenAt - 1;
    for (let word = 0; word < words; word++) {
      const others = this.#movers.overwriters[word]! & ~this.#from[1 + word]!;
      if ((others & ~this.#from[this.#hiddenAt + word]!) !== 0) return true;
    }
    return false;
  }

  /** Whether doing it twice is something else than doing it once: then doing it again and again may never end. */
  #growsBy(state: number, one: number): boolean {
    const again = this.#transitions.step(state, one);
    return again !== state && again !== REFUSED;
  }

  /** How many crashed calls the row at `at` uses. */
  #crashesIn(words: Int32Array, at: number): number {
    let sum = 0;
    for (let i = this.#countsAt; i < this.#row.length; i++) sum += words[at + i]!;
    return sum;
  }

  #leastCrashes(): number {
    if (this.#crashed.count === 0) return 0;
    const { words, width, length } = this.#current;
    let least = Number.POSITIVE_INFINITY;
    for (let at = 0; at < length; at++) {
      if (!this.#current.isDead(at)) least = Math.min(least, this.#crashesIn(words, at * width));
    }
    return least;
  }

  /** Finishes the row after a call of class `one` was placed in it. */
  #settle(call: number, one: number, isCall: boolean): void {
    const row = this.#row;
    if (!this.#overwrites[one]!) {
      this.#place();
      this.#sort(call);
      return;
    }
    const words = this.#hiddenAt - 1;
    for (let word = 0; word < words; word++) {
      row[this.#hiddenAt + word]! |= this.#movers.overwriters[word]! & ~row[1 + word]!;
    }
    const isSeen = this.#place();
    // Where nothing sees it, it may as well be hidden by what comes next, unless that needs its state.
    if (isSeen || isCall || this.#isNeeded()) this.#sort(call);
  }

  /** Whether a call that does not overwrite could come next in the row. */
  #isNeeded(): boolean {
    const row = this.#row;
    const state = row[0]!;
    if (this.#movers.steppers > 0) {
      const { classes } = this.#problem;
      for (const mover of this.#movers.order) {
        const one = classes[this.#movers.calls[mover]!]!;
        if (this.#overwrites[one]! || hasBit(row, 1, mover)) continue;
        if (this.#transitions.step(state, one) !== REFUSED) return true;
      }
    }
    const { classes, invoked } = this.#crashed;
    for (let crash = 0; crash < classes.length; crash++) {
      const one = classes[crash]!;
      if (this.#overwrites[one]! || row[this.#countsAt + crash] === invoked[crash]) continue;
      const to = this.#transitions.step(state, one);
      if (to !== REFUSED && to !== state) return true;
    }
    return false;
  }

  #exceeded(): string | undefined {
    const held = this.#work.length + this.#next.length + this.#current.length;
    const bytes = held * (this.#row.length * 4 + 16) + (this.#trails?.length ?? 0) * 8;
    if (
      held > (this.#unlimited ? UNLIMITED_MAX : this.#bounds.configurationsMax) ||
      bytes > this.#bounds.configurationsMax * 256
    ) {
      return `the search holds ${held} configurations, its bound`;
    }
    return this.#bounds.expired() ? TIME_IS_UP : undefined;
  }

  #unknown(reason: string, call: number): SearchResult {
    return {
      valid: 'unknown',
      reason,
      verifiedTo: this.#problem.complete[call]!,
      configurations: this.#current.live,
      prefixes: this.#prefixes(this.#current, this.#current.length),
      steps: this.#steps,
    };
  }

  #prefixes(from: Configurations, count: number, most = PREFIXES_MAX): Prefix[] {
    const places = { hiddenAt: this.#hiddenAt, placedAt: this.#placedAt, countsAt: this.#countsAt };
    const open = { movers: this.#movers.calls, observers: this.#observers.calls, crashed: this.#crashed };
    const prefixes: Prefix[] = [];
    for (let at = 0; at < count && prefixes.length < most; at++) {
      if (!from.isDead(at)) prefixes.push(prefixOf(from.row(at), places, open));
    }
    return prefixes;
  }
}

function copyRow(words: Int32Array, from: number, row: Int32Array): void {
  for (let i = 0; i < row.length; i++) row[i] = words[from + i]!;
}

import { OPEN } from '../history/calls.ts';
import { REFUSED, type Transitions } from '../model/transitions.ts';
import { Configurations } from './configurations.ts';
import { insertCalls } from './insert-calls.ts';
import {
  type Prefix,
  type Problem,
  type Resume,
  type SearchBounds,
  type SearchResult,
  type Seed,
  TIME_IS_UP,
} from './problem.ts';
import { clearBit, hasBit, lowest, NOT, Slots, setBit } from './slots.ts';
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
  /** The calls that complete, in order of completion. */
  #ends = new Int32Array(16);
  #completing = 0;
  #reached = 0;
  #slotOf = new Int32Array(16);
  // By class: whether it observes, and whether it overwrites.
  readonly #observes: boolean[] = [];
  readonly #overwrites: boolean[] = [];
  /** The open calls that may change the state have slots, and so have, by themselves, those that observe. */
  readonly #movers = new Slots();
  readonly #observers = new Slots();
  /** Slots of open movers, the first to complete first; those that overwrite, as bits; how many do not. */
  readonly #moving: number[] = [];
  #overwriters = new Int32Array(0);
  #steppers = 0;
  /** The class, and the calls, of each number of crashed calls; and how many of each were invoked so far. */
  #crashClasses: number[] = [];
  #crashed: number[][] = [];
  #crashInvoked: number[] = [];
  /** For each state, the open observers that fit it; computed once for each set of open observers. */
  #fits = new Int32Array(64);
  #fitsEpoch = new Int32Array(64);
  #epoch = 1;
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
    const ends = this.#ends;
    let next = 0;
    while (next < (resume?.carried ?? 0)) this.#invoke(next++);
    for (const seed of resume?.seeds ?? [{ state: problem.initial, ahead: [], hidden: [] }]) this.#plant(seed);
    for (let at = 0; at < this.#completing; at++) {
      const call = ends[at]!;
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
    const hidden = this.#ends.subarray(0, this.#completing).filter((call) => !isPlaced.has(call));
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
      if (complete[call] === OPEN) row[this.#countsAt + this.#crashClasses.indexOf(one)]!++;
      else setBit(row, this.#observes[one]! ? this.#placedAt : 1, this.#slotOf[call]!);
    }
    for (const call of hidden) setBit(row, this.#hiddenAt, this.#slotOf[call]!);
    this.#current.add(row, NOT);
  }

  #prepare(problem: Problem): void {
    this.#problem = problem;
    const { length, classes, invoke, complete } = problem;
    const { classes: operations, model } = this.#transitions;
    for (let one = this.#observes.length; one < operations.length; one++) {
      const observes = model.observes?.(operations[one]!) === true;
      this.#observes.push(observes);
      this.#overwrites.push(!observes && model.overwrites?.(operations[one]!) === true);
    }
    if (this.#slotOf.length < length) {
      this.#slotOf = new Int32Array(2 * length);
      this.#ends = new Int32Array(2 * length);
    }
    if (this.#classStamp.length < operations.length) this.#classStamp = new Int32Array(2 * operations.length);
    this.#crashClasses.length = 0;
    this.#crashed.length = 0;
    this.#crashInvoked.length = 0;
    const ends = this.#ends;
    let completing = 0;
    // Calls come in order of invocation, which is nearly that of completion: insertion is quick.
    for (let i = 0; i < length; i++) {
      const end = complete[i]!;
      if (end === OPEN) {
        this.#addCrashed(i);
        continue;
      }
      let at = completing++;
      while (at > 0 && complete[ends[at - 1]!]! > end) {
        ends[at] = ends[at - 1]!;
        at--;
      }
      ends[at] = i;
    }
    this.#completing = completing;
    let movers = 0;
    let observers = 0;
    let moversMost = 0;
    let observersMost = 0;
    for (let i = 0, ended = 0; i < length; i++) {
      if (complete[i] === OPEN) continue;
      for (; complete[ends[ended]!]! < invoke[i]!; ended++) {
        if (this.#observes[classes[ends[ended]!]!]!) observers--;
        else movers--;
      }
      if (this.#observes[classes[i]!]!) observersMost = Math.max(observersMost, ++observers);
      else moversMost = Math.max(moversMost, ++movers);
    }
    this.#movers.reset(moversMost);
    this.#observers.reset(observersMost);
    this.#moving.length = 0;
    this.#steppers = 0;
    this.#epoch++;
    this.#layOut((moversMost + 31) >>> 5, (observersMost + 31) >>> 5);
    this.#trails = this.#wantOrder && !this.#unlimited ? new Trails() : undefined;
    this.#trailsMax = TRAILS_MIN;
    this.#steps = 0;
  }

  #layOut(moverWords: number, observerWords: number): void {
    if (observerWords !== this.#countsAt - this.#placedAt) {
      this.#fits = new Int32Array(this.#fitsEpoch.length * observerWords);
      this.#fitsEpoch.fill(0);
    }
    if (this.#overwriters.length === moverWords) this.#overwriters.fill(0);
    else this.#overwriters = new Int32Array(moverWords);
    this.#hiddenAt = 1 + moverWords;
    this.#placedAt = 1 + 2 * moverWords;
    this.#countsAt = this.#placedAt + observerWords;
    const counts = this.#crashClasses.length;
    const width = this.#countsAt + counts;
    if (this.#row.length !== width) {
      this.#row = new Int32Array(width);
      this.#from = new Int32Array(width);
    }
    for (const set of [this.#current, this.#next, this.#work]) set.reset({ moverWords, observerWords, counts });
  }

  #addCrashed(call: number): void {
    const one = this.#problem.classes[call]!;
    // A crashed observer constrains nothing.
    if (this.#observes[one]!) return;
    const id = this.#crashClasses.indexOf(one);
    if (id !== -1) {
      this.#crashed[id]!.push(call);
      return;
    }
    this.#crashClasses.push(one);
    this.#crashed.push([call]);
    this.#crashInvoked.push(0);
  }

  #anyRow(): number {
    for (let row = 0; row < this.#current.length; row++) if (!this.#current.isDead(row)) return row;
    throw new Error('invariant: the frontier of a valid history is never empty');
  }

  /** Takes a call that no other overlaps, if that needs no choice. */
  #alone(call: number): boolean {
    const current = this.#current;
    if (current.length !== 1 || this.#crashClasses.length > 0) return false;
    if (this.#moving.length > 0 || this.#observers.count > 0) return false;
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
      const crash = this.#crashClasses.indexOf(one);
      if (crash !== NOT) this.#crashInvoked[crash]!++;
      return;
    }
    if (this.#observes[one]!) {
      this.#slotOf[call] = this.#observers.take(call);
      this.#epoch++;
      return;
    }
    const slot = this.#movers.take(call);
    this.#slotOf[call] = slot;
    if (this.#overwrites[one]!) setBit(this.#overwriters, 0, slot);
    else this.#steppers++;
    const end = complete[call]!;
    let at = this.#moving.length;
    while (at > 0 && complete[this.#movers.calls[this.#moving[at - 1]!]!]! > end) at--;
    this.#moving.splice(at, 0, slot);
  }

  #release(call: number): void {
    const slot = this.#slotOf[call]!;
    const one = this.#problem.classes[call]!;
    if (this.#observes[one]!) {
      this.#observers.give(slot);
      this.#epoch++;
      return;
    }
    this.#movers.give(slot);
    this.#moving.splice(this.#moving.indexOf(slot), 1);
    if (this.#overwrites[one]!) clearBit(this.#overwriters, 0, slot);
    else this.#steppers--;
  }

  /** Places, in the row, all open observers that fit its state. Says whether there were any. */
  #place(): boolean {
    if (this.#observers.count === 0) return false;
    const row = this.#row;
    const state = row[0]!;
    const words = this.#countsAt - this.#placedAt;
    const from = state * words;
    if (state >= this.#fitsEpoch.length || this.#fitsEpoch[state] !== this.#epoch) this.#computeFits(state);
    let any = false;
    for (let word = 0; word < words; word++) {
      const fresh = this.#fits[from + word]! & ~row[this.#placedAt + word]!;
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

  #computeFits(state: number): void {
    const words = this.#countsAt - this.#placedAt;
    if (state >= this.#fitsEpoch.length) {
      const room = 2 * (state + 1);
      const epochs = new Int32Array(room);
      epochs.set(this.#fitsEpoch);
      this.#fitsEpoch = epochs;
      const fits = new Int32Array(room * words);
      fits.set(this.#fits);
      this.#fits = fits;
    }
    this.#fitsEpoch[state] = this.#epoch;
    const from = state * words;
    this.#fits.fill(0, from, from + words);
    const { classes } = this.#problem;
    const { calls } = this.#observers;
    for (let slot = 0; slot < calls.length; slot++) {
      const call = calls[slot]!;
      if (call === NOT || this.#transitions.step(state, classes[call]!) !== state) continue;
      setBit(this.#fits, from, slot);
    }
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
    for (const mover of this.#moving) {
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
    for (let crash = 0; crash < this.#crashClasses.length; crash++) {
      const used = from[this.#countsAt + crash]!;
      if (this.#unlimited ? this.#crashInvoked[crash] === 0 : used === this.#crashInvoked[crash]) continue;
      const one = this.#crashClasses[crash]!;
      if (this.#classStamp[one] === stamp) continue;
      const to = transitions.step(from[0]!, one);
      // A crashed call that changes nothing need not happen, unless it hides another.
      if (to === REFUSED || (to === from[0] && !(this.#overwrites[one]! && this.#hides()))) continue;
      for (const state of to >= 0 ? [to] : transitions.several(to)) {
        this.#row.set(from);
        this.#row[0] = state;
        if (!this.#unlimited) this.#row[this.#countsAt + crash] = used + 1;
        else if (this.#growsBy(state, one)) this.#endless = true;
        this.#trail = this.#trails === undefined ? NOT : this.#trails.add(trail, this.#crashed[crash]![used]!);
        this.#settle(call, one, false);
      }
    }
  }

  /** Whether a call that overwrites, right after `#from`, would hide one that is not hidden yet. */
  #hides(): boolean {
    const words = this.#hiddenAt - 1;
    for (let word = 0; word < words; word++) {
      const others = this.#overwriters[word]! & ~this.#from[1 + word]!;
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
    if (this.#crashClasses.length === 0) return 0;
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
      row[this.#hiddenAt + word]! |= this.#overwriters[word]! & ~row[1 + word]!;
    }
    const isSeen = this.#place();
    // Where nothing sees it, it may as well be hidden by what comes next, unless that needs its state.
    if (isSeen || isCall || this.#isNeeded()) this.#sort(call);
  }

  /** Whether a call that does not overwrite could come next in the row. */
  #isNeeded(): boolean {
    const row = this.#row;
    const state = row[0]!;
    if (this.#steppers > 0) {
      const { classes } = this.#problem;
      for (const mover of this.#moving) {
        const one = classes[this.#movers.calls[mover]!]!;
        if (this.#overwrites[one]! || hasBit(row, 1, mover)) continue;
        if (this.#transitions.step(state, one) !== REFUSED) return true;
      }
    }
    for (let crash = 0; crash < this.#crashClasses.length; crash++) {
      const one = this.#crashClasses[crash]!;
      if (this.#overwrites[one]! || row[this.#countsAt + crash] === this.#crashInvoked[crash]) continue;
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
    const prefixes: Prefix[] = [];
    for (let at = 0; at < count && prefixes.length < most; at++) {
      if (from.isDead(at)) continue;
      const row = from.words.subarray(at * from.width, (at + 1) * from.width);
      const ahead: number[] = [];
      const hidden: number[] = [];
      const pending: number[] = [];
      for (const [slot, call] of this.#movers.calls.entries()) {
        if (call === NOT) continue;
        (hasBit(row, 1, slot) ? ahead : hasBit(row, this.#hiddenAt, slot) ? hidden : pending).push(call);
      }
      for (const [slot, call] of this.#observers.calls.entries()) {
        if (call !== NOT) (hasBit(row, this.#placedAt, slot) ? ahead : pending).push(call);
      }
      for (const [crash, calls] of this.#crashed.entries()) {
        const used = row[this.#countsAt + crash]!;
        ahead.push(...calls.slice(0, used));
        pending.push(...calls.slice(used, this.#crashInvoked[crash]));
      }
      prefixes.push({ state: row[0]!, ahead, hidden, pending });
    }
    return prefixes;
  }
}

function copyRow(words: Int32Array, from: number, row: Int32Array): void {
  for (let i = 0; i < row.length; i++) row[i] = words[from + i]!;
}

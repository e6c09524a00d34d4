import { OPEN } from '../history/calls.ts';
import { REFUSED, type Transitions } from '../model/transitions.ts';

/** The calls on one key, as the search sees them; in order of invocation, positions are indices of events. */
export interface Problem {
  readonly initial: number;
  /** The class of each call in the search's transitions. */
  readonly classes: Int32Array;
  readonly invoke: Int32Array;
  /** `OPEN` for a call that may have happened at any time after its invocation, or never. */
  readonly complete: Int32Array;
}

/** A configuration to go on from. */
export interface Seed {
  readonly state: number;
  /** The calls of the problem that are linearized already, though they had not completed. */
  readonly ahead: readonly number[];
}

export interface Resume {
  readonly seeds: readonly Seed[];
  /** How many of the problem's calls, the first ones, had been invoked before. */
  readonly carried: number;
  readonly until: number;
}

export interface SearchBounds {
  readonly configurationsMax: number;
  /** Says that the time is up. Asked every few hundred steps. */
  readonly expired: () => boolean;
}

/** A way to linearize everything up to some event: what is left of the past. */
export interface Prefix {
  /** The state after it. */
  readonly state: number;
  /** The calls that are linearized though they had not completed yet. */
  readonly ahead: readonly number[];
  /** The calls still to come, of those already invoked. */
  readonly pending: readonly number[];
}

export type SearchResult =
  | { readonly valid: true; readonly order: readonly number[] | undefined; readonly steps: number }
  | {
      readonly valid: false;
      /** The call whose completion no linearization reaches. */
      readonly call: number;
      /** Some of the longest prefixes, from which it can not go on. */
      readonly prefixes: readonly Prefix[];
      readonly steps: number;
    }
  | {
      readonly valid: 'unknown';
      readonly reason: string;
      /** Everything that completed before this event is linearizable. */
      readonly verifiedTo: number;
      readonly configurations: number;
      readonly prefixes: readonly Prefix[];
      readonly steps: number;
    };

const PREFIXES_MAX = 8;
const STEPS_BETWEEN_LOOKS = 256;
/** The reason of a search that reached its bound on time: with more of it, it may decide. */
export const TIME_IS_UP = 'the time is up';

const NOT = -1;
const EMPTY = new Int32Array(0);
/** The tree of linearizations is cleared of dead ends when it is this large, and then each time it has doubled. */
const TRAILS_MIN = 1 << 20;

/**
 * A set of configurations. A configuration is a row of words: the state; one bit for each slot whose call is
 * linearized; for each class of crashed calls, how many of them are. Of two rows that differ only in crashed
 * calls, the one that used fewer of each class can do all that the other can, so the other is not kept.
 */
class Configurations {
  words = new Int32Array(64);
  /** For each row the last step of its linearization. */
  trails = new Int32Array(16);
  length = 0;
  live = 0;
  #width = 1;
  #head = 1;
  #table = new Int32Array(64).fill(NOT);
  /** The slot in the table that each row was given; rows behind another of the same head have that one's. */
  #slots = new Int32Array(16);
  /** The next row with the same head. */
  #chain = new Int32Array(16);

  /** `head`: how many words are compared for equality; the rest are counts of crashed calls. */
  reset(width: number, head: number): void {
    this.clear();
    this.#width = width;
    this.#head = head;
  }

  clear(): void {
    // A table that was large once is not wiped for the few rows of now.
    if (this.length * 8 < this.#table.length) {
      for (let row = 0; row < this.length; row++) this.#table[this.#slots[row]!] = NOT;
    } else this.#table.fill(NOT);
    this.length = 0;
    this.live = 0;
  }

  isDead(row: number): boolean {
    return this.words[row * this.#width]! === NOT;
  }

  /** Adds the row unless one that is as good is there already. Says whether it was added. */
  add(row: Int32Array, trail: number): boolean {
    const width = this.#width;
    const head = this.#head;
    let hash = 0x9e3779b9;
    for (let i = 0; i < head; i++) {
      hash = Math.imul(hash ^ row[i]!, 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    for (;;) {
      const first = this.#table[slot]!;
      if (first === NOT) break;
      if (this.#sameHead(first, row)) {
        if (head === width) return false;
        let previous = NOT;
        let at = first;
        while (at !== NOT) {
          const next = this.#chain[at]!;
          const order = this.#compareCounts(at, row);
          if (order <= 0) return false;
          if (order === 1) {
            // The new row is better: the old one goes, unless it is the first, whose head the table needs.
            if (previous === NOT) {
              const heir = this.#append(row, trail, slot);
              this.#chain[heir] = this.#dropWorse(next, row);
              this.words[at * width] = NOT;
              this.live--;
              this.#table[slot] = heir;
              return true;
            }
            this.#chain[previous] = next;
            this.words[at * width] = NOT;
            this.live--;
          } else {
            previous = at;
          }
          at = next;
        }
        const added = this.#append(row, trail, slot);
        this.#chain[added] = NOT;
        this.#chain[previous] = added;
        return true;
      }
      slot = (slot + 1) & mask;
    }
    const added = this.#append(row, trail, slot);
    this.#chain[added] = NOT;
    this.#table[slot] = added;
    if (this.length * 2 > this.#table.length) this.#rehash();
    return true;
  }

  /** -1 or 0: the row in the set has at most the counts of the new one. 1: it has more. 2: neither. */
  #compareCounts(at: number, row: Int32Array): number {
    let fewer = false;
    let more = false;
    for (let i = this.#head; i < this.#width; i++) {
      const difference = this.words[at * this.#width + i]! - row[i]!;
      if (difference < 0) fewer = true;
      else if (difference > 0) more = true;
    }
    return more ? (fewer ? 2 : 1) : fewer ? -1 : 0;
  }

  #dropWorse(from: number, row: Int32Array): number {
    let first = NOT;
    let last = NOT;
    for (let at = from; at !== NOT; at = this.#chain[at]!) {
      if (this.#compareCounts(at, row) === 1) {
        this.words[at * this.#width] = NOT;
        this.live--;
        continue;
      }
      if (last === NOT) first = at;
      else this.#chain[last] = at;
      last = at;
    }
    if (last !== NOT) this.#chain[last] = NOT;
    return first;
  }

  #sameHead(at: number, row: Int32Array): boolean {
    const from = at * this.#width;
    for (let i = 0; i < this.#head; i++) if (this.words[from + i] !== row[i]) return false;
    return true;
  }

  #append(row: Int32Array, trail: number, slot: number): number {
    const width = this.#width;
    if ((this.length + 1) * width > this.words.length) {
      const words = new Int32Array(Math.max(this.words.length, width) * 2);
      words.set(this.words);
      this.words = words;
    }
    if (this.length === this.trails.length) {
      const trails = new Int32Array(this.length * 2);
      trails.set(this.trails);
      this.trails = trails;
      const chain = new Int32Array(this.length * 2);
      chain.set(this.#chain);
      this.#chain = chain;
      const slots = new Int32Array(this.length * 2);
      slots.set(this.#slots);
      this.#slots = slots;
    }
    this.#slots[this.length] = slot;
    const from = this.length * width;
    for (let i = 0; i < width; i++) this.words[from + i] = row[i]!;
    this.trails[this.length] = trail;
    this.live++;
    return this.length++;
  }

  #rehash(): void {
    const old = this.#table;
    this.#table = new Int32Array(old.length * 4).fill(NOT);
    const mask = this.#table.length - 1;
    for (const first of old) {
      if (first === NOT) continue;
      let hash = 0x9e3779b9;
      for (let i = 0; i < this.#head; i++) {
        hash = Math.imul(hash ^ this.words[first * this.#width + i]!, 0x85ebca6b);
        hash ^= hash >>> 15;
      }
      let slot = hash & mask;
      while (this.#table[slot] !== NOT) slot = (slot + 1) & mask;
      this.#table[slot] = first;
      for (let at = first; at !== NOT; at = this.#chain[at]!) this.#slots[at] = slot;
    }
  }
}

/** The linearizations of a search, as a tree of (parent, call) that grows towards the root. */
class Trails {
  #parent = new Int32Array(1024);
  #call = new Int32Array(1024);
  length = 0;

  add(parent: number, call: number): number {
    if (this.length === this.#parent.length) {
      const parents = new Int32Array(this.length * 2);
      parents.set(this.#parent);
      this.#parent = parents;
      const calls = new Int32Array(this.length * 2);
      calls.set(this.#call);
      this.#call = calls;
    }
    this.#parent[this.length] = parent;
    this.#call[this.length] = call;
    return this.length++;
  }

  order(trail: number): number[] {
    const order: number[] = [];
    for (let at = trail; at !== NOT; at = this.#parent[at]!) order.push(this.#call[at]!);
    return order.reverse();
  }

  /** Keeps only what leads to these; gives the new names of all. */
  compact(ends: Int32Array, count: number): void {
    const names = new Int32Array(this.length).fill(NOT);
    for (let i = 0; i < count; i++) {
      for (let at = ends[i]!; at !== NOT && names[at] === NOT; at = this.#parent[at]!) names[at] = 0;
    }
    let kept = 0;
    for (let at = 0; at < this.length; at++) {
      if (names[at] === NOT) continue;
      names[at] = kept;
      const parent = this.#parent[at]!;
      this.#parent[kept] = parent === NOT ? NOT : names[parent]!;
      this.#call[kept] = this.#call[at]!;
      kept++;
    }
    this.length = kept;
    for (let i = 0; i < count; i++) if (ends[i] !== NOT) ends[i] = names[ends[i]!]!;
  }
}

/**
 * The general search: just-in-time linearization (Lowe, "Testing for linearizability", 2017) over a frontier of
 * configurations. Events are taken in order; only a completion makes calls take effect, and only as many as it
 * needs. Calls that can only observe are placed as soon as they fit; of open calls with the same effect the one
 * that completes first goes first; crashed calls with the same effect are a number.
 */
export class Search<State> {
  readonly #transitions: Transitions<State>;
  readonly #bounds: SearchBounds;
  readonly #wantOrder: boolean;
  #problem: Problem = { initial: 0, classes: EMPTY, invoke: EMPTY, complete: EMPTY };
  /** Present when the linearization is wanted. */
  #trails: Trails | undefined;
  #trailsMax = TRAILS_MIN;
  #slotOf = new Int32Array(16);
  /** The call in each slot. */
  #callIn: number[] = [];
  readonly #free: number[] = [];
  #maskWords = 0;
  #width = 1;
  /** The class, and the calls, of each number of crashed calls. */
  #crashClasses: number[] = [];
  #crashed: number[][] = [];
  /** How many of each class were invoked so far. */
  #crashInvoked: number[] = [];
  readonly #observes: number[] = [];
  /** Slots of open calls that may change the state, the first to complete first. */
  readonly #movers: number[] = [];
  readonly #observers: Set<number> = new Set();
  /** For each state, the open observers that fit it; computed once for each set of open observers. */
  #fits = new Int32Array(64);
  #fitsEpoch = new Int32Array(64);
  #epoch = 1;
  #current = new Configurations();
  #next = new Configurations();
  readonly #work = new Configurations();
  #row = new Int32Array(1);
  #from = new Int32Array(1);
  #classStamp = new Int32Array(64);
  #stamp = 0;
  #steps = 0;

  constructor(transitions: Transitions<State>, bounds: SearchBounds, wantOrder: boolean) {
    this.#transitions = transitions;
    this.#bounds = bounds;
    this.#wantOrder = wantOrder;
  }

  /**
   * Searches one key. An instance is used for many, one after another. With `resume` it goes on from where a search
   * of the same key was, and stops before the completions from `until` on; `frontier` then tells where it is.
   */
  run(problem: Problem, resume?: Resume): SearchResult {
    const ends = this.#prepare(problem);
    const { invoke, complete } = problem;
    let next = 0;
    while (next < (resume?.carried ?? 0)) this.#invoke(next++);
    for (const seed of resume?.seeds ?? [{ state: problem.initial, ahead: [] }]) this.#plant(seed);
    for (const call of ends) {
      const end = complete[call]!;
      if (resume !== undefined && end >= resume.until) break;
      while (next < invoke.length && invoke[next]! < end) this.#invoke(next++);
      const stopped = this.#complete(call);
      if (stopped !== undefined) return stopped;
    }
    const order = this.#trails?.order(this.#current.trails[this.#anyRow()]!);
    return { valid: true, order, steps: this.#steps };
  }

  /** Where the last search, which found no violation, arrived. */
  frontier(): readonly Seed[] {
    return this.#prefixes(this.#current, this.#current.length, Number.POSITIVE_INFINITY);
  }

  #plant({ state, ahead }: Seed): void {
    const row = this.#row.fill(0);
    row[0] = state;
    const { classes, complete } = this.#problem;
    for (const call of ahead) {
      if (complete[call] === OPEN) row[1 + this.#maskWords + this.#crashClasses.indexOf(classes[call]!)]!++;
      else row[1 + (this.#slotOf[call]! >>> 5)]! |= 1 << (this.#slotOf[call]! & 31);
    }
    this.#current.add(row, NOT);
  }

  /** Gives the calls that complete, in order of completion. */
  #prepare(problem: Problem): Int32Array {
    this.#problem = problem;
    const { classes, invoke, complete } = problem;
    const { classes: operations, model } = this.#transitions;
    for (let one = this.#observes.length; one < operations.length; one++) {
      this.#observes.push(model.observes?.(operations[one]!) === true ? 1 : 0);
    }
    const { length } = classes;
    if (this.#slotOf.length < length) this.#slotOf = new Int32Array(2 * length);
    if (this.#classStamp.length < operations.length) this.#classStamp = new Int32Array(2 * operations.length);
    this.#crashClasses = [];
    this.#crashed = [];
    this.#crashInvoked = [];
    let completing = 0;
    for (let i = 0; i < length; i++) if (complete[i] !== OPEN) completing++;
    const ends = new Int32Array(completing);
    completing = 0;
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
    let most = 0;
    for (let i = 0, ended = 0, open = 0; i < length; i++) {
      if (complete[i] === OPEN) continue;
      open++;
      while (complete[ends[ended]!]! < invoke[i]!) {
        ended++;
        open--;
      }
      if (open > most) most = open;
    }
    this.#callIn.length = 0;
    this.#free.length = 0;
    for (let slot = most - 1; slot >= 0; slot--) {
      this.#callIn.push(NOT);
      this.#free.push(slot);
    }
    this.#movers.length = 0;
    this.#observers.clear();
    this.#epoch++;
    const words = (most + 31) >>> 5;
    if (words !== this.#maskWords) {
      this.#maskWords = words;
      this.#fits = new Int32Array(this.#fitsEpoch.length * words);
    }
    this.#width = 1 + words + this.#crashClasses.length;
    if (this.#row.length !== this.#width) {
      this.#row = new Int32Array(this.#width);
      this.#from = new Int32Array(this.#width);
    }
    for (const set of [this.#current, this.#next, this.#work]) set.reset(this.#width, 1 + words);
    this.#trails = this.#wantOrder ? new Trails() : undefined;
    this.#trailsMax = TRAILS_MIN;
    this.#steps = 0;
    return ends;
  }

  #addCrashed(call: number): void {
    const one = this.#problem.classes[call]!;
    // A crashed observer constrains nothing.
    if (this.#observes[one] === 1) return;
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

  #invoke(call: number): void {
    const { complete, classes } = this.#problem;
    if (complete[call] === OPEN) {
      const crash = this.#crashClasses.indexOf(classes[call]!);
      if (crash !== NOT) this.#crashInvoked[crash]!++;
      return;
    }
    const slot = this.#free.pop()!;
    this.#slotOf[call] = slot;
    this.#callIn[slot] = call;
    if (this.#observes[classes[call]!] === 1) {
      this.#observers.add(slot);
      this.#epoch++;
      return;
    }
    const end = complete[call]!;
    let at = this.#movers.length;
    while (at > 0 && complete[this.#callIn[this.#movers[at - 1]!]!]! > end) at--;
    this.#movers.splice(at, 0, slot);
  }

  #release(slot: number): void {
    this.#free.push(slot);
    this.#callIn[slot] = NOT;
    if (this.#observers.delete(slot)) this.#epoch++;
    else this.#movers.splice(this.#movers.indexOf(slot), 1);
  }

  /** Sets, in a row, the bits of all open observers that fit its state. Gives its trail. */
  #place(row: Int32Array, trail: number): number {
    if (this.#observers.size === 0) return trail;
    const state = row[0]!;
    const words = this.#maskWords;
    if (state >= this.#fitsEpoch.length) {
      const room = Math.max(64, 2 * (state + 1));
      const epochs = new Int32Array(room);
      epochs.set(this.#fitsEpoch);
      this.#fitsEpoch = epochs;
      const fits = new Int32Array(room * words);
      fits.set(this.#fits);
      this.#fits = fits;
    }
    const from = state * words;
    if (this.#fitsEpoch[state] !== this.#epoch) {
      this.#fitsEpoch[state] = this.#epoch;
      this.#fits.fill(0, from, from + words);
      const { classes } = this.#problem;
      const transitions = this.#transitions;
      for (const slot of this.#observers) {
        if (transitions.step(state, classes[this.#callIn[slot]!]!) === state)
          this.#fits[from + (slot >>> 5)]! |= 1 << (slot & 31);
      }
    }
    let end = trail;
    for (let word = 0; word < words; word++) {
      const fresh = this.#fits[from + word]! & ~row[1 + word]!;
      if (fresh === 0) continue;
      row[1 + word]! |= fresh;
      if (this.#trails === undefined) continue;
      for (let bits = fresh; bits !== 0; bits &= bits - 1) {
        end = this.#trails.add(end, this.#callIn[word * 32 + 31 - Math.clz32(bits & -bits)]!);
      }
    }
    return end;
  }

  #complete(call: number): SearchResult | undefined {
    const slot = this.#slotOf[call]!;
    const word = 1 + (slot >>> 5);
    const bit = 1 << (slot & 31);
    const work = this.#work;
    const next = this.#next;
    const width = this.#width;
    const row = this.#row;
    work.clear();
    next.clear();
    const sort = (trail: number): void => {
      const end = this.#place(row, trail);
      if ((row[word]! & bit) !== 0) {
        row[word]! &= ~bit;
        next.add(row, end);
      } else {
        work.add(row, end);
      }
    };
    for (let at = 0; at < this.#current.length; at++) {
      if (this.#current.isDead(at)) continue;
      for (let i = 0; i < width; i++) row[i] = this.#current.words[at * width + i]!;
      sort(this.#current.trails[at]!);
    }
    const from = this.#from;
    const { classes } = this.#problem;
    const transitions = this.#transitions;
    const before = work.length;
    for (let at = 0; at < work.length; at++) {
      if (work.isDead(at)) continue;
      if (++this.#steps % STEPS_BETWEEN_LOOKS === 0) {
        const reason = this.#exceeded();
        if (reason !== undefined) return this.#unknown(reason, call);
      }
      for (let i = 0; i < width; i++) from[i] = work.words[at * width + i]!;
      const trail = work.trails[at]!;
      const stamp = ++this.#stamp;
      for (const mover of this.#movers) {
        if ((from[1 + (mover >>> 5)]! & (1 << (mover & 31))) !== 0) continue;
        const other = this.#callIn[mover]!;
        const one = classes[other]!;
        if (this.#classStamp[one] === stamp) continue;
        this.#classStamp[one] = stamp;
        const to = transitions.step(from[0]!, one);
        if (to === REFUSED) continue;
        const after = this.#trails === undefined ? NOT : this.#trails.add(trail, other);
        if (to >= 0) {
          row.set(from);
          row[0] = to;
          row[1 + (mover >>> 5)]! |= 1 << (mover & 31);
          sort(after);
        } else {
          for (const state of transitions.several(to)) {
            row.set(from);
            row[0] = state;
            row[1 + (mover >>> 5)]! |= 1 << (mover & 31);
            sort(after);
          }
        }
      }
      const counts = 1 + this.#maskWords;
      for (let crash = 0; crash < this.#crashClasses.length; crash++) {
        const used = from[counts + crash]!;
        if (used === this.#crashInvoked[crash]) continue;
        const one = this.#crashClasses[crash]!;
        if (this.#classStamp[one] === stamp) continue;
        const to = transitions.step(from[0]!, one);
        // A crashed call that changes nothing need not happen.
        if (to === REFUSED || to === from[0]) continue;
        const after = this.#trails === undefined ? NOT : this.#trails.add(trail, this.#crashed[crash]![used]!);
        for (const state of to >= 0 ? [to] : transitions.several(to)) {
          row.set(from);
          row[0] = state;
          row[counts + crash] = used + 1;
          sort(after);
        }
      }
    }
    if (next.live === 0) {
      return { valid: false, call, prefixes: this.#prefixes(work, before), steps: this.#steps };
    }
    this.#release(slot);
    this.#next = this.#current;
    this.#current = next;
    if (this.#trails !== undefined && this.#trails.length > this.#trailsMax) {
      this.#trails.compact(next.trails, next.length);
      this.#trailsMax = Math.max(TRAILS_MIN, this.#trails.length * 2);
    }
    return undefined;
  }

  #exceeded(): string | undefined {
    const held = this.#work.length + this.#next.length + this.#current.length;
    const bytes = held * (this.#width * 4 + 16) + (this.#trails?.length ?? 0) * 8;
    if (held > this.#bounds.configurationsMax || bytes > this.#bounds.configurationsMax * 256) {
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
      const row = from.words.subarray(at * this.#width, (at + 1) * this.#width);
      const ahead: number[] = [];
      const pending: number[] = [];
      for (const [slot, call] of this.#callIn.entries()) {
        if (call === NOT) continue;
        ((row[1 + (slot >>> 5)]! & (1 << (slot & 31))) === 0 ? pending : ahead).push(call);
      }
      for (const [crash, calls] of this.#crashed.entries()) {
        const used = row[1 + this.#maskWords + crash]!;
        ahead.push(...calls.slice(0, used));
        pending.push(...calls.slice(used, this.#crashInvoked[crash]));
      }
      prefixes.push({ state: row[0]!, ahead, pending });
    }
    return prefixes;
  }
}

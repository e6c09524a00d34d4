import { OPEN } from '../history/calls.ts';
import { REFUSED, type Transitions } from '../model/transitions.ts';

/** The calls on one key, as the search sees them; in order of invocation, positions are indices of events. */
export interface Problem<State> {
  readonly transitions: Transitions<State>;
  readonly initial: number;
  /** The class of each call in `transitions`. */
  readonly classes: Int32Array;
  readonly invoke: Int32Array;
  /** `OPEN` for a call that may have happened at any time after its invocation, or never. */
  readonly complete: Int32Array;
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
const NOT = -1;

/**
 * A set of configurations. A configuration is a row of words: the state; one bit for each slot whose call is
 * linearized; for each class of crashed calls, how many of them are. Of two rows that differ only in crashed
 * calls, the one that used fewer of each class can do all that the other can, so the other is not kept.
 */
class Configurations {
  words: Int32Array;
  /** For each row the last step of its linearization. */
  trails: Int32Array;
  length = 0;
  live = 0;
  readonly #width: number;
  readonly #head: number;
  #table: Int32Array;
  /** The next row with the same head. */
  #chain: Int32Array;

  /** `head`: how many words are compared for equality; the rest are counts of crashed calls. */
  constructor(width: number, head: number) {
    this.#width = width;
    this.#head = head;
    this.words = new Int32Array(64 * width);
    this.trails = new Int32Array(64);
    this.#chain = new Int32Array(64);
    this.#table = new Int32Array(256).fill(NOT);
  }

  clear(): void {
    if (this.length === 0) return;
    this.length = 0;
    this.live = 0;
    this.#table.fill(NOT);
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
              const heir = this.#append(row, trail);
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
        const added = this.#append(row, trail);
        this.#chain[added] = NOT;
        this.#chain[previous] = added;
        return true;
      }
      slot = (slot + 1) & mask;
    }
    const added = this.#append(row, trail);
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

  #append(row: Int32Array, trail: number): number {
    const width = this.#width;
    if ((this.length + 1) * width > this.words.length) {
      const words = new Int32Array(this.words.length * 2);
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
    }
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
  readonly #problem: Problem<State>;
  readonly #bounds: SearchBounds;
  /** Whether the linearization is wanted. */
  readonly #trails: Trails | undefined;
  #trailsMax = 1 << 20;
  readonly #slotOf: Int32Array;
  readonly #callIn: Int32Array;
  readonly #free: number[] = [];
  readonly #maskWords: number;
  readonly #width: number;
  /** The class, and the calls, of each number of crashed calls. */
  readonly #crashClasses: number[] = [];
  readonly #crashed: number[][] = [];
  readonly #crashIndex: Int32Array;
  /** How many of each class were invoked so far. */
  readonly #crashInvoked: Int32Array;
  readonly #observes: Uint8Array;
  /** Slots of open calls that may change the state, the first to complete first. */
  #movers: number[] = [];
  readonly #observers: Set<number> = new Set();
  /** For each state, the open observers that fit it; computed once for each set of open observers. */
  #fits = new Int32Array(0);
  #fitsEpoch = new Int32Array(0);
  #epoch = 1;
  #current: Configurations;
  #next: Configurations;
  readonly #work: Configurations;
  readonly #row: Int32Array;
  readonly #from: Int32Array;
  readonly #classStamp: Int32Array;
  #stamp = 0;
  #steps = 0;

  constructor(problem: Problem<State>, bounds: SearchBounds, wantOrder: boolean) {
    this.#problem = problem;
    this.#bounds = bounds;
    this.#trails = wantOrder ? new Trails() : undefined;
    const { classes, invoke, complete, transitions } = problem;
    this.#observes = Uint8Array.from(transitions.classes, (one) => (transitions.model.observes?.(one) ? 1 : 0));
    this.#slotOf = new Int32Array(classes.length).fill(NOT);
    const crashIds = new Map<number, number>();
    this.#crashIndex = new Int32Array(classes.length).fill(NOT);
    let most = 0;
    let open = 0;
    const ends = complete.filter((end) => end !== OPEN).sort();
    let ended = 0;
    for (let i = 0; i < classes.length; i++) {
      while (ended < ends.length && ends[ended]! < invoke[i]!) {
        ended++;
        open--;
      }
      if (complete[i] === OPEN) {
        const one = classes[i]!;
        if (this.#observes[one]) continue;
        let id = crashIds.get(one);
        if (id === undefined) {
          id = this.#crashClasses.length;
          crashIds.set(one, id);
          this.#crashClasses.push(one);
          this.#crashed.push([]);
        }
        this.#crashIndex[i] = id;
        this.#crashed[id]!.push(i);
      } else {
        open++;
        if (open > most) most = open;
      }
    }
    this.#callIn = new Int32Array(most).fill(NOT);
    for (let slot = most - 1; slot >= 0; slot--) this.#free.push(slot);
    this.#maskWords = (most + 31) >>> 5;
    this.#width = 1 + this.#maskWords + this.#crashClasses.length;
    this.#crashInvoked = new Int32Array(this.#crashClasses.length);
    this.#current = new Configurations(this.#width, 1 + this.#maskWords);
    this.#next = new Configurations(this.#width, 1 + this.#maskWords);
    this.#work = new Configurations(this.#width, 1 + this.#maskWords);
    this.#row = new Int32Array(this.#width);
    this.#from = new Int32Array(this.#width);
    this.#classStamp = new Int32Array(transitions.classes.length);
  }

  run(): SearchResult {
    const { invoke, complete, classes } = this.#problem;
    this.#row[0] = this.#problem.initial;
    this.#current.add(this.#row, NOT);
    const byEnd = Int32Array.from(classes.keys()).filter((call) => complete[call] !== OPEN);
    byEnd.sort((a, b) => complete[a]! - complete[b]!);
    let next = 0;
    for (const call of byEnd) {
      while (next < invoke.length && invoke[next]! < complete[call]!) this.#invoke(next++);
      const stopped = this.#complete(call);
      if (stopped !== undefined) return stopped;
    }
    const order = this.#trails?.order(this.#current.trails[this.#anyRow()]!);
    return { valid: true, order, steps: this.#steps };
  }

  #anyRow(): number {
    for (let row = 0; row < this.#current.length; row++) if (!this.#current.isDead(row)) return row;
    throw new Error('invariant: the frontier of a valid history is never empty');
  }

  #invoke(call: number): void {
    const crash = this.#crashIndex[call]!;
    if (crash !== NOT) {
      this.#crashInvoked[crash]!++;
      return;
    }
    const { complete, classes } = this.#problem;
    // A crashed observer constrains nothing.
    if (complete[call] === OPEN) return;
    const slot = this.#free.pop()!;
    this.#slotOf[call] = slot;
    this.#callIn[slot] = call;
    if (this.#observes[classes[call]!]) {
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
      const { transitions, classes } = this.#problem;
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
    const { transitions, classes } = this.#problem;
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
      this.#trailsMax = Math.max(1 << 20, this.#trails.length * 2);
    }
    return undefined;
  }

  #exceeded(): string | undefined {
    const held = this.#work.length + this.#next.length + this.#current.length;
    const bytes = held * (this.#width * 4 + 16) + (this.#trails?.length ?? 0) * 8;
    if (held > this.#bounds.configurationsMax || bytes > this.#bounds.configurationsMax * 256) {
      return `the search holds ${held} configurations, its bound`;
    }
    return this.#bounds.expired() ? `the time is up` : undefined;
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

  #prefixes(from: Configurations, count: number): Prefix[] {
    const prefixes: Prefix[] = [];
    for (let at = 0; at < count && prefixes.length < PREFIXES_MAX; at++) {
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

import { OPEN } from '../history/calls.ts';
import { type Clusters, NONE, type ZoneConflict } from './clusters.ts';
import { CAS, MISMATCH, type RegisterCalls } from './register-calls.ts';
import { ZoneIndex } from './zone-index.ts';

/** Bound on the work of choosing, for one key; beyond it the general search decides. */
const STEPS_MAX = 1_000_000;
/** How many writes of unknown outcome are considered for one failed cas: more of them are hardly ever needed. */
const UNHEARD_MAX = 8;

/** A cluster that a failed cas may have seen, and the time that choosing it concerns. */
interface Option {
  readonly cluster: number;
  readonly from: number;
  readonly to: number;
  /** What it takes from others; 0: nothing. */
  readonly cost: number;
}

/**
 * Finds what each cas that was answered "different" saw, in a register whose zones have no conflict.
 *
 * It saw some value, but not the one it expected: so it is a read of some other cluster, and a linearization exists
 * exactly when each can be given a cluster such that the zones, grown by these reads, still have no conflict. Most
 * need no choice: where the expected value can not have been there during all of the call, it fits every
 * linearization; where it is a read that changes no zone, that is as good as any. For the others the clusters that
 * could have been there are few, because they need calls that were open then. They are tried, with backtracking
 * among those that are near each other in time.
 *
 * Derived here; tested against the brute force.
 */
export class MismatchPlaces {
  readonly #index = new ZoneIndex();
  #calls!: RegisterCalls;
  #clusters!: Clusters;
  /** Whether everything that could have been seen was considered. */
  #exact = true;
  #steps = 0;
  /** Writes of unknown outcome that nobody observed: those that may serve, and those that may not any more. */
  #unheard: number[] = [];
  #unheardCas: number[] = [];
  readonly #barred = new Set<number>();

  /** `undefined` when it is undecided; without a conflict, failed cas are in the clusters that they were given. */
  find(calls: RegisterCalls, clusters: Clusters): { readonly conflict: ZoneConflict | undefined } | undefined {
    this.#calls = calls;
    this.#clusters = clusters;
    this.#exact = true;
    this.#steps = 0;
    this.#unheard = [];
    this.#unheardCas = [];
    this.#barred.clear();
    this.#index.build(calls, clusters);
    const open = this.#binding();
    if (open.length === 0) return { conflict: undefined };
    const options = this.#optionsOf(open);
    const choosing: number[] = [];
    const among: (readonly Option[])[] = [];
    for (const [at, call] of open.entries()) {
      const own = options[at]!;
      if (own.length === 0) return this.#impossible([call]);
      const free = own.find(({ cost }) => cost === 0);
      if (free !== undefined) clusters.of[call] = free.cluster;
      else {
        choosing.push(call);
        among.push(own);
      }
    }
    return this.#chooseAll(choosing, among);
  }

  #impossible(calls: readonly number[]): { readonly conflict: ZoneConflict } | undefined {
    if (!this.#exact || calls.some((call) => this.#mayHaveSeenUnheard(call))) return undefined;
    return { conflict: { reason: 'cas-mismatch', calls } };
  }

  /** Whether a failed cas may have seen what a cas of unknown outcome set. Such a cas would make other chains. */
  #mayHaveSeenUnheard(call: number): boolean {
    const { first, invoke, complete } = this.#calls;
    const { writer, swaps, after, zoneF } = this.#clusters;
    return this.#unheardCas.some((cas) => {
      if (invoke[cas]! > complete[call]!) return false;
      const from = this.#clusters.find(first[cas]!);
      if (from === NONE || this.#clusters.isShared(from)) return from !== NONE;
      const by = writer[from]!;
      if (by === NONE ? from !== 0 : !this.#clusters.happened(this.#calls, by)) return by !== NONE;
      if (swaps && after[from] !== NONE) return false;
      const zone = this.#clusters.rootOf(from);
      const s = Math.max(this.#index.latest(zone), invoke[cas]!, invoke[call]!);
      return this.#index.latestOfOthers(s, zone) <= Math.min(zoneF[zone]!, complete[call]!);
    });
  }

  /** The failed cas that do not fit every linearization, in order of completion. */
  #binding(): number[] {
    const { length, kind, first, invoke, complete } = this.#calls;
    const clusters = this.#clusters;
    const index = this.#index;
    const found: number[] = [];
    for (let i = 0; i < length; i++) {
      if (kind[i] !== MISMATCH) continue;
      const expected = clusters.find(first[i]!);
      // Nobody ever wrote it.
      if (expected === NONE || (expected !== 0 && clusters.writer[expected] === NONE)) continue;
      if (!clusters.isShared(expected)) {
        const by = clusters.writer[expected]!;
        if (by !== NONE && !clusters.happened(this.#calls, by)) {
          // Unless it is thought of as having happened.
          this.#barred.add(expected);
          continue;
        }
        if (!index.mayHold(expected, invoke[i]!, complete[i]!)) continue;
      }
      let at = found.length;
      while (at > 0 && complete[found[at - 1]!]! > complete[i]!) at--;
      found.splice(at, 0, i);
    }
    return found;
  }

  /** For each of these, the clusters that it may have seen. */
  #optionsOf(open: readonly number[]): Option[][] {
    const { kind, first, invoke, complete, length } = this.#calls;
    const { writer, zones, zoneF } = this.#clusters;
    const index = this.#index;
    const all: Option[][] = [];
    /** Zones whose every call completes after now. */
    let late: number[] = [];
    let next = 0;
    for (const call of open) {
      const from = invoke[call]!;
      const to = complete[call]!;
      for (; next < length && invoke[next]! < to; next++) {
        const zone = zones[next]!;
        if (zone === NONE || writer[zone] !== next) continue;
        if (this.#clusters.happened(this.#calls, next)) late.push(zone);
        else if (kind[next] === CAS) this.#unheardCas.push(next);
        else this.#unheard.push(zone);
      }
      late = late.filter((zone) => zoneF[zone]! >= to);
      const options: Option[] = [];
      const expected = first[call]!;
      const consider = (zone: number): void => this.#consider(zone, expected, from, to, options);
      index.forEachBefore(from, to, consider);
      late.forEach(consider);
      this.#considerUnheard(consider, options, expected, from);
      all.push(options.sort((a, b) => a.cost - b.cost));
    }
    return all;
  }

  #considerUnheard(consider: (zone: number) => void, options: readonly Option[], expected: number, from: number): void {
    const { invoke } = this.#calls;
    const { writer } = this.#clusters;
    const before = options.length;
    for (let at = this.#unheard.length - 1; at >= 0; at--) {
      const zone = this.#unheard[at]!;
      if (this.#valueOf(zone) === expected) continue;
      if (this.#barred.has(zone)) {
        this.#exact = false;
        continue;
      }
      const count = options.length;
      if (count - before === UNHEARD_MAX) {
        this.#exact = false;
        return;
      }
      consider(zone);
      // Of those invoked before the failed cas, none fits when one does not.
      if (options.length === count && invoke[writer[zone]!]! < from) return;
    }
  }

  /** Adds the clusters of a chain that a call in `[from, to]` may have seen, if it did not expect them. */
  #consider(zone: number, expected: number, from: number, to: number, options: Option[]): void {
    const index = this.#index;
    const f = this.#clusters.zoneF[zone]!;
    const s = index.latest(zone);
    const [first, last] = index.heldIn(zone, from, to);
    if (first > last) return;
    const nextF = Math.min(f, to);
    const nextS = Math.max(s, from);
    const same = nextF === f && nextS === s;
    if (!same && index.latestOfOthers(nextS, zone) > nextF) return;
    for (let at = first; at <= last; at++) {
      const cluster = index.inChains[at]!;
      if (this.#valueOf(cluster) === expected) continue;
      const ownF = this.#clusters.f[cluster]!;
      const ownS = index.latestIn(cluster);
      if (same) {
        const earlier = to < ownF;
        const later = from > ownS;
        options.push({
          cluster,
          from: earlier ? Math.min(to, later ? ownS : to) : later ? ownS : from,
          to: earlier ? ownF : from,
          cost: earlier || later ? 1 : 0,
        });
      } else if (f === OPEN) {
        options.push({ cluster, from: Math.min(nextF, nextS), to: Math.max(nextF, nextS), cost: 4 });
      } else {
        options.push({ cluster, from: Math.min(nextF, s), to: Math.max(f, nextS), cost: nextF < nextS ? 3 : 2 });
      }
    }
  }

  #valueOf(cluster: number): number {
    const by = this.#clusters.writer[cluster]!;
    if (by === NONE) return this.#calls.initial;
    return this.#calls.kind[by] === CAS ? this.#calls.second[by]! : this.#calls.first[by]!;
  }

  /** Chooses for each, those first whose options concern times that no other's do. */
  #chooseAll(
    open: readonly number[],
    options: readonly (readonly Option[])[],
  ): { readonly conflict: ZoneConflict | undefined } | undefined {
    const { complete } = this.#calls;
    const { of, observed, writer } = this.#clusters;
    /** The earliest time that any from this one on concerns. */
    const concerns = new Float64Array(open.length + 1).fill(Number.POSITIVE_INFINITY);
    for (let at = open.length - 1; at >= 0; at--) {
      concerns[at] = options[at]!.reduce((least, one) => Math.min(least, one.from), concerns[at + 1]!);
    }
    let start = 0;
    let until = 0;
    for (let at = 0; at < open.length; at++) {
      until = options[at]!.reduce((most, one) => Math.max(most, one.to), until);
      if (until >= concerns[at + 1]!) continue;
      const some = open.slice(start, at + 1);
      const chosen = this.#choose(some, options.slice(start, at + 1));
      if (chosen === undefined) return undefined;
      if (chosen.length === 0) return this.#impossible(some);
      for (const [k, cluster] of chosen.entries()) {
        of[some[k]!] = cluster;
        const by = writer[cluster]!;
        if (by === NONE || complete[by] !== OPEN || observed[cluster] === 1) continue;
        observed[cluster] = 1;
        this.#barred.add(cluster);
      }
      start = at + 1;
    }
    return { conflict: undefined };
  }

  /** A cluster for each; none at all when it can not be; undefined when that took too long. */
  #choose(open: readonly number[], options: readonly (readonly Option[])[]): number[] | undefined {
    const { invoke, complete } = this.#calls;
    const { zoneF } = this.#clusters;
    const index = this.#index;
    const chosen: number[] = [];
    /** The zones as far as they are grown now; those that are missing are as they were. */
    const grown = new Map<number, { readonly f: number; readonly s: number }>();
    const undo: { readonly zone: number; readonly was: { readonly f: number; readonly s: number } | undefined }[] = [];
    const fits = (cluster: number, from: number, to: number): boolean => {
      const zone = this.#clusters.rootOf(cluster);
      const was = grown.get(zone);
      const f = was?.f ?? zoneF[zone]!;
      const s = was?.s ?? index.latest(zone);
      const next = { f: Math.min(f, to), s: Math.max(s, from) };
      if (this.#barred.has(zone)) {
        this.#exact = false;
        return false;
      }
      if (next.f !== f || next.s !== s) {
        if (index.latestOfOthers(next.s, zone) > next.f) return false;
        for (const [other, { f: otherF, s: otherS }] of grown) {
          this.#steps++;
          if (other !== zone && otherF < next.s && next.f < otherS) return false;
        }
      }
      // In a chain, what saw an earlier value must not begin after something that saw a later one ended.
      for (const [k, other] of chosen.entries()) {
        this.#steps++;
        if (other === cluster || this.#clusters.rootOf(other) !== zone) continue;
        const isEarlier = index.placeInChains[other]! < index.placeInChains[cluster]!;
        if (isEarlier ? to < invoke[open[k]!]! : complete[open[k]!]! < from) return false;
      }
      undo.push({ zone, was });
      grown.set(zone, next);
      return true;
    };
    const tried = new Int32Array(open.length);
    while (chosen.length < open.length) {
      if (++this.#steps > STEPS_MAX) return undefined;
      const at = chosen.length;
      const own = options[at]!;
      const from = invoke[open[at]!]!;
      const to = complete[open[at]!]!;
      let option = tried[at]!;
      while (option < own.length && !fits(own[option]!.cluster, from, to)) option++;
      tried[at] = option + 1;
      if (option < own.length) {
        chosen.push(own[option]!.cluster);
        continue;
      }
      tried[at] = 0;
      if (chosen.pop() === undefined) return [];
      const { zone, was } = undo.pop()!;
      if (was === undefined) grown.delete(zone);
      else grown.set(zone, was);
    }
    return chosen;
  }
}

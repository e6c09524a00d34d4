import { OPEN } from '../history/calls.ts';
import { type Clusters, NONE } from './clusters.ts';
import type { RegisterCalls } from './register-calls.ts';

/**
 * Which zones of a register lie where: zones by their earliest completion `f`, with the latest invocations `s` up to
 * each; and the clusters of each chain, with the times between which their values may be held.
 */
export class ZoneIndex {
  #calls!: RegisterCalls;
  #clusters!: Clusters;
  #room = 0;
  /** Zones, by their roots, in order of `f`; those that nothing completes in are left out. */
  #zones = new Int32Array(0);
  #fs = new Int32Array(0);
  #length = 0;
  // Of the zones up to each: the latest invocation, whose it is, and the latest of the others.
  #most = new Int32Array(0);
  #mostOf = new Int32Array(0);
  #second = new Int32Array(0);
  /** The clusters, chain after chain, and where each cluster and the end of each chain is. */
  inChains = new Int32Array(0);
  placeInChains = new Int32Array(0);
  #end = new Int32Array(0);
  /** By cluster: its value is held only after the one, and until before the other. */
  #after = new Int32Array(0);
  #before = new Int32Array(0);

  build(calls: RegisterCalls, clusters: Clusters): void {
    this.#calls = calls;
    this.#clusters = clusters;
    this.#reserve(clusters.count);
    this.#sort();
    this.#chain();
  }

  /** The latest invocation in a zone. */
  latest(zone: number): number {
    const last = this.#clusters.zoneLast[zone]!;
    return last === NONE ? NONE : this.#calls.invoke[last]!;
  }

  latestIn(cluster: number): number {
    const last = this.#clusters.last[cluster]!;
    return last === NONE ? NONE : this.#calls.invoke[last]!;
  }

  /** The latest invocation in all zones but one that have something completed before a time. */
  latestOfOthers(time: number, zone: number): number {
    const at = this.#rank(time) - 1;
    if (at < 0) return NONE;
    return this.#mostOf[at] === zone ? this.#second[at]! : this.#most[at]!;
  }

  /** Whether there may be a linearization in which the cluster's value is held during all of `[from, to]`. */
  mayHold(cluster: number, from: number, to: number): boolean {
    const root = this.#clusters.rootOf(cluster);
    return (
      this.#after[cluster]! <= from &&
      this.#before[cluster]! >= to &&
      this.latestOfOthers(this.latest(root), root) <= from &&
      this.latestOfOthers(to, root) <= this.#clusters.zoneF[root]!
    );
  }

  /**
   * Calls back with the zones that something completed in before `to`, and that may still be held in `[from, to]`.
   * Of those before `from` only the ones that no other surely followed.
   */
  forEachBefore(from: number, to: number, back: (zone: number) => void): void {
    const begun = this.#rank(from);
    for (let at = begun; at < this.#length && this.#fs[at]! < to; at++) back(this.#zones[at]!);
    if (begun === 0) return;
    const least = this.#second[begun - 1]!;
    for (let at = begun - 1; at >= 0 && this.#fs[at]! >= least; at--) back(this.#zones[at]!);
  }

  /** The first and the last place in `inChains` of the clusters of a chain that may be held within `[from, to]`. */
  heldIn(zone: number, from: number, to: number): readonly [number, number] {
    const start = this.placeInChains[zone]!;
    const end = this.#end[zone]!;
    let first = start;
    for (let high = end; first < high; ) {
      const middle = (first + high) >>> 1;
      if (this.#before[this.inChains[middle]!]! > from) high = middle;
      else first = middle + 1;
    }
    let last = start;
    for (let high = end; last < high; ) {
      const middle = (last + high) >>> 1;
      if (this.#after[this.inChains[middle]!]! < to) last = middle + 1;
      else high = middle;
    }
    return [first, last - 1];
  }

  /** How many zones have something completed before a time. */
  #rank(time: number): number {
    let low = 0;
    for (let high = this.#length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.#fs[middle]! < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sort(): void {
    const { length } = this.#calls;
    const { writer, zones, zoneF } = this.#clusters;
    const list = this.#zones;
    const fs = this.#fs;
    // The initial value was written before everything.
    list[0] = 0;
    fs[0] = zoneF[0]!;
    let count = 1;
    // A zone's earliest completion lies in its first write: in order of invocation, insertion is quick.
    for (let i = 0; i < length; i++) {
      const zone = zones[i]!;
      if (zone === NONE || writer[zone] !== i) continue;
      const f = zoneF[zone]!;
      if (f === OPEN) continue;
      let at = count++;
      while (at > 0 && fs[at - 1]! > f) {
        fs[at] = fs[at - 1]!;
        list[at] = list[at - 1]!;
        at--;
      }
      fs[at] = f;
      list[at] = zone;
    }
    this.#length = count;
    let most = NONE;
    let mostOf = NONE;
    let second = NONE;
    for (let at = 0; at < count; at++) {
      const s = this.latest(list[at]!);
      if (s > most) {
        second = most;
        most = s;
        mostOf = list[at]!;
      } else if (s > second) second = s;
      this.#most[at] = most;
      this.#mostOf[at] = mostOf;
      this.#second[at] = second;
    }
  }

  #chain(): void {
    const { count, swaps, after, writer, f } = this.#clusters;
    const { invoke } = this.#calls;
    let place = 0;
    for (let root = 0; root < count; root++) {
      if (swaps && this.#clusters.rootOf(root) !== root) continue;
      const start = place;
      let latest = NONE;
      for (let id = root; id !== NONE; id = swaps ? after[id]! : NONE) {
        this.inChains[place] = id;
        this.placeInChains[id] = place++;
        const by = writer[id]!;
        this.#after[id] = by === NONE ? latest : Math.max(latest, invoke[by]!);
        latest = Math.max(latest, this.latestIn(id));
      }
      this.#end[root] = place;
      let earliest = OPEN;
      for (let at = place - 1; at >= start; at--) {
        const id = this.inChains[at]!;
        this.#before[id] = earliest;
        earliest = Math.min(earliest, f[id]!);
      }
    }
  }

  #reserve(clusters: number): void {
    if (clusters <= this.#room) return;
    this.#room = 2 ** Math.ceil(Math.log2(clusters));
    this.#zones = new Int32Array(this.#room);
    this.#fs = new Int32Array(this.#room);
    this.#most = new Int32Array(this.#room);
    this.#mostOf = new Int32Array(this.#room);
    this.#second = new Int32Array(this.#room);
    this.inChains = new Int32Array(this.#room);
    this.placeInChains = new Int32Array(this.#room);
    this.#end = new Int32Array(this.#room);
    this.#after = new Int32Array(this.#room);
    this.#before = new Int32Array(this.#room);
  }
}

import { OPEN } from '../history/calls.ts';
import { Clusters, NONE, type ZoneConflict } from './clusters.ts';
import { MismatchPlaces } from './mismatches.ts';
import type { RegisterCalls } from './register-calls.ts';
import { zoneOrder } from './zone-order.ts';

/**
 * The near-linear path for a register whose observed values were each written once (Gibbons & Korach, "Testing
 * shared memories", 1997, section 4), with compare-and-set and with calls of unknown outcome.
 *
 * A write, and what reads its value, is a cluster; `f` is its earliest completion, `s` its latest invocation.
 * Successful cas join clusters into chains, which a linearization can not interleave. Two chains X and Y conflict
 * when f_X < s_Y and f_Y < s_X: each has something that must come before something of the other. There is a
 * linearization exactly when no two conflict and each chain is in order by itself; it takes the chains by the
 * starts of their zones, min(f, s).
 *
 * The test needs no sorting: calls come in order of invocation, so scanning them backwards meets the zones in
 * order of `s`, and the forward zone (f < s) met last is the only one that can contain the place.
 *
 * A cas that was answered "different" is no part of that; `MismatchPlaces` finds what it saw.
 *
 * One instance is used for many keys, to reuse its tables.
 */
export class Zones {
  readonly #clusters = new Clusters();
  readonly #places = new MismatchPlaces();

  /** `undefined` when this path does not decide; else whether there is a conflict. */
  check(calls: RegisterCalls): { readonly conflict: ZoneConflict | undefined } | undefined {
    const grouped = this.#clusters.group(calls);
    if (grouped === undefined || grouped.conflict !== undefined) return grouped;
    const conflict = this.#scan(calls);
    if (conflict !== undefined || !this.#clusters.mismatches) return { conflict };
    return this.#places.find(calls, this.#clusters);
  }

  /**
   * A linearization of the calls that `check` was given last, and found no conflict in: all that completed, and
   * those of unknown outcome that something observed.
   */
  order(calls: RegisterCalls): number[] {
    return zoneOrder(calls, this.#clusters);
  }

  /** Whether a call of the key that was checked last surely happened: it completed, or its value was observed. */
  happened(calls: RegisterCalls, i: number): boolean {
    return this.#clusters.happened(calls, i);
  }

  #scan(calls: RegisterCalls): ZoneConflict | undefined {
    const { length, invoke } = calls;
    const { zones, zoneF, zoneLast } = this.#clusters;
    let forward = NONE;
    let forwardFrom = OPEN;
    let forwardTo = OPEN;
    for (let i = length - 1; i >= 0; i--) {
      const zone = zones[i]!;
      if (zone === NONE || zoneLast[zone] !== i) continue;
      const f = zoneF[zone]!;
      const s = invoke[i]!;
      if (f < s) {
        if (forwardFrom < s) return this.#conflict(calls, zone, forward);
        forward = zone;
        forwardFrom = f;
        forwardTo = s;
      } else if (forwardFrom < s && f < forwardTo) {
        return this.#conflict(calls, zone, forward);
      }
    }
    return undefined;
  }

  /** Two chains, by their roots, that can not both be in one piece. */
  #conflict(calls: RegisterCalls, one: number, other: number): ZoneConflict {
    const { swaps, after, writer, last } = this.#clusters;
    const found = new Set<number>();
    for (const root of [one, other]) {
      for (let at = root; at !== NONE; at = swaps ? after[at]! : NONE) {
        for (const call of [writer[at]!, last[at]!, this.#clusters.earliest(calls, at)]) {
          if (call !== NONE) found.add(call);
        }
      }
    }
    return { reason: 'zones', calls: [...found].sort((a, b) => a - b) };
  }
}

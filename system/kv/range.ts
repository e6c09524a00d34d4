import type { ByteString } from './byte-string.ts';
import type { Item } from './result.ts';
import type { State } from './state.ts';
import { itemOf, type Version } from './version.ts';

/** Keys of [from, to) in byte order; without `to`, to the last key. */
export interface Bounds {
  readonly from: ByteString;
  readonly to?: ByteString;
}

/** What differs from the present state: what a key held at another time, undefined when it did not exist. */
export type Differences = ReadonlyMap<ByteString, Version | undefined>;

const NONE: Differences = new Map();

/** The first `limit` items of a range of the present state, with the differences put over it. */
export function readRange(
  state: State,
  { from, to }: Bounds,
  limit: number,
  differences: Differences = NONE,
): { readonly items: Item[]; readonly more: boolean } {
  const items: Item[] = [];
  const changed = [...differences.keys()].filter((key) => key >= from && (to === undefined || key < to)).sort(byBytes);
  let next = 0;
  const cursor = state.keys.cursor(from);
  let present = cursor.next();
  for (;;) {
    if (present && to !== undefined && cursor.key >= to) present = false;
    const difference = changed[next];
    let version: Version | undefined;
    if (difference !== undefined && (!present || difference <= cursor.key)) {
      if (present && difference === cursor.key) present = cursor.next();
      version = differences.get(difference);
      next++;
      if (version === undefined) continue;
    } else if (present) {
      version = cursor.value!;
      if (items.length < limit) present = cursor.next();
    } else return { items, more: false };
    if (items.length >= limit) return { items, more: true };
    items.push(itemOf(version));
  }
}

function byBytes(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What was different at an older revision, by undoing the changes since; `wanted` narrows it to some keys. */
export function differencesAt(state: State, revision: number, wanted: (key: ByteString) => boolean): Differences {
  const differences = new Map<ByteString, Version | undefined>();
  const { history } = state;
  let place = history.placeOf(revision + 1);
  for (let change = history.at(place); change !== undefined; change = history.at(++place)) {
    // The first change after the revision knows what the key held at it.
    if (wanted(change.key) && !differences.has(change.key)) differences.set(change.key, change.previous);
  }
  return differences;
}

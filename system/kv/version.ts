import type { ByteString } from './byte-string.ts';
import type { Value } from './command.ts';
import type { Item } from './result.ts';
import type { Hasher } from './state-hash.ts';
import type { Slab } from './value-slabs.ts';

/**
 * A list as the chain of its appends, newest first: an append takes constant time and memory, and every older
 * version of the list is a part of the newer one.
 */
export class List {
  readonly element: Uint8Array;
  readonly before: List | undefined;
  readonly length: number;
  /** Of all elements. */
  readonly bytes: number;
  /** Hash of the whole list. */
  readonly low: number;
  readonly high: number;

  constructor(element: Uint8Array, before: List | undefined, hasher: Hasher) {
    this.element = element;
    this.before = before;
    this.length = (before?.length ?? 0) + 1;
    this.bytes = (before?.bytes ?? 0) + element.length;
    hasher.start(LIST_DOMAIN);
    if (before !== undefined) hasher.words(before.low, before.high);
    hasher.bytes(element);
    hasher.finish();
    this.low = hasher.low;
    this.high = hasher.high;
  }

  /** Oldest first. */
  elements(): Uint8Array[] {
    const elements = new Array<Uint8Array>(this.length);
    let at = this.length;
    for (let part: List | undefined = this; part !== undefined; part = part.before) elements[--at] = part.element;
    return elements;
  }
}

const LIST_DOMAIN = 0x4c;
const VERSION_DOMAIN = 0x56;
const NO_BYTES = new Uint8Array(0);

/**
 * What a key holds between two changes of it. Only where its bytes lie in memory may change. They lie in an array that
 * others share, with no view of them in between: there are as many versions as keys, and each object of one is an object
 * more for the garbage collector to move.
 */
export class Version {
  readonly key: ByteString;
  /** Undefined: it holds bytes. */
  readonly list: List | undefined;
  readonly createRevision: number;
  readonly revision: number;
  readonly version: number;
  /** Hash of all of these. */
  readonly low: number;
  readonly high: number;
  /** Where the bytes lie: for `ValueSlabs` to move. */
  array: Uint8Array = NO_BYTES;
  start = 0;
  readonly length: number;
  /** What `array` is of, as long as the store refers to this version and the array is shared. */
  slab: Slab | undefined = undefined;

  constructor(
    key: ByteString,
    value: Uint8Array | List,
    createRevision: number,
    revision: number,
    version: number,
    hasher: Hasher,
  ) {
    const list = value instanceof List ? value : undefined;
    this.key = key;
    this.list = list;
    this.createRevision = createRevision;
    this.revision = revision;
    this.version = version;
    hasher.start(VERSION_DOMAIN);
    hasher.text(key);
    hasher.number(createRevision);
    hasher.number(revision);
    hasher.number(version);
    if (list !== undefined) hasher.words(list.low, list.high);
    else hasher.bytes(value as Uint8Array);
    hasher.finish();
    this.low = hasher.low;
    this.high = hasher.high;
    this.length = list === undefined ? value.length : 0;
  }

  /** A view of the bytes that it holds; of a list, none. */
  bytes(): Uint8Array {
    return this.array.subarray(this.start, this.start + this.length);
  }

  /** What it holds, as it is read. */
  read(): Value {
    return this.list === undefined ? this.bytes() : this.list.elements();
  }
}

export function itemOf(version: Version): Item {
  return {
    key: version.key,
    value: version.read(),
    createRevision: version.createRevision,
    revision: version.revision,
    version: version.version,
  };
}

/** How many elements `version` has more than `previous` when it is that list and what was appended to it; else undefined. */
export function appendedSince(version: Version | undefined, previous: Version): number | undefined {
  if (version?.list === undefined || previous.list === undefined) return undefined;
  const more = version.list.length - previous.list.length;
  if (more < 0) return undefined;
  return listWithout(version.list, more) === previous.list ? more : undefined;
}

/** The list without its newest `count` elements. */
export function listWithout(list: List, count: number): List | undefined {
  let part: List | undefined = list;
  for (let left = count; left > 0; left--) part = part?.before;
  return part;
}

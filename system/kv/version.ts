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

/** What a key holds between two changes of it. Only where its value lies in memory may change. */
export class Version {
  readonly key: ByteString;
  value: Uint8Array | List;
  readonly createRevision: number;
  readonly revision: number;
  readonly version: number;
  /** Hash of all of the above; set once the value is known. */
  low = 0;
  high = 0;
  /** Where the value lies, as long as the store refers to this version and the value shares an array. */
  slab: Slab | undefined = undefined;

  constructor(
    key: ByteString,
    value: Uint8Array | List,
    createRevision: number,
    revision: number,
    version: number,
    hasher: Hasher,
  ) {
    this.key = key;
    this.value = value;
    this.createRevision = createRevision;
    this.revision = revision;
    this.version = version;
    hasher.start(VERSION_DOMAIN);
    hasher.text(key);
    hasher.number(createRevision);
    hasher.number(revision);
    hasher.number(version);
    if (value instanceof List) hasher.words(value.low, value.high);
    else hasher.bytes(value);
    hasher.finish();
    this.low = hasher.low;
    this.high = hasher.high;
  }
}

export function readValue(value: Uint8Array | List): Value {
  return value instanceof List ? value.elements() : value;
}

export function itemOf(version: Version): Item {
  return {
    key: version.key,
    value: readValue(version.value),
    createRevision: version.createRevision,
    revision: version.revision,
    version: version.version,
  };
}

/** How many elements `version` has more than `previous` when it is that list and what was appended to it; else undefined. */
export function appendedSince(version: Version | undefined, previous: Version): number | undefined {
  if (version === undefined || !(version.value instanceof List) || !(previous.value instanceof List)) return undefined;
  const more = version.value.length - previous.value.length;
  if (more < 0) return undefined;
  return listWithout(version.value, more) === previous.value ? more : undefined;
}

/** The list without its newest `count` elements. */
export function listWithout(list: List, count: number): List | undefined {
  let part: List | undefined = list;
  for (let left = count; left > 0; left--) part = part?.before;
  return part;
}

import { DEPTH_MAX } from './edn.ts';
import { Events, FAIL, INFO, INVOKE, NONE, NULL, OK, UNREAD } from './events.ts';
import { HistoryError } from './history-error.ts';
import { checkDepth } from './jepsen.ts';
import { parseJson } from './json.ts';
import type { Op } from './op.ts';
import { opOf } from './record.ts';

/** One line of `history.ndjson`, with its newline. */
export function encodeOp(op: Op): string {
  return `${JSON.stringify(op)}\n`;
}

const SLOW = -1;
/** A line this near to the end of the bytes takes the slow way, so that the fast one need not look where they end. */
const TAIL_BYTES = 64;
const SAMPLE_BYTES = 1 << 16;
const BYTES_MAX = 0xffffffff;
/** Of so many lines the place of one is kept, as a power of two. */
const STARTS_SHIFT = 5;
const LINE_BYTES_MAX = 1 << 28;
/** A value that begins later than this cannot be left unread: no column holds the place. */
const UNREAD_AT_MAX = 0x7fffffff;

/**
 * Reads our NDJSON from bytes straight into columns.
 *
 * The fast way takes lines as `encodeOp` writes them, in any order of members, and checks every byte; whatever is
 * unusual in a line (spaces, escapes, nesting, numbers that are no small integers) sends the whole line to
 * `JSON.parse`, which also finds what is wrong with a broken one.
 *
 * @throws HistoryError naming the line, unless only the last one, which has no newline, is broken.
 */
export function parseNdjson(bytes: Uint8Array): { readonly events: Events; readonly warnings: readonly string[] } {
  if (bytes.length > BYTES_MAX) throw new HistoryError('the history is larger than 4 GiB');
  const warnings: string[] = [];
  const lines = new Lines(bytes);
  const total = bytes.length;
  let from = 0;
  let line = 0;
  while (from < total) {
    line++;
    let next = from + TAIL_BYTES < total ? lines.fast(from) : SLOW;
    if (next === SLOW) {
      next = bytes.indexOf(0x0a, from);
      if (next === -1) {
        const warning = lines.last(from);
        if (warning !== undefined) warnings.push(warning);
        break;
      }
      lines.slow(from, next, line);
      next++;
    }
    from = next;
  }
  return { events: lines.events, warnings };
}

class Lines {
  readonly events: Events;
  readonly #bytes: Uint8Array;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  /** Where the line of every 32nd event starts. */
  readonly #starts: number[] = [];
  // Strings that were seen, found by their bytes: an open-addressing table over where each was first seen.
  #texts = 0;
  #textHash = new Int32Array(256);
  #textStart = new Uint32Array(256);
  #textLength = new Int32Array(256).fill(-1);
  #textRef = new Int32Array(256);
  /** The number of a function by the reference to its name, negated. */
  readonly #nameOfRef: (number | undefined)[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const sample = bytes.subarray(0, SAMPLE_BYTES);
    let newlines = 1;
    for (const byte of sample) if (byte === 0x0a) newlines++;
    const capacity = Math.ceil((bytes.length / Math.max(1, sample.length)) * newlines * 1.02) + 16;
    this.events = new Events(capacity, (index) => this.#whole(index), bytes);
  }

  /** Reads the line at `from` into the columns; gives the start of the next, or `SLOW` and nothing has happened. */
  fast(from: number): number {
    const b = this.#bytes;
    if (b[from] !== 0x7b) return SLOW;
    const limit = b.length - TAIL_BYTES;
    let at = from;
    let type = -1;
    let process = -2;
    let f = -1;
    let key = NONE;
    let first = NULL;
    let second = NONE;
    let error = NONE;
    // Each turn reads one member and stands after it; `at` is on the `{` or `,` before it.
    for (;;) {
      if (at >= limit || b[at + 1] !== 0x22) return SLOW;
      let c = b[at + 2]!;
      if (c === 0x74 && b[at + 3] === 0x69) {
        // "time":
        if (b[at + 4] !== 0x6d || b[at + 5] !== 0x65 || b[at + 6] !== 0x22 || b[at + 7] !== 0x3a) return SLOW;
        at += 8;
        c = b[at]!;
        if (c === 0x30) at++;
        else {
          if (c < 0x31 || c > 0x39) return SLOW;
          do c = b[++at]!;
          while (c >= 0x30 && c <= 0x39);
        }
      } else if (c === 0x69) {
        // "index":
        if (b[at + 3] !== 0x6e || b[at + 4] !== 0x64 || b[at + 5] !== 0x65 || b[at + 6] !== 0x78) return SLOW;
        if (b[at + 7] !== 0x22 || b[at + 8] !== 0x3a) return SLOW;
        at += 9;
        c = b[at]!;
        if (c === 0x30) at++;
        else {
          if (c < 0x31 || c > 0x39) return SLOW;
          do c = b[++at]!;
          while (c >= 0x30 && c <= 0x39);
        }
      } else if (c === 0x70) {
        // "process":
        if (b[at + 3] !== 0x72 || b[at + 4] !== 0x6f || b[at + 5] !== 0x63 || b[at + 6] !== 0x65) return SLOW;
        if (b[at + 7] !== 0x73 || b[at + 8] !== 0x73 || b[at + 9] !== 0x22 || b[at + 10] !== 0x3a) return SLOW;
        at += 11;
        c = b[at]!;
        if (c === 0x30) {
          process = 0;
          at++;
        } else {
          if (c < 0x31 || c > 0x39) return SLOW;
          process = 0;
          const digits = at + 9;
          do {
            process = process * 10 + c - 0x30;
            c = b[++at]!;
          } while (c >= 0x30 && c <= 0x39 && at < digits);
        }
      } else if (c === 0x74) {
        // "type":"
        if (b[at + 3] !== 0x79 || b[at + 4] !== 0x70 || b[at + 5] !== 0x65 || b[at + 6] !== 0x22) return SLOW;
        if (b[at + 7] !== 0x3a || b[at + 8] !== 0x22) return SLOW;
        at += 9;
        c = b[at]!;
        if (c === 0x6f) {
          if (b[at + 1] !== 0x6b || b[at + 2] !== 0x22) return SLOW;
          type = OK;
          at += 3;
        } else if (c === 0x69 && b[at + 2] === 0x76) {
          if (b[at + 1] !== 0x6e || b[at + 3] !== 0x6f || b[at + 4] !== 0x6b || b[at + 5] !== 0x65) return SLOW;
          if (b[at + 6] !== 0x22) return SLOW;
          type = INVOKE;
          at += 7;
        } else if (c === 0x69) {
          if (b[at + 1] !== 0x6e || b[at + 2] !== 0x66 || b[at + 3] !== 0x6f || b[at + 4] !== 0x22) return SLOW;
          type = INFO;
          at += 5;
        } else {
          if (c !== 0x66 || b[at + 1] !== 0x61 || b[at + 2] !== 0x69 || b[at + 3] !== 0x6c || b[at + 4] !== 0x22)
            return SLOW;
          type = FAIL;
          at += 5;
        }
      } else if (c === 0x66) {
        // "f":"
        if (b[at + 3] !== 0x22 || b[at + 4] !== 0x3a || b[at + 5] !== 0x22) return SLOW;
        const end = this.#endOfText(at + 6);
        if (end === SLOW) return SLOW;
        f = this.#name(this.#text(at + 6, end));
        at = end + 1;
      } else if (c === 0x76) {
        // "value":
        if (b[at + 3] !== 0x61 || b[at + 4] !== 0x6c || b[at + 5] !== 0x75 || b[at + 6] !== 0x65) return SLOW;
        if (b[at + 7] !== 0x22 || b[at + 8] !== 0x3a) return SLOW;
        at += 9;
        c = b[at]!;
        second = NONE;
        if (c === 0x5b && b[at + 1] === 0x5b && this.events.names[f] === 'txn' && at <= UNREAD_AT_MAX) {
          // The micro-operations of a transaction.
          first = at;
          second = UNREAD;
          at = this.#endOfList(at);
          if (at === SLOW) return SLOW;
        } else if (c === 0x5b) {
          at = this.#scalar(at + 1);
          if (at === SLOW || b[at] !== 0x2c) return SLOW;
          first = this.#found;
          at = this.#scalar(at + 1);
          if (at === SLOW || b[at] !== 0x5d) return SLOW;
          second = this.#found;
          at++;
        } else if (c >= 0x31 && c <= 0x39) {
          let value = 0;
          const digits = at + 9;
          do {
            value = value * 10 + c - 0x30;
            c = b[++at]!;
          } while (c >= 0x30 && c <= 0x39 && at < digits);
          first = value + 1;
        } else {
          at = this.#scalar(at);
          if (at === SLOW) return SLOW;
          first = this.#found;
        }
      } else if (c === 0x6b) {
        // "key":
        if (b[at + 3] !== 0x65 || b[at + 4] !== 0x79 || b[at + 5] !== 0x22 || b[at + 6] !== 0x3a) return SLOW;
        at = this.#scalar(at + 7);
        if (at === SLOW) return SLOW;
        key = this.#found;
      } else if (c === 0x65) {
        // "error":
        if (b[at + 3] !== 0x72 || b[at + 4] !== 0x72 || b[at + 5] !== 0x6f || b[at + 6] !== 0x72) return SLOW;
        if (b[at + 7] !== 0x22 || b[at + 8] !== 0x3a || b[at + 9] !== 0x22) return SLOW;
        at = this.#scalar(at + 9);
        if (at === SLOW) return SLOW;
        error = this.#found;
      } else {
        // "op":" and "node":", which no column holds.
        if (c === 0x6f && b[at + 3] === 0x70 && b[at + 4] === 0x22 && b[at + 5] === 0x3a && b[at + 6] === 0x22) at += 7;
        else if (c === 0x6e && b[at + 3] === 0x6f && b[at + 4] === 0x64 && b[at + 5] === 0x65 && b[at + 6] === 0x22) {
          if (b[at + 7] !== 0x3a || b[at + 8] !== 0x22) return SLOW;
          at += 9;
        } else return SLOW;
        const end = this.#endOfText(at);
        if (end === SLOW) return SLOW;
        at = end + 1;
      }
      c = b[at]!;
      if (c === 0x2c) continue;
      if (c !== 0x7d || b[at + 1] !== 0x0a) return SLOW;
      break;
    }
    if (type === -1 || process === -2 || f === -1) return SLOW;
    // A second "f" after the value may have changed what it is.
    if (second === UNREAD && this.events.names[f] !== 'txn') return SLOW;
    const events = this.events;
    const index = events.add();
    events.type[index] = type;
    events.process[index] = process;
    events.f[index] = f;
    events.key[index] = key;
    events.a[index] = first;
    if (second !== NONE) {
      events.b[index] = second;
      events.paired = true;
    }
    if (error !== NONE) events.error[index] = error;
    this.#startsAt(index, from);
    return at + 2;
  }

  /** Reads the line in `[from, to)`, whatever JSON it holds. */
  slow(from: number, to: number, line: number): void {
    if (this.#isBlank(from, to)) return;
    if (to - from > LINE_BYTES_MAX) throw new HistoryError(`the line is longer than ${LINE_BYTES_MAX} bytes`, line);
    const op = this.#read(from, to, line);
    this.events.push(op);
    this.#startsAt(this.events.length - 1, from);
  }

  /** Reads what follows the last newline: whole, or cut, which is a warning. */
  last(from: number): string | undefined {
    const to = this.#bytes.length;
    if (this.#isBlank(from, to)) return undefined;
    try {
      this.slow(from, to, 0);
      return undefined;
    } catch (error) {
      // A cut object does not end with its brace; one that does is whole, and broken.
      if (!(error instanceof HistoryError) || this.#bytes[to - 1] === 0x7d || this.#bytes[from] !== 0x7b) throw error;
      return 'the last line is cut: it was dropped';
    }
  }

  #read(from: number, to: number, line: number | undefined): Op {
    if (to - from > DEPTH_MAX) checkDepth(this.#bytes.subarray(from, to), line);
    let text: string;
    try {
      text = this.#decoder.decode(this.#bytes.subarray(from, to));
    } catch {
      throw new HistoryError('not UTF-8 text', line);
    }
    let value: unknown;
    try {
      value = parseJson(text);
    } catch {
      throw new HistoryError('not a JSON object with an operation', line);
    }
    return opOf(value, this.events.length, line);
  }

  #whole(index: number): Op {
    let from = this.#starts[index >> STARTS_SHIFT]!;
    for (let before = index & ((1 << STARTS_SHIFT) - 1); ; before--) {
      let end = this.#endOfLine(from);
      while (this.#isBlank(from, end)) {
        from = end + 1;
        end = this.#endOfLine(from);
      }
      if (before === 0) return { ...this.#read(from, end, undefined), index };
      from = end + 1;
    }
  }

  #endOfLine(from: number): number {
    const end = this.#bytes.indexOf(0x0a, from);
    return end === -1 ? this.#bytes.length : end;
  }

  #isBlank(from: number, to: number): boolean {
    for (let at = from; at < to; at++) {
      const c = this.#bytes[at]!;
      if (c !== 0x20 && c !== 0x09 && c !== 0x0d && c !== 0x0a) return false;
    }
    return true;
  }

  #startsAt(index: number, from: number): void {
    if ((index & ((1 << STARTS_SHIFT) - 1)) === 0) this.#starts.push(from);
  }

  /** The reference that `#scalar` found. */
  #found = NULL;

  /** Reads a small integer, null or a plain string; gives the place after it. */
  #scalar(from: number): number {
    const b = this.#bytes;
    let at = from;
    let c = b[at]!;
    if (c >= 0x30 && c <= 0x39) {
      if (c === 0x30) {
        this.#found = 1;
        return at + 1;
      }
      let value = 0;
      const digits = at + 9;
      do {
        value = value * 10 + c - 0x30;
        c = b[++at]!;
      } while (c >= 0x30 && c <= 0x39 && at < digits);
      this.#found = value + 1;
      return at;
    }
    if (c === 0x22) {
      const end = this.#endOfText(at + 1);
      if (end === SLOW) return SLOW;
      this.#found = this.#text(at + 1, end);
      return end + 1;
    }
    if (c === 0x6e && b[at + 1] === 0x75 && b[at + 2] === 0x6c && b[at + 3] === 0x6c) {
      this.#found = NULL;
      return at + 4;
    }
    return SLOW;
  }

  /** The place after a list, nested or not, of integers, nulls and plain strings. */
  #endOfList(from: number): number {
    const b = this.#bytes;
    let at = from;
    let depth = 0;
    for (;;) {
      // Before a value.
      let c = b[at]!;
      if (c === 0x5b) {
        depth++;
        if (b[++at] !== 0x5d) continue;
        at++;
        depth--;
      } else if (c >= 0x31 && c <= 0x39) {
        do c = b[++at]!;
        while (c >= 0x30 && c <= 0x39);
      } else if (c === 0x30) at++;
      else if (c === 0x22) {
        at = this.#endOfText(at + 1) + 1;
        if (at === SLOW + 1) return SLOW;
      } else if (c === 0x6e && b[at + 1] === 0x75 && b[at + 2] === 0x6c && b[at + 3] === 0x6c) at += 4;
      else return SLOW;
      // After a value.
      for (; b[at] === 0x5d && depth > 0; at++) depth--;
      if (depth === 0) return at;
      if (b[at] !== 0x2c) return SLOW;
      at++;
    }
  }

  /** The place of the quote that ends a string without escapes, of printable ASCII. */
  #endOfText(from: number): number {
    const b = this.#bytes;
    const limit = b.length - TAIL_BYTES;
    let at = from;
    for (; at < limit; at++) {
      const c = b[at]!;
      if (c === 0x22) return at;
      if (c < 0x20 || c === 0x5c || c >= 0x7f) return SLOW;
    }
    return SLOW;
  }

  #text(from: number, to: number): number {
    const b = this.#bytes;
    let hash = 0x811c9dc5;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ b[at]!, 0x01000193);
    const length = to - from;
    const mask = this.#textLength.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const held = this.#textLength[slot]!;
      if (held === -1) break;
      if (held === length && this.#textHash[slot] === hash) {
        const start = this.#textStart[slot]!;
        let i = 0;
        while (i < length && b[start + i] === b[from + i]) i++;
        if (i === length) return this.#textRef[slot]!;
      }
      slot = (slot + 1) & mask;
    }
    let text = '';
    for (let at = from; at < to; at++) text += String.fromCharCode(b[at]!);
    const ref = this.events.ref(text);
    this.#textHash[slot] = hash;
    this.#textStart[slot] = from;
    this.#textLength[slot] = length;
    this.#textRef[slot] = ref;
    if (++this.#texts * 2 > this.#textLength.length) this.#rehash();
    return ref;
  }

  #rehash(): void {
    const [hashes, starts, lengths, refs] = [this.#textHash, this.#textStart, this.#textLength, this.#textRef];
    const room = lengths.length * 4;
    this.#textHash = new Int32Array(room);
    this.#textStart = new Uint32Array(room);
    this.#textLength = new Int32Array(room).fill(-1);
    this.#textRef = new Int32Array(room);
    for (let old = 0; old < lengths.length; old++) {
      if (lengths[old] === -1) continue;
      const hash = hashes[old]!;
      let slot = (hash ^ (hash >>> 15)) & (room - 1);
      while (this.#textLength[slot] !== -1) slot = (slot + 1) & (room - 1);
      this.#textHash[slot] = hash;
      this.#textStart[slot] = starts[old]!;
      this.#textLength[slot] = lengths[old]!;
      this.#textRef[slot] = refs[old]!;
    }
  }

  #name(ref: number): number {
    let name = this.#nameOfRef[-ref];
    if (name === undefined) {
      name = this.events.name(String(this.events.value(ref)));
      this.#nameOfRef[-ref] = name;
    }
    return name;
  }
}

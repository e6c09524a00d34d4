import { type Events, FAIL, INFO, INVOKE, NONE, NULL, OK, UNREAD } from './events.ts';
import { SLOW, TextTable } from './text-table.ts';

/** How much must follow the start of a line, so that where the bytes end need not be looked at. */
export const TAIL_BYTES = 64;
/** A value that begins later than this cannot be left unread: no column holds the place. */
const UNREAD_AT_MAX = 0x7fffffff;

const ZERO = 0x30;
const QUOTE = 0x22;
// What is compared four bytes at once: the beginnings of members, and what must follow.
const TIME = word('"tim');
const TIME_END = word('e":');
const INDEX = word('"ind');
const INDEX_END = word('ex":');
const PROCESS = word('"pro');
const PROCESS_MORE = word('cess');
const TYPE = word('"typ');
const TYPE_END = word('e":"');
const TYPE_OK = word('ok"');
const TYPE_INVOKE = word('invo');
const TYPE_INVOKE_END = word('ke"');
const TYPE_INFO = word('info');
const TYPE_FAIL = word('fail');
const F = word('"f":');
const KEY = word('"key');
const VALUE = word('"val');
const VALUE_END = word('ue":');
const ERROR = word('"err');
const ERROR_END = word('or":');
const OP = word('"op"');
const NODE = word('"nod');
const QUOTE_COLON = word('":');
const COLON_QUOTE = word(':"');
const NULL_WORD = word('null');
/** Masks of the first bytes of a word. */
const TWO = 0xffff;
const THREE = 0xffffff;

/** Up to four characters as the number that their bytes are. */
function word(text: string): number {
  let number = 0;
  for (let i = 0; i < text.length; i++) number |= text.charCodeAt(i) << (8 * i);
  return number;
}

/**
 * The fast way from a line's bytes to columns. It takes lines as `encodeOp` writes them, in any order of members, and
 * checks every byte; whatever is unusual (spaces, escapes, nesting, numbers that are no small integers) it leaves.
 */
export class LineReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #events: Events;
  readonly #texts: TextTable;
  /** The number of a function by the reference to its name, negated. */
  readonly #nameOfRef: (number | undefined)[] = [];

  constructor(bytes: Uint8Array, events: Events) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#events = events;
    this.#texts = new TextTable(bytes, events);
  }

  /** Reads the line at `from` into the columns; gives the start of the next, or `SLOW` and nothing has happened. */
  read(from: number): number {
    const b = this.#bytes;
    const view = this.#view;
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
      if (at >= limit) return SLOW;
      const name = view.getInt32(at + 1, true);
      const more = view.getInt32(at + 5, true);
      if (name === TIME && (more & THREE) === TIME_END) {
        at = this.#endOfDigits(at + 8);
        if (at === SLOW) return SLOW;
      } else if (name === INDEX && more === INDEX_END) {
        at = this.#endOfDigits(at + 9);
        if (at === SLOW) return SLOW;
      } else if (name === PROCESS && more === PROCESS_MORE && (view.getInt32(at + 9, true) & TWO) === QUOTE_COLON) {
        at += 11;
        let digit = b[at]! ^ ZERO;
        if (digit > 9) return SLOW;
        process = digit;
        digit = b[++at]! ^ ZERO;
        if (digit <= 9) {
          if (process === 0) return SLOW;
          const digits = at + 8;
          do {
            process = process * 10 + digit;
            digit = b[++at]! ^ ZERO;
          } while (digit <= 9 && at < digits);
        }
      } else if (name === TYPE && more === TYPE_END) {
        const word = view.getInt32(at + 9, true);
        if ((word & THREE) === TYPE_OK) {
          type = OK;
          at += 12;
        } else if (word === TYPE_INVOKE && (view.getInt32(at + 13, true) & THREE) === TYPE_INVOKE_END) {
          type = INVOKE;
          at += 16;
        } else {
          if (b[at + 13] !== QUOTE) return SLOW;
          if (word === TYPE_INFO) type = INFO;
          else if (word === TYPE_FAIL) type = FAIL;
          else return SLOW;
          at += 14;
        }
      } else if (name === F && b[at + 5] === QUOTE) {
        at = this.#texts.find(at + 6, limit);
        if (at === SLOW) return SLOW;
        f = this.#name(this.#texts.found);
      } else if (name === VALUE && more === VALUE_END) {
        at += 9;
        const c = b[at]!;
        second = NONE;
        if (c !== 0x5b) {
          at = this.#scalar(at);
          if (at === SLOW) return SLOW;
          first = this.#found;
        } else if (b[at + 1] === 0x5b && this.#events.names[f] === 'txn' && at <= UNREAD_AT_MAX) {
          // The micro-operations of a transaction.
          first = at;
          second = UNREAD;
          at = this.#endOfList(at);
          if (at === SLOW) return SLOW;
        } else {
          at = this.#scalar(at + 1);
          if (at === SLOW || b[at] !== 0x2c) return SLOW;
          first = this.#found;
          at = this.#scalar(at + 1);
          if (at === SLOW || b[at] !== 0x5d) return SLOW;
          second = this.#found;
          at++;
        }
      } else if (name === KEY && (more & TWO) === QUOTE_COLON) {
        at = this.#scalar(at + 7);
        if (at === SLOW) return SLOW;
        key = this.#found;
      } else if (name === ERROR && more === ERROR_END && b[at + 9] === QUOTE) {
        at = this.#scalar(at + 9);
        if (at === SLOW) return SLOW;
        error = this.#found;
      } else {
        // No column holds these.
        if (name === OP && (more & TWO) === COLON_QUOTE) at += 7;
        else if (name === NODE && more === TYPE_END) at += 9;
        else return SLOW;
        at = this.#endOfText(at);
        if (at === SLOW) return SLOW;
        at++;
      }
      const c = b[at]!;
      if (c === 0x2c) continue;
      if (c !== 0x7d || b[at + 1] !== 0x0a) return SLOW;
      break;
    }
    if (type === -1 || process === -2 || f === -1) return SLOW;
    // A second "f" after the value may have changed what it is.
    if (second === UNREAD && this.#events.names[f] !== 'txn') return SLOW;
    const events = this.#events;
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
    return at + 2;
  }

  /** The reference that `#scalar` found. */
  #found = NULL;

  /** Reads a small integer, null or a plain string; gives the place after it. */
  #scalar(from: number): number {
    const b = this.#bytes;
    let at = from;
    let digit = b[at]! ^ ZERO;
    if (digit <= 9) {
      let value = digit;
      digit = b[++at]! ^ ZERO;
      if (digit <= 9) {
        if (value === 0) return SLOW;
        const digits = at + 8;
        do {
          value = value * 10 + digit;
          digit = b[++at]! ^ ZERO;
        } while (digit <= 9 && at < digits);
      }
      this.#found = value + 1;
      return at;
    }
    if (b[at] === QUOTE) {
      at = this.#texts.find(at + 1, b.length - TAIL_BYTES);
      this.#found = this.#texts.found;
      return at;
    }
    if (this.#view.getInt32(at, true) === NULL_WORD) {
      this.#found = NULL;
      return at + 4;
    }
    return SLOW;
  }

  /** The place after an integer of any length. */
  #endOfDigits(from: number): number {
    const b = this.#bytes;
    let at = from;
    if (b[at] === ZERO) return at + 1;
    if ((b[at]! ^ ZERO) > 9) return SLOW;
    do at++;
    while ((b[at]! ^ ZERO) <= 9);
    return at;
  }

  /** The place after a list, nested or not, of integers, nulls and plain strings. */
  #endOfList(from: number): number {
    const b = this.#bytes;
    let at = from;
    let depth = 0;
    for (;;) {
      // Before a value.
      const c = b[at]!;
      if (c === 0x5b) {
        depth++;
        if (b[++at] !== 0x5d) continue;
        at++;
        depth--;
      } else if ((c ^ ZERO) <= 9) at = this.#endOfDigits(at);
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

  #name(ref: number): number {
    let name = this.#nameOfRef[-ref];
    if (name === undefined) {
      name = this.#events.name(String(this.#events.value(ref)));
      this.#nameOfRef[-ref] = name;
    }
    return name;
  }
}

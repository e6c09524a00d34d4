import { DEPTH_MAX } from './edn.ts';
import { Events } from './events.ts';
import { HistoryError } from './history-error.ts';
import { checkDepth } from './jepsen.ts';
import { parseJson } from './json.ts';
import { LineReader, TAIL_BYTES } from './line-reader.ts';
import type { Op } from './op.ts';
import { opOf } from './record.ts';
import { SLOW } from './text-table.ts';

/** One line of `history.ndjson`, with its newline. */
export function encodeOp(op: Op): string {
  return `${JSON.stringify(op)}\n`;
}

const SAMPLE_BYTES = 1 << 16;
const BYTES_MAX = 0xffffffff;
/** Of so many lines the place of one is kept, as a power of two. */
const STARTS_SHIFT = 5;
const LINE_BYTES_MAX = 1 << 28;

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
  readonly #reader: LineReader;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const sample = bytes.subarray(0, SAMPLE_BYTES);
    let newlines = 1;
    for (const byte of sample) if (byte === 0x0a) newlines++;
    const capacity = Math.ceil((bytes.length / Math.max(1, sample.length)) * newlines * 1.02) + 16;
    this.events = new Events(capacity, (index) => this.#whole(index), bytes);
    this.#reader = new LineReader(bytes, this.events);
  }

  /** Reads the line at `from`, if it is an easy one; gives the start of the next, or `SLOW` and nothing has happened. */
  fast(from: number): number {
    const next = this.#reader.read(from);
    if (next !== SLOW) this.#startsAt(this.events.length - 1, from);
    return next;
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
}

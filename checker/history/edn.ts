import { HistoryError } from './history-error.ts';
import type { Value } from './op.ts';

/** Deeper than any history; a bound, so that a file of brackets costs one message and not the memory. */
export const DEPTH_MAX = 256;

type Members = { [name: string]: Value };

/**
 * Reads EDN forms one after another, as JSON: keywords and symbols become strings (without the colon), lists,
 * vectors and sets become lists, maps become objects whose names are texts, tags are dropped. Jepsen's histories
 * need no more.
 */
export class EdnReader {
  readonly #text: string;
  #at: number;

  constructor(text: string, at = 0) {
    this.#text = text;
    this.#at = at;
  }

  /** Where the next character is. */
  get position(): number {
    return this.#at;
  }

  /** The line that a position is on, from 1. */
  lineOf(position: number): number {
    let line = 1;
    for (let at = this.#text.indexOf('\n'); at !== -1 && at < position; at = this.#text.indexOf('\n', at + 1)) line++;
    return line;
  }

  /** Skips what means nothing, and says whether a form follows. `#_` drops a form, which may drop others in turn. */
  more(depth = 0): boolean {
    const text = this.#text;
    for (; this.#at < text.length; this.#at++) {
      const c = text.charCodeAt(this.#at);
      if (c === 0x3b) {
        const end = text.indexOf('\n', this.#at);
        if (end === -1) {
          this.#at = text.length;
          return false;
        }
        this.#at = end;
      } else if (c === 0x23 && text.charCodeAt(this.#at + 1) === 0x5f) {
        this.#at += 2;
        this.read(depth + 1);
        this.#at--;
      } else if (!isSpace(c)) {
        return true;
      }
    }
    return false;
  }

  /** What the next character is, after `more`. */
  peek(): string {
    return this.#text.charAt(this.#at);
  }

  skip(): void {
    this.#at++;
  }

  /** @throws HistoryError naming the line. */
  read(depth = 0): Value {
    if (depth > DEPTH_MAX) throw this.#error(`brackets nest deeper than ${DEPTH_MAX}`);
    if (!this.more(depth)) throw this.#error('a form is missing at the end');
    const c = this.peek();
    switch (c) {
      case '(':
        return this.#list(')', depth);
      case '[':
        return this.#list(']', depth);
      case '{':
        return this.#map(depth);
      case '"':
        return this.#string();
      case '#':
        return this.#dispatch(depth);
      case '^':
        this.#at++;
        this.read(depth + 1);
        return this.read(depth + 1);
      case "'":
        this.#at++;
        return this.read(depth + 1);
      case '\\':
        return this.#character();
      case ')':
      case ']':
      case '}':
        throw this.#error(`${c} closes nothing`);
      default:
        return this.#token();
    }
  }

  #error(what: string): HistoryError {
    return new HistoryError(what, this.lineOf(this.#at));
  }

  #list(close: string, depth: number): Value[] {
    this.#at++;
    const list: Value[] = [];
    for (;;) {
      if (!this.more(depth)) throw this.#error(`${close} is missing at the end`);
      if (this.peek() === close) break;
      list.push(this.read(depth + 1));
    }
    this.#at++;
    return list;
  }

  #map(depth: number): Value {
    this.#at++;
    const map: Members = {};
    for (;;) {
      if (!this.more(depth)) throw this.#error('} is missing at the end');
      if (this.peek() === '}') break;
      const name = this.read(depth + 1);
      if (!this.more(depth) || this.peek() === '}') throw this.#error('a map has a name without a value');
      const text = typeof name === 'string' ? name : JSON.stringify(name);
      // No name of a map can reach the object's prototype.
      Object.defineProperty(map, text, {
        value: this.read(depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    this.#at++;
    return map;
  }

  #dispatch(depth: number): Value {
    const next = this.#text.charAt(this.#at + 1);
    if (next === '{') {
      this.#at++;
      return this.#list('}', depth);
    }
    if (next === '"') {
      this.#at++;
      return this.#string();
    }
    if (next === '#') {
      // Infinities, and what is no number, have no JSON: their texts stand for them.
      this.#at += 2;
      return `##${this.#token()}`;
    }
    if (next === ':') return this.#namespaced(depth);
    if (!/[A-Za-z]/.test(next)) throw this.#error(`#${next} is not EDN`);
    this.#at++;
    this.#token();
    return this.read(depth + 1);
  }

  /** A map whose names are in a namespace that is written once: `#:bank{:from 1}`. */
  #namespaced(depth: number): Value {
    this.#at++;
    const namespace = this.#token();
    if (!this.more(depth) || this.peek() !== '{') throw this.#error(`#:${namespace} needs a map`);
    const map = this.#map(depth);
    return Object.fromEntries(
      Object.entries(map as Members).map(([name, value]) => [
        name.includes('/') ? name : `${namespace}/${name}`,
        value,
      ]),
    );
  }

  #string(): string {
    const text = this.#text;
    const start = ++this.#at;
    for (; this.#at < text.length; this.#at++) {
      const c = text.charCodeAt(this.#at);
      if (c === 0x5c) this.#at++;
      else if (c === 0x22) {
        const raw = text.slice(start, this.#at++);
        return raw.includes('\\')
          ? raw.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, escaped: string) => characterOf(escaped))
          : raw;
      }
    }
    throw this.#error('a string is not closed');
  }

  #character(): string {
    const match = /\\(newline|return|space|tab|formfeed|backspace|u[0-9a-fA-F]{4}|.)/suy;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text)?.[1];
    if (found === undefined) throw this.#error('a character is missing');
    this.#at += found.length + 1;
    const named: { readonly [name: string]: string } = {
      newline: '\n',
      return: '\r',
      space: ' ',
      tab: '\t',
      formfeed: '\f',
      backspace: '\b',
    };
    if (named[found] !== undefined) return named[found];
    return found.length === 5 ? String.fromCharCode(Number.parseInt(found.slice(1), 16)) : found;
  }

  #token(): Value {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    for (; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (isSpace(c) || isDelimiter(c)) break;
      // A control character is a sign that this is no text at all.
      if (c < 0x20 || c === 0xfffd) throw this.#error('not text');
    }
    if (at === start) throw this.#error(`unexpected ${JSON.stringify(text.charAt(at))}`);
    this.#at = at;
    const token = text.slice(start, at);
    const c = token.charCodeAt(0);
    if (c === 0x3a) return token.slice(1);
    if ((c >= 0x30 && c <= 0x39) || ((c === 0x2d || c === 0x2b) && token.length > 1)) {
      if (/^[-+]?\d+N?$/.test(token)) {
        const number = Number(token.replace('N', ''));
        return Number.isSafeInteger(number) ? number : token;
      }
      if (/^[-+]?\d+(\.\d*)?([eE][-+]?\d+)?M?$/.test(token)) return Number(token.replace('M', ''));
      if (/^[-+]?\d+\/\d+$/.test(token)) return token;
      if (c <= 0x39 && c >= 0x30) throw this.#error(`${token.slice(0, 40)} is not a number`);
    }
    if (token === 'nil') return null;
    if (token === 'true') return true;
    if (token === 'false') return false;
    return token;
  }
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x2c || c === 0x09 || c === 0x0d || c === 0x0c;
}

function isDelimiter(c: number): boolean {
  return c === 0x28 || c === 0x29 || c === 0x5b || c === 0x5d || c === 0x7b || c === 0x7d || c === 0x22 || c === 0x3b;
}

function characterOf(escaped: string): string {
  if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  const named: { readonly [name: string]: string } = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };
  return named[escaped] ?? escaped;
}

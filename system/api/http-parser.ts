import { byteStringOf } from '../kv/index.ts';
import type { ApiRequest } from './request.ts';

export interface HttpLimits {
  readonly requestLineBytesMax: number;
  readonly headerBytesMax: number;
  readonly headersMax: number;
  readonly bodyBytesMax: number;
}

export const defaultHttpLimits: HttpLimits = {
  requestLineBytesMax: 16 * 1024,
  headerBytesMax: 32 * 1024,
  headersMax: 100,
  bodyBytesMax: 1536 * 1024,
};

/** The request cannot be understood or is too large; the connection ends after this answer. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
    this.code = code;
  }
}

export interface ParsedRequest extends ApiRequest {
  /** The connection goes on after this request (HTTP/1.1 unless `Connection: close`). */
  readonly keepAlive: boolean;
}

/** All of a request but its body. */
type HttpHead = Omit<ParsedRequest, 'body'>;

/** A request's header lines, and what they say of its body. */
interface HeaderBlock {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: 'none' | 'chunked' | number;
  readonly isContinueExpected: boolean;
}

type State = 'head' | 'body' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailers' | 'broken';

const newline = 10;
const carriageReturn = 13;
const nothing = new Uint8Array(0);
/** Header lines longer than this are parsed anew each time. */
const repeatedBytesMax = 2048;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const unprintable = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Cuts a stream of bytes into HTTP/1.1 requests (RFC 9112), strictly: lines end with CRLF, a length that is said twice
 * or both ways is refused, for two readers could understand it differently (request smuggling).
 */
export class HttpParser {
  readonly #limits: HttpLimits;
  readonly #onRequest: (request: ParsedRequest) => void;
  readonly #onContinue: () => void;
  #state: State = 'head';
  #pending: Uint8Array = nothing;
  /** Where in `pending` the search for the end of the line goes on. */
  #scanned = 0;
  #lines: string[] = [];
  #headBytes = 0;
  /** Where in the pushed bytes the header lines of this request begin; -1 when that is not in them. */
  #blockStart = -1;
  /** The header lines of the request before, up to the empty one: most clients say the same each time. */
  #lastBlockBytes: Uint8Array = nothing;
  #lastBlock: HeaderBlock | undefined;
  #head: HttpHead | undefined;
  #bodyBytesLeft = 0;
  #bodyBytes = 0;
  #body: Uint8Array[] = [];

  /** @param onContinue the client waits to be told that its body is wanted */
  constructor(limits: HttpLimits, onRequest: (request: ParsedRequest) => void, onContinue: () => void) {
    this.#limits = limits;
    this.#onRequest = onRequest;
    this.#onContinue = onContinue;
  }

  /** @throws HttpError on what is not a request that we take; nothing may be pushed after that */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#pending.length > 0) {
      bytes = new Uint8Array(this.#pending.length + chunk.length);
      bytes.set(this.#pending);
      bytes.set(chunk, this.#pending.length);
    }
    let at = 0;
    try {
      for (;;) {
        const next = this.#step(bytes, at);
        if (next < 0) break;
        at = next;
      }
    } catch (error) {
      this.#state = 'broken';
      throw error;
    }
    this.#blockStart = -1;
    this.#pending = at === bytes.length ? nothing : bytes.subarray(at);
    this.#scanned = Math.max(0, this.#pending.length - 1);
  }

  /** @returns where to go on, or -1 when more bytes are needed */
  #step(bytes: Uint8Array, at: number): number {
    switch (this.#state) {
      case 'body':
      case 'chunk-data': {
        if (at === bytes.length && this.#bodyBytesLeft > 0) return -1;
        const taken = Math.min(this.#bodyBytesLeft, bytes.length - at);
        if (taken > 0) this.#body.push(bytes.subarray(at, at + taken));
        this.#bodyBytesLeft -= taken;
        if (this.#bodyBytesLeft === 0) {
          if (this.#state === 'body') this.#finish();
          else this.#state = 'chunk-end';
        }
        return at + taken;
      }
      case 'broken':
        return -1;
      default:
        return this.#stepLine(bytes, at);
    }
  }

  #stepLine(bytes: Uint8Array, at: number): number {
    const end = bytes.indexOf(newline, Math.max(at, at === 0 ? this.#scanned : at));
    const lineBytesMax =
      this.#state === 'head' && this.#lines.length === 0
        ? this.#limits.requestLineBytesMax
        : this.#limits.headerBytesMax;
    const lineBytes = (end < 0 ? bytes.length : end) - at;
    if (lineBytes > lineBytesMax) throw this.#tooLong();
    if (end < 0) return -1;
    if (end === at || bytes[end - 1] !== carriageReturn) throw malformed('a line does not end with CRLF');
    this.#headBytes += lineBytes;
    const line = byteStringOf(bytes, at, end - 1);
    switch (this.#state) {
      case 'head':
        return this.#headLine(line, bytes, end + 1);
      case 'chunk-size':
        this.#chunkSize(line);
        break;
      case 'chunk-end':
        if (line !== '') throw malformed('a chunk is longer than it says');
        this.#state = 'chunk-size';
        break;
      default:
        if (this.#headBytes > this.#limits.headerBytesMax) throw this.#tooLong();
        if (line === '') this.#finish();
    }
    return end + 1;
  }

  /** @returns where to go on: `next`, or behind all header lines */
  #headLine(line: string, bytes: Uint8Array, next: number): number {
    if (this.#lines.length === 0) {
      // An empty line before the request line is let pass (RFC 9112, 2.2).
      if (line === '') return next;
      const block = this.#lastBlock;
      const blockBytes = this.#lastBlockBytes;
      if (block !== undefined && startsWithAt(bytes, next, blockBytes)) {
        this.#begin(line, block);
        return next + blockBytes.length;
      }
      this.#blockStart = next;
    }
    if (line !== '') {
      this.#lines.push(line);
      if (this.#lines.length > 1 && this.#headBytes - this.#lines[0]!.length > this.#limits.headerBytesMax) {
        throw this.#tooLong();
      }
      if (this.#lines.length > this.#limits.headersMax + 1) throw this.#tooLong();
      return next;
    }
    const [requestLine = '', ...headerLines] = this.#lines;
    const block = parseHeaders(headerLines);
    if (typeof block.body === 'number' && block.body > this.#limits.bodyBytesMax) throw this.#tooLarge();
    const start = this.#blockStart;
    this.#lastBlock = start >= 0 && next - start <= repeatedBytesMax ? block : undefined;
    if (this.#lastBlock !== undefined) this.#lastBlockBytes = bytes.slice(start, next);
    this.#begin(requestLine, block);
    return next;
  }

  #begin(requestLine: string, { headers, body, isContinueExpected }: HeaderBlock): void {
    const head = parseHead(requestLine, headers);
    this.#lines = [];
    this.#headBytes = 0;
    this.#head = head;
    if (body === 'chunked') this.#state = 'chunk-size';
    else if (body === 'none') {
      if (head.method === 'PUT') throw new HttpError(411, 'length-required', 'PUT needs Content-Length or chunks');
    } else {
      this.#bodyBytesLeft = body;
      this.#bodyBytes = body;
      if (body > 0) this.#state = 'body';
    }
    if (this.#state === 'head') this.#finish();
    else if (isContinueExpected) this.#onContinue();
  }

  #chunkSize(line: string): void {
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(;.*)?$/.exec(line)?.[1];
    if (size === undefined) throw malformed('a chunk has no size');
    const bytes = Number.parseInt(size, 16);
    this.#headBytes = 0;
    if (bytes === 0) {
      this.#state = 'trailers';
      return;
    }
    this.#bodyBytes += bytes;
    if (this.#bodyBytes > this.#limits.bodyBytesMax) throw this.#tooLarge();
    this.#bodyBytesLeft = bytes;
    this.#state = 'chunk-data';
  }

  #finish(): void {
    const head = this.#head;
    const body = this.#body.length === 1 ? this.#body[0]! : joined(this.#body, this.#bodyBytes);
    this.#state = 'head';
    this.#head = undefined;
    this.#headBytes = 0;
    this.#body = [];
    this.#bodyBytes = 0;
    if (head === undefined) return;
    const { method, target, headers, keepAlive } = head;
    this.#onRequest({ method, target, headers, keepAlive, body });
  }

  #tooLong(): HttpError {
    if (this.#state === 'head' && this.#lines.length === 0) {
      return new HttpError(
        414,
        'uri-too-long',
        `the request line has more than ${this.#limits.requestLineBytesMax} bytes`,
      );
    }
    const { headerBytesMax, headersMax } = this.#limits;
    return new HttpError(431, 'headers-too-large', `more than ${headerBytesMax} bytes or ${headersMax} headers`);
  }

  #tooLarge(): HttpError {
    return new HttpError(413, 'body-too-large', `the body has more than ${this.#limits.bodyBytesMax} bytes`);
  }
}

function malformed(what: string): HttpError {
  return new HttpError(400, 'malformed', `not an HTTP request: ${what}`);
}

function parseHead(requestLine: string, headers: HeaderBlock['headers']): HttpHead {
  const afterMethod = requestLine.indexOf(' ');
  const afterTarget = requestLine.lastIndexOf(' ');
  const method = methodOf(requestLine.slice(0, Math.max(0, afterMethod)));
  if (method === undefined || afterTarget === afterMethod) throw malformed('the request line');
  const version = requestLine.slice(afterTarget + 1);
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') throw malformed('the version');
  const rawTarget = requestLine.slice(afterMethod + 1, afterTarget);
  const target = rawTarget.startsWith('/') ? rawTarget : rawTarget.replace(/^https?:\/\/[^/?#]*/i, '');
  if (!target.startsWith('/') || !isVisible(target)) throw malformed('the target');
  if (version === 'HTTP/1.1' && headers.host === undefined) throw malformed('no Host header');
  const connection = headers.connection?.toLowerCase();
  const keepAlive = version === 'HTTP/1.1' ? connection !== 'close' : connection === 'keep-alive';
  return { method, target, headers, keepAlive };
}

/** Undefined when it is no token. */
function methodOf(text: string): string | undefined {
  switch (text) {
    case 'GET':
    case 'PUT':
    case 'POST':
      return text;
    default:
      return token.test(text) ? text : undefined;
  }
}

/** No spaces, no controls, nothing above 126. */
function isVisible(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x21 || unit > 0x7e) return false;
  }
  return true;
}

function parseHeaders(lines: readonly string[]): HeaderBlock {
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    if (!token.test(name)) throw malformed('a header without a name');
    if (unprintable.test(line)) throw malformed(`the header ${name}`);
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    if (before !== undefined && (name === 'content-length' || name === 'host')) throw malformed(`two ${name} headers`);
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return { headers, body: bodyOf(headers), isContinueExpected: headers.expect?.toLowerCase() === '100-continue' };
}

function bodyOf(headers: HeaderBlock['headers']): HeaderBlock['body'] {
  const encoding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (encoding !== undefined) {
    if (length !== undefined) throw malformed('both Content-Length and Transfer-Encoding');
    if (encoding.toLowerCase() === 'chunked') return 'chunked';
    throw new HttpError(400, 'unsupported-encoding', `Transfer-Encoding ${encoding} is not understood`);
  }
  if (length === undefined) return 'none';
  if (!/^\d{1,15}$/.test(length)) throw malformed('Content-Length is not a number');
  return Number(length);
}

function startsWithAt(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  if (bytes.length - at < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}

function joined(chunks: readonly Uint8Array[], totalBytes: number): Uint8Array {
  if (totalBytes === 0) return nothing;
  const all = new Uint8Array(totalBytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

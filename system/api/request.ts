import { ByteSlab } from '../byte-slab.ts';

/** A request below the socket: what the HTTP server reads off a connection, or what the simulator hands in. */
export interface ApiRequest {
  readonly method: string;
  /** Path and query as they were on the wire, percent-encoded, beginning with `/`. */
  readonly target: string;
  /** Names in lower case; a repeated header's values are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /**
   * Present for an answer without an end (a watch): called once the head was sent. Returns what is to be called when
   * the reader has gone.
   */
  readonly stream?: (sink: StreamSink) => () => void;
}

export interface StreamSink {
  write(chunk: Uint8Array): void;
  /** Bytes that the reader has not taken yet. */
  readonly bufferedBytes: number;
  end(): void;
}

const encoder = new TextEncoder();
const jsonHeaders = { 'Content-Type': 'application/json' } as const;
const noHeaders = {} as const;
const noBody = new Uint8Array(0);

export function empty(status: number, headers: Readonly<Record<string, string>> = noHeaders): ApiResponse {
  return { status, headers, body: noBody };
}

export function json(status: number, value: unknown): ApiResponse {
  return { status, headers: jsonHeaders, body: encoder.encode(JSON.stringify(value)) };
}

const bodies = new ByteSlab();

/** The answer to nearly every write, put together by hand. */
export function revisionJson(revision: number): ApiResponse {
  const text = `{"revision":${revision}}`;
  const body = bodies.take(text.length);
  writeAscii(text, body, 0);
  return { status: 200, headers: jsonHeaders, body };
}

/** @param text of which every character is below 128 */
export function writeAscii(text: string, target: Uint8Array, at: number): void {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
}

/** Every error body is `{"error":"NAME","message":"…"}`. */
export function failure(status: number, error: string, message: string, headers = noHeaders): ApiResponse {
  const body = encoder.encode(`${JSON.stringify({ error, message })}\n`);
  return { status, headers: { ...jsonHeaders, ...headers }, body };
}

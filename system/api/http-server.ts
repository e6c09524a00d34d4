import { ByteSlab } from '../byte-slab.ts';
import type { Address, Clock, Connection, Listener, Network, Timer, TlsIdentity } from '../ports.ts';
import { defaultHttpLimits, HttpError, HttpParser, type ParsedRequest } from './http-parser.ts';
import { type ApiRequest, type ApiResponse, failure, writeAscii } from './request.ts';

/** Beyond these a new connection is closed at once. */
const connectionsMax = 10_000;
/** Requests of one connection that may be under way: beyond it, reading stops until answers have gone out. */
const pipelineMax = 128;
/** A connection that is silent for so long is closed; so is one whose reader takes nothing. */
const idleMsMax = 120_000;
const sweepMs = 5_000;
/** Answers that may wait for a slow reader, watches aside, before no more requests are read. */
const unsentBytesMax = 8 * 1024 * 1024;

export type Handle = (request: ApiRequest, respond: (response: ApiResponse) => void) => void;

export interface HttpServer {
  readonly address: Address;
  /** Stops accepting and reading; answers under way still go out, then the connections end. */
  close(): Promise<void>;
  readonly connections: number;
}

export async function serveHttp(
  ports: { readonly clock: Clock; readonly network: Network },
  address: Address,
  handle: Handle,
  tls?: TlsIdentity,
): Promise<HttpServer> {
  const open = new Set<HttpConnection>();
  let closing = false;
  const accept = (connection: Connection) => {
    if (closing || open.size >= connectionsMax) return connection.destroy();
    const http = new HttpConnection(connection, handle, () => open.delete(http));
    open.add(http);
  };
  const listener: Listener = await ports.network.listen(address, accept, tls);
  let sweep: Timer;
  const armSweep = () => {
    sweep = ports.clock.setTimer(sweepMs, () => {
      for (const connection of open) connection.endIfIdle();
      armSweep();
    });
  };
  armSweep();
  return {
    address: listener.address,
    get connections() {
      return open.size;
    },
    close() {
      closing = true;
      sweep.cancel();
      const closed = listener.close();
      for (const connection of open) connection.endSoon();
      return closed;
    },
  };
}

/** An answer's place in the order of the connection's requests. */
interface Slot {
  readonly keepAlive: boolean;
  readonly isHead: boolean;
  response: ApiResponse | undefined;
}

class HttpConnection {
  readonly #connection: Connection;
  readonly #handle: Handle;
  readonly #parser: HttpParser;
  readonly #slots: Slot[] = [];
  #paused = false;
  /** No more requests are read: the client said so, sent garbage, or the server stops. */
  #ending = false;
  #closed = false;
  /** Nothing came or went since the last sweep; and how many in a row found it so. */
  #isIdle = false;
  #idleSweeps = 0;
  #cancelStream: (() => void) | undefined;

  constructor(connection: Connection, handle: Handle, onClosed: () => void) {
    this.#connection = connection;
    this.#handle = handle;
    this.#parser = new HttpParser(
      defaultHttpLimits,
      (request) => this.#request(request),
      () => {
        // Only when no answer is before it; otherwise the client waits its own while and sends.
        if (this.#slots.length === 0) connection.write([continueLine]);
      },
    );
    connection.handle({
      data: (chunk) => this.#data(chunk),
      drained: () => {
        this.#isIdle = false;
        this.#unpause();
      },
      closed: () => {
        this.#closed = true;
        this.#cancelStream?.();
        onClosed();
      },
    });
  }

  /** Called every `sweepMs`. */
  endIfIdle(): void {
    this.#idleSweeps = this.#isIdle ? this.#idleSweeps + 1 : 0;
    this.#isIdle = true;
    const waitsForReader = this.#connection.bufferedBytes > 0;
    const busy = this.#slots.length > 0 || this.#cancelStream !== undefined;
    if ((!busy || waitsForReader) && this.#idleSweeps * sweepMs >= idleMsMax) this.#connection.destroy();
  }

  endSoon(): void {
    this.#ending = true;
    this.#cancelStream?.();
    if (this.#slots.length === 0) this.#connection.end();
  }

  #data(chunk: Uint8Array): void {
    if (this.#ending) return;
    this.#isIdle = false;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#ending = true;
      const slot: Slot = { keepAlive: false, isHead: false, response: undefined };
      this.#slots.push(slot);
      slot.response = failure(error.status, error.code, error.message);
      this.#flush();
    }
  }

  #request(request: ParsedRequest): void {
    if (this.#ending) return;
    const slot: Slot = { keepAlive: request.keepAlive, isHead: request.method === 'HEAD', response: undefined };
    if (!request.keepAlive) this.#ending = true;
    this.#slots.push(slot);
    this.#handle(request, (response) => {
      if (slot.response !== undefined || this.#closed) return;
      slot.response = response;
      this.#flush();
    });
    if (this.#slots.length >= pipelineMax || this.#connection.bufferedBytes > unsentBytesMax) {
      this.#paused = true;
      this.#connection.pause();
    }
  }

  /** Sends the answers whose turn it is. */
  #flush(): void {
    if (this.#slots[0]?.response === undefined) return;
    const chunks: Uint8Array[] = [];
    let end = false;
    let stream: ApiResponse['stream'];
    while (this.#slots.length > 0 && stream === undefined) {
      const slot = this.#slots[0]!;
      if (slot.response === undefined) break;
      this.#slots.shift();
      end = !slot.keepAlive || (this.#ending && this.#slots.length === 0);
      stream = slot.response.stream;
      chunks.push(encodeResponse(slot.response, end || stream !== undefined, slot.isHead));
    }
    this.#connection.write(chunks);
    this.#isIdle = false;
    if (stream !== undefined) this.#beginStream(stream);
    else if (end) this.#connection.end();
    else this.#unpause();
  }

  /** The rest of the connection belongs to the stream; requests behind it are never answered. */
  #beginStream(stream: NonNullable<ApiResponse['stream']>): void {
    this.#ending = true;
    const connection = this.#connection;
    this.#cancelStream = stream({
      write: (chunk) => connection.write([chunk]),
      get bufferedBytes() {
        return connection.bufferedBytes;
      },
      end: () => connection.end(),
    });
  }

  #unpause(): void {
    if (!this.#paused || this.#slots.length >= pipelineMax || this.#connection.bufferedBytes > unsentBytesMax) return;
    this.#paused = false;
    this.#connection.resume();
  }
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

const continueLine = new TextEncoder().encode('HTTP/1.1 100 Continue\r\n\r\n');

const answers = new ByteSlab();

/** Head and body as one piece, so that an answer is one write. */
function encodeResponse(response: ApiResponse, close: boolean, isHead: boolean): Uint8Array {
  const { status, headers, body } = response;
  let head = `HTTP/1.1 ${status} ${reasons[status] ?? 'Unknown'}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  if (status !== 204 && response.stream === undefined) head += `Content-Length: ${body.length}\r\n`;
  head += close ? 'Connection: close\r\n\r\n' : '\r\n';
  const bytes = answers.take(head.length + (isHead ? 0 : body.length));
  writeAscii(head, bytes, 0);
  if (!isHead) bytes.set(body, head.length);
  return bytes;
}

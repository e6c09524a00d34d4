import type { ApiRequest, ApiResponse } from '../../system/api/request.ts';
import {
  collectBytesMax,
  type Exchange,
  type ExchangeRequest,
  type ExchangeResult,
} from '../../system/client/exchange.ts';
import { eventKind, harnessProcess, type Scheduler, type SimProcess } from './scheduler.ts';

/** A node that may be asked: its process, and its API below the socket once it serves. */
export interface Serving {
  readonly process: SimProcess;
  readonly handle: ((request: ApiRequest, respond: (response: ApiResponse) => void) => void) | undefined;
}

/**
 * How simulated clients reach simulated nodes. A request takes a while to arrive, is refused by a node that does
 * not listen, waits with a paused one, and is reset when its node dies: what the HTTP exchange sees of real nodes.
 */
export class SimExchange {
  readonly exchange: Exchange = (node, request, done) => this.#send(node, request, done);
  readonly #scheduler: Scheduler;
  readonly #serving: (node: string) => Serving | undefined;
  readonly #latencyUs: () => number;
  /** What to do for each open request when its node dies. */
  readonly #open = new Map<SimProcess, Set<() => void>>();

  constructor(scheduler: Scheduler, serving: (node: string) => Serving | undefined, latencyUs: () => number) {
    this.#scheduler = scheduler;
    this.#serving = serving;
    this.#latencyUs = latencyUs;
  }

  processDied(process: SimProcess): void {
    const open = this.#open.get(process) ?? [];
    this.#open.delete(process);
    for (const reset of open) reset();
  }

  #send(node: string, request: ExchangeRequest, done: (result: ExchangeResult) => void): void {
    let settled = false;
    const settle = (result: ExchangeResult, delayUs: number) => {
      if (settled) return;
      settled = true;
      deadline.cancel();
      this.#scheduler.schedule(delayUs, eventKind.request, harnessProcess, () => done(result));
    };
    const deadline = this.#scheduler.schedule(request.timeoutMs * 1000, eventKind.request, harnessProcess, () =>
      settle({ type: 'failure', error: 'timeout', message: 'no answer in time', sent: true }, 0),
    );
    this.#scheduler.schedule(this.#latencyUs(), eventKind.request, harnessProcess, () => {
      const serving = this.#serving(node);
      if (serving === undefined || !serving.process.alive || serving.handle === undefined) {
        const message = `node ${node} does not listen`;
        settle({ type: 'failure', error: 'connection-refused', message, sent: false }, this.#latencyUs());
        return;
      }
      this.#deliver(serving.process, serving.handle, request, settle);
    });
  }

  #deliver(
    process: SimProcess,
    handle: NonNullable<Serving['handle']>,
    { method, path, headers, body, collectMs }: ExchangeRequest,
    settle: (result: ExchangeResult, delayUs: number) => void,
  ): void {
    const open = this.#open.get(process) ?? new Set();
    this.#open.set(process, open);
    const reset = () =>
      settle(
        { type: 'failure', error: 'connection-reset', message: 'the node is gone', sent: true },
        this.#latencyUs(),
      );
    open.add(reset);
    const respond = ({ status, headers, body, stream }: ApiResponse) => {
      const answer = (all: Uint8Array) => {
        if (open.delete(reset))
          settle({ type: 'answer', status, headers: lowerCase(headers), body: all }, this.#latencyUs());
      };
      if (stream === undefined || collectMs === undefined) answer(body);
      else this.#collect(process, stream, collectMs, answer);
    };
    this.#scheduler.schedule(0, eventKind.request, process, () =>
      handle({ method, target: path, headers: lowerCase(headers), body: body ?? new Uint8Array() }, respond),
    );
  }

  /** An answer without an end, as far as it came in that time; its reader goes then. */
  #collect(
    process: SimProcess,
    stream: NonNullable<ApiResponse['stream']>,
    collectMs: number,
    answer: (all: Uint8Array) => void,
  ): void {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const close = stream({
      bufferedBytes: 0,
      write(chunk) {
        if (bytes > collectBytesMax) return;
        chunks.push(chunk.slice());
        bytes += chunk.length;
      },
      end: () => {},
    });
    this.#scheduler.schedule(collectMs * 1000, eventKind.request, process, () => {
      answer(Buffer.concat(chunks));
      close();
    });
  }
}

/** Names as they are used, and in lower case: a handful. */
const knownMax = 100;
const known = new Map<string, string>();

function lowerCaseOf(name: string): string {
  let lower = known.get(name);
  if (lower === undefined) {
    lower = name.toLowerCase();
    if (known.size < knownMax) known.set(name, lower);
  }
  return lower;
}

/** What the HTTP server and the HTTP client do to header names. */
function lowerCase(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  let isLower = true;
  for (const name in headers) isLower &&= name === lowerCaseOf(name);
  if (isLower) return headers;
  const lower: { [name: string]: string } = {};
  for (const name in headers) lower[lowerCaseOf(name)] = headers[name]!;
  return lower;
}

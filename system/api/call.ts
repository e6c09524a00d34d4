import { OPERATION_ID_BYTES_MAX, type SessionUse } from '../kv/index.ts';
import type { Clock } from '../ports.ts';
import type { RequestKind, RequestMetrics } from './metrics.ts';
import { allowQuery, bad, naturalNumber, noQuery, type Target } from './parse.ts';
import { type ApiRequest, type ApiResponse, failure } from './request.ts';

/** An answer at once, or undefined: `respond` is called later. */
export type Answer = ApiResponse | undefined;

const timeoutMsDefault = 5_000;
const timeoutMsMax = 60_000;

/** One request on its way through the API, until it is answered. */
export class Call {
  readonly request: ApiRequest;
  query: Target['query'] = noQuery;
  /** What follows the resource in the path: a key, an id; empty when nothing does. */
  name = '';
  readonly #clock: Clock;
  readonly #metrics: RequestMetrics;
  readonly #done: (response: ApiResponse) => void;
  readonly #startedMs: number;

  constructor(request: ApiRequest, clock: Clock, metrics: RequestMetrics, done: (response: ApiResponse) => void) {
    this.request = request;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#done = done;
    this.#startedMs = clock.monotonicMs();
  }

  /** Called once. */
  respond(response: ApiResponse): void {
    this.#metrics.answered(kindOf(this.request), response.status, this.#clock.monotonicMs() - this.#startedMs);
    this.#done(response);
  }

  get key(): string {
    if (this.name === '') throw bad('the key is empty');
    return this.name;
  }

  /** A node's. */
  get id(): number {
    const id = this.name === '' ? undefined : naturalNumber(this.name, "the node's id");
    if (id === undefined || id === 0) throw bad("a node's id is a number from 1");
    return id;
  }

  /** Monotonic. */
  get deadlineMs(): number {
    const text = this.request.headers['timeout-ms'];
    return this.#startedMs + (naturalNumber(text, 'Timeout-Ms', timeoutMsMax) ?? timeoutMsDefault);
  }

  get operationId(): string | undefined {
    const id = this.request.headers['operation-id'];
    if (id !== undefined && id.length > OPERATION_ID_BYTES_MAX) {
      throw bad(`Operation-Id has more than ${OPERATION_ID_BYTES_MAX} bytes`);
    }
    return id;
  }

  get session(): SessionUse | undefined {
    const { headers } = this.request;
    const session = naturalNumber(headers.session, 'Session');
    const sequence = naturalNumber(headers.sequence, 'Sequence');
    if (session === undefined && sequence === undefined) return undefined;
    if (session === undefined || sequence === undefined) throw bad('Session and Sequence go together');
    if (sequence === 0) throw bad('Sequence begins at 1');
    return { session, sequence };
  }

  /** A number among the query's parameters. */
  queryNumber(name: string, max?: number): number | undefined {
    return naturalNumber(this.query.get(name), name, max);
  }

  allowQuery(...names: readonly string[]): void {
    if (this.query.size > 0) allowQuery(this.query, ...names);
  }

  /** @returns the answer to a method that is not this one */
  unless(method: string): Answer {
    return this.request.method === method ? undefined : methodNotAllowed(method);
  }
}

function kindOf({ method, target }: ApiRequest): RequestKind {
  if (method !== 'GET' && method !== 'HEAD') return 'write';
  if (target === '/metrics') return 'other';
  const ofData = !target.startsWith('/v1/') || target.startsWith('/v1/kv/') || target.startsWith('/v1/range');
  return ofData ? 'read' : 'other';
}

export function methodNotAllowed(allow: string): ApiResponse {
  return failure(405, 'method-not-allowed', `allowed: ${allow}`, { Allow: allow });
}

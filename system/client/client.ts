import { textOf, utf8Of } from '../utf8.ts';
import {
  itemOf,
  json,
  membersOf,
  opJson,
  type Parse,
  statusOf,
  txnResult,
  watchedIn,
  withRevision,
} from './answers.ts';
import type { Exchange, ExchangeRequest } from './exchange.ts';
import { failureOf, type Result, unintelligible } from './outcome.ts';
import type {
  CallOptions,
  Item,
  Member,
  MemberChange,
  ReadMode,
  Status,
  Txn,
  TxnResult,
  Versioned,
  WatchedChange,
} from './types.ts';
import { type Bytes, encodeKey, toBytes, toJsonBytes } from './value.ts';

/**
 * A client of one node. It never retries. Every failure says whether the write can have happened; see
 * docs/ARCHITECTURE.md, HTTP. A key that was appended to reads as a JSON array of its elements.
 */
export class Client {
  readonly #node: string;
  readonly #exchange: Exchange;

  /** @param node what the exchange understands as a node's address: `http://127.0.0.1:12380` */
  constructor(node: string, exchange: Exchange) {
    this.#node = node;
    this.#exchange = exchange;
  }

  /** @returns null when the key is missing */
  async get(key: Bytes, options: CallOptions & { read?: ReadMode } = {}): Promise<Result<Versioned | null>> {
    const query = options.read === undefined ? '' : `?read=${options.read}`;
    const request = { method: 'GET', path: `/v1/kv/${encodeKey(key)}${query}` } as const;
    return this.#call(request, options, false, ({ status, headers, body }) => {
      if (status === 404) return null;
      const revision = Number(headers.revision);
      return status === 200 && Number.isSafeInteger(revision) ? { value: body, revision } : undefined;
    });
  }

  /** @param options `revision`: writes only when the key's revision is that (0: the key is missing), else `cas-mismatch` */
  put(
    key: Bytes,
    value: Bytes,
    options: CallOptions & { revision?: number } = {},
  ): Promise<Result<{ revision: number }>> {
    const query = options.revision === undefined ? '' : `?revision=${options.revision}`;
    const request = { method: 'PUT', path: `/v1/kv/${encodeKey(key)}${query}`, body: toBytes(value) } as const;
    return this.#call(request, options, true, json(withRevision));
  }

  /**
   * Watches all keys with a prefix for a while.
   * @param options `from`: the first revision wanted, else whatever comes next; `collectMs`: how long, after it began
   * @returns what it was told, in the order in which it was; `compacted` when `from` is no longer kept
   */
  watch(
    prefix: string,
    { from, collectMs, ...options }: CallOptions & { readonly from?: number; readonly collectMs: number },
  ): Promise<Result<readonly WatchedChange[] | 'compacted'>> {
    const query = `prefix=${encodeKey(prefix)}${from === undefined ? '' : `&from=${from}`}`;
    const request = { method: 'GET', path: `/v1/watch?${query}`, collectMs } as const;
    return this.#call(request, options, false, ({ status, body }) =>
      status === 404 ? 'compacted' : watchedIn(textOf(body)),
    );
  }

  delete(key: Bytes, options: CallOptions = {}): Promise<Result<{ revision: number; deleted: boolean }>> {
    const request = { method: 'DELETE', path: `/v1/kv/${encodeKey(key)}` } as const;
    return this.#call(
      request,
      options,
      true,
      json((body) => {
        const revised = withRevision(body);
        return revised && typeof body.deleted === 'boolean' ? { ...revised, deleted: body.deleted } : undefined;
      }),
    );
  }

  /** Writes `value` when the key's value is `expected` (null: the key is missing); otherwise fails with `cas-mismatch`. */
  cas(
    key: Bytes,
    expected: Bytes | null,
    value: Bytes,
    options: CallOptions = {},
  ): Promise<Result<{ revision: number }>> {
    const body = { expected: expected === null ? null : toJsonBytes(expected), value: toJsonBytes(value) };
    return this.#post(`/v1/cas/${encodeKey(key)}`, body, options, true, json(withRevision));
  }

  /** Appends an element to the key's list. `length`: of the list, the element included. */
  append(key: Bytes, element: Bytes, options: CallOptions = {}): Promise<Result<{ revision: number; length: number }>> {
    const request = { method: 'POST', path: `/v1/append/${encodeKey(key)}`, body: toBytes(element) } as const;
    return this.#call(
      request,
      options,
      true,
      json((body) => {
        const revised = withRevision(body);
        return revised && typeof body.length === 'number' ? { ...revised, length: body.length } : undefined;
      }),
    );
  }

  /** `success` when all comparisons hold, else `failure`; in one step. */
  txn(
    txn: Txn,
    options: CallOptions = {},
  ): Promise<Result<{ revision: number; succeeded: boolean; results: readonly TxnResult[] }>> {
    const body = {
      compare: txn.compare.map((compare) => ({
        ...compare,
        key: toJsonBytes(compare.key),
        ...('value' in compare ? { value: compare.value === null ? null : toJsonBytes(compare.value) } : {}),
      })),
      // biome-ignore lint/suspicious/noThenProperty: the wire's name; the object is only turned into JSON
      then: txn.success.map(opJson),
      else: txn.failure.map(opJson),
    };
    return this.#post(
      '/v1/txn',
      body,
      options,
      true,
      json((answer) => {
        const revised = withRevision(answer);
        const results = Array.isArray(answer.results) ? answer.results.map(txnResult) : [undefined];
        return revised && typeof answer.succeeded === 'boolean' && results.every((result) => result !== undefined)
          ? { ...revised, succeeded: answer.succeeded, results }
          : undefined;
      }),
    );
  }

  /** Keys in [from, to), in byte order; at most `limit`. */
  range(
    range: { from: Bytes; to: Bytes; limit: number },
    options: CallOptions & { read?: ReadMode } = {},
  ): Promise<Result<{ revision: number; items: readonly Item[] }>> {
    const read = options.read === undefined ? '' : `&read=${options.read}`;
    const path = `/v1/range?from=${encodeKey(range.from)}&to=${encodeKey(range.to)}&limit=${range.limit}${read}`;
    return this.#call(
      { method: 'GET', path },
      options,
      false,
      json((body) => {
        const revised = withRevision(body);
        const items = Array.isArray(body.items) ? body.items.map(itemOf) : [undefined];
        return revised && items.every((item) => item !== undefined) ? { ...revised, items } : undefined;
      }),
    );
  }

  /** Opens a session, for writes that take effect once however often they are retried. */
  openSession(options: CallOptions = {}): Promise<Result<{ session: string }>> {
    return this.#post(
      '/v1/sessions',
      undefined,
      options,
      true,
      json((body) => (typeof body.session === 'string' ? { session: body.session } : undefined)),
    );
  }

  /** What the node itself believes; it asks nobody. */
  status(options: CallOptions = {}): Promise<Result<Status>> {
    return this.#call({ method: 'GET', path: '/v1/status' }, options, false, json(statusOf));
  }

  members(options: CallOptions = {}): Promise<Result<readonly Member[]>> {
    return this.#call({ method: 'GET', path: '/v1/members' }, options, false, json(membersOf));
  }

  addMember(
    member: { id: string; url: string; learner?: boolean },
    options: CallOptions = {},
  ): Promise<Result<readonly Member[]>> {
    return this.#post('/v1/members', member, options, true, json(membersOf));
  }

  promoteMember(id: string, options: CallOptions = {}): Promise<Result<readonly Member[]>> {
    return this.#post(`/v1/members/${encodeKey(id)}/promote`, undefined, options, true, json(membersOf));
  }

  removeMember(id: string, options: CallOptions = {}): Promise<Result<readonly Member[]>> {
    return this.#call({ method: 'DELETE', path: `/v1/members/${encodeKey(id)}` }, options, true, json(membersOf));
  }

  /** Asks the leader to hand over to another member; resolves when that one leads. */
  transferLeader(to: string, options: CallOptions = {}): Promise<Result<{ leader: string }>> {
    return this.#post(
      '/v1/leader',
      { to },
      options,
      true,
      json((body) => (typeof body.leader === 'string' ? { leader: body.leader } : undefined)),
    );
  }

  /** Has the node take a snapshot of its own state now, and let go of the log behind it. */
  takeSnapshot(options: CallOptions = {}): Promise<Result<{ index: number }>> {
    return this.#post(
      '/v1/snapshot',
      undefined,
      options,
      true,
      json((body) => (typeof body.index === 'number' ? { index: body.index } : undefined)),
    );
  }

  /** Several changes at once, through a joint configuration. */
  changeMembers(changes: readonly MemberChange[], options: CallOptions = {}): Promise<Result<readonly Member[]>> {
    return this.#post('/v1/members', { changes }, options, true, json(membersOf));
  }

  #post<T>(path: string, body: unknown, options: CallOptions, isWrite: boolean, parse: Parse<T>): Promise<Result<T>> {
    const bytes = body === undefined ? new Uint8Array() : utf8Of(JSON.stringify(body));
    return this.#call({ method: 'POST', path, body: bytes }, options, isWrite, parse);
  }

  #call<T>(
    call: Pick<ExchangeRequest, 'method' | 'path' | 'body' | 'collectMs'>,
    options: CallOptions,
    isWrite: boolean,
    parse: Parse<T>,
  ): Promise<Result<T>> {
    const timeoutMs = options.timeoutMs ?? 5000;
    const headers: Record<string, string> = { 'timeout-ms': String(Math.ceil(timeoutMs)) };
    if (options.operationId !== undefined) headers['operation-id'] = options.operationId;
    if (options.session !== undefined) {
      headers.session = options.session.id;
      headers.sequence = String(options.session.sequence);
    }
    return new Promise((resolve) => {
      this.#exchange(this.#node, { ...call, headers, timeoutMs }, (result) => {
        if (result.type === 'failure') return resolve(failureOf(result, isWrite));
        const isAnswer = (result.status >= 200 && result.status < 300) || (!isWrite && result.status === 404);
        if (!isAnswer) return resolve(failureOf(result, isWrite));
        const value = parse(result);
        return resolve(value === undefined ? unintelligible(result.status, isWrite) : { ok: true, value });
      });
    });
  }
}

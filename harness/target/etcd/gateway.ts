import { z } from 'zod';
import type { Exchange, ExchangeResult, Failure, Result } from '../../../system/client/index.ts';
import type { CallOptions, Condition, Found, VersionedStore } from '../versioned-store.ts';

/** What a node of etcd says of itself. */
export interface EtcdStatus {
  readonly member: string;
  readonly leader: string;
  readonly term: number;
  readonly applied: number;
}

const timeoutMs = 5000;
const base64 = z.string().transform((text) => Buffer.from(text, 'base64').toString('utf8'));
const integer = z.coerce.number().int();

/** gRPC's gateway leaves out what is zero, false or empty. */
const range = z.object({
  kvs: z.array(z.object({ value: base64.default(''), mod_revision: integer })).default([]),
});
const txn = z.object({
  succeeded: z.boolean().default(false),
  responses: z.array(z.object({ response_range: range.optional() })).default([]),
});
const status = z.object({
  header: z.object({ member_id: z.string() }),
  leader: z.string().default('0'),
  raftTerm: integer,
  raftAppliedIndex: integer,
});
const hash = z.object({ hash: z.number().default(0) });
const refusal = z.object({ message: z.string(), code: z.number() });

/** gRPC's codes of requests that were refused before they were proposed: invalid argument, out of range, exhausted. */
const refusedCodes: ReadonlySet<number> = new Set([3, 8, 11]);

/** A node of etcd over the JSON gateway on its client port (etcd's `rpc.proto`, version 3.4). */
export class EtcdGateway {
  readonly #node: string;
  readonly #exchange: Exchange;

  /** @param node `http://127.0.0.1:2379` */
  constructor(node: string, exchange: Exchange) {
    this.#node = node;
    this.#exchange = exchange;
  }

  /** @param isSerializable reads what the node itself has, as old as it may be */
  store(isSerializable: boolean): VersionedStore {
    return {
      read: (keys, options) => this.#read(keys, isSerializable, options),
      write: (conditions, writes, options) => this.#write(conditions, writes, options),
    };
  }

  /** undefined when it does not answer */
  async status(): Promise<EtcdStatus | undefined> {
    const result = await this.#post('maintenance/status', {}, status, { timeoutMs: 1000 }, false);
    if (!result.ok) return undefined;
    const { header, leader, raftTerm: term, raftAppliedIndex: applied } = result.value;
    return { member: header.member_id, leader, term, applied };
  }

  /** Of all that is stored; undefined when it does not answer. */
  async hash(): Promise<string | undefined> {
    const result = await this.#post('maintenance/hash', {}, hash, { timeoutMs: 1000 }, false);
    return result.ok ? String(result.value.hash) : undefined;
  }

  async #read(
    keys: readonly string[],
    isSerializable: boolean,
    options: CallOptions,
  ): Promise<Result<readonly Found[]>> {
    const success = keys.map((key) => ({ request_range: { key: encoded(key), serializable: isSerializable } }));
    const result = await this.#post('kv/txn', { success }, txn, options, false);
    if (!result.ok) return result;
    const found = keys.map((_, at): Found => {
      const [kv] = result.value.responses[at]?.response_range?.kvs ?? [];
      return kv === undefined ? { value: null, revision: 0 } : { value: kv.value, revision: kv.mod_revision };
    });
    return { ok: true, value: found };
  }

  async #write(
    conditions: readonly Condition[],
    writes: readonly (readonly [key: string, value: string])[],
    options: CallOptions,
  ): Promise<Result<boolean>> {
    const compare = conditions.map((condition) => ({
      key: encoded(condition.key),
      result: 'EQUAL',
      ...('revision' in condition
        ? { target: 'MOD', mod_revision: condition.revision }
        : condition.value === null
          ? { target: 'VERSION', version: 0 }
          : { target: 'VALUE', value: encoded(condition.value) }),
    }));
    const success = writes.map(([key, value]) => ({ request_put: { key: encoded(key), value: encoded(value) } }));
    const result = await this.#post('kv/txn', { compare, success }, txn, options, true);
    return result.ok ? { ok: true, value: result.value.succeeded } : result;
  }

  #post<T>(
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    options: CallOptions,
    isWrite: boolean,
  ): Promise<Result<T>> {
    const request = {
      method: 'POST',
      path: `/v3/${path}`,
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode(JSON.stringify(body)),
      timeoutMs: options.timeoutMs ?? timeoutMs,
    } as const;
    return new Promise((resolve) => {
      this.#exchange(this.#node, request, (result) => resolve(resultOf(result, schema, isWrite)));
    });
  }
}

/** Only what certainly was not proposed did not happen; a read never has an effect. */
function resultOf<T>(result: ExchangeResult, schema: z.ZodType<T>, isWrite: boolean): Result<T> {
  const failed = (certainlyNot: boolean, error: string, message: string): Failure => ({
    ok: false,
    outcome: certainlyNot || !isWrite ? 'none' : 'unknown',
    error,
    message,
  });
  if (result.type === 'failure') return failed(!result.sent, result.error, result.message);
  const body = parsed(result.body);
  if (result.status === 200) {
    const answer = schema.safeParse(body);
    if (answer.success) return { ok: true, value: answer.data };
    return failed(false, 'unintelligible-answer', answer.error.message);
  }
  const { message, code } = refusal.safeParse(body).data ?? { message: `status ${result.status}`, code: -1 };
  return failed(refusedCodes.has(code), message.replace(/^etcdserver: /, '').replaceAll(' ', '-'), message);
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

function encoded(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

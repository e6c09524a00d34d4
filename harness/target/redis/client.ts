import type { Value } from '../../../checker/history/op.ts';
import { asyncClient } from '../async-client.ts';
import { type Client, type Outcome, observed, type Request } from '../target.ts';
import { RedisConnection, RedisRefusal } from './connection.ts';

/** A server's answers by which it says that it did nothing. */
const refusals: ReadonlySet<string> = new Set(['READONLY', 'LOADING', 'MASTERDOWN', 'NOREPLICAS', 'NOAUTH', 'MISCONF']);

/** Sets the key when it holds what is expected; an empty text stands for no value. Redis runs scripts one at a time. */
const compareAndSet = `
local held = redis.call('GET', KEYS[1])
if (held or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`;

interface Operation {
  readonly isRead: boolean;
  readonly words: (key: string, value: Value) => readonly [command: string, ...words: string[]];
  readonly outcome: (answer: unknown) => Outcome;
}

const done = (): Outcome => ({ type: 'ok' });

const operations: { readonly [workload: string]: { readonly [f: string]: Operation } } = {
  register: {
    read: {
      isRead: true,
      words: (key) => ['GET', key],
      outcome: (answer) => ({ type: 'ok', value: answer === null ? null : parse(answer) }),
    },
    write: { isRead: false, words: (key, value) => ['SET', key, JSON.stringify(value)], outcome: done },
    cas: {
      isRead: false,
      words(key, value) {
        const [expected = null, next = null] = Array.isArray(value) ? (value as readonly Value[]) : [];
        const before = expected === null ? '' : JSON.stringify(expected);
        return ['EVAL', compareAndSet, '1', key, before, JSON.stringify(next)];
      },
      outcome: (answer) => (answer === 1 ? { type: 'ok' } : observed('cas-mismatch')),
    },
  },
  set: {
    add: { isRead: false, words: (key, value) => ['SADD', key, JSON.stringify(value)], outcome: done },
    read: {
      isRead: true,
      words: (key) => ['SMEMBERS', key],
      outcome: (answer) => ({ type: 'ok', value: Array.isArray(answer) ? answer.map(parse) : [] }),
    },
  },
};

export const redisWorkloads: readonly string[] = Object.keys(operations);

/**
 * A client as sentinel's guidelines for clients have it: asks a sentinel for the primary, asks that one for its role,
 * and stays with it until the connection fails or the server says that it is no primary.
 * @param primary the address of the primary, by the sentinel of this client's node; undefined when it knows none
 */
export function redisClient(primary: () => Promise<string | undefined>, workload: string, timeoutMs: number): Client {
  let connection: RedisConnection | undefined;
  const drop = () => {
    connection?.close();
    connection = undefined;
  };
  /** @throws when there is no primary to be reached; nothing of the operation was sent then */
  const connect = async (): Promise<RedisConnection> => {
    if (connection?.isOpen) return connection;
    drop();
    const address = await primary();
    if (address === undefined) throw new Error('no-primary');
    connection = await RedisConnection.open(address, timeoutMs);
    const role = await connection.call('ROLE');
    if (Array.isArray(role) && role[0] === 'master') return connection;
    throw new Error('not-primary');
  };
  const perform = async ({ f, key, value = null }: Request): Promise<Outcome> => {
    const operation = operations[workload]?.[f];
    if (operation === undefined) return { type: 'fail', error: `unknown-operation ${f}` };
    let connected: RedisConnection;
    try {
      connected = await connect();
    } catch (error) {
      drop();
      return { type: 'fail', error: told(error) };
    }
    try {
      return operation.outcome(await connected.call(...operation.words(String(key), value)));
    } catch (error) {
      drop();
      const isRefused = error instanceof RedisRefusal && refusals.has(error.code);
      return { type: isRefused || operation.isRead ? 'fail' : 'info', error: told(error) };
    }
  };
  return asyncClient(perform, drop);
}

function told(error: unknown): string {
  if (error instanceof RedisRefusal) return error.code.toLowerCase();
  const message = error instanceof Error ? error.message : String(error);
  return message === 'Command timed out' ? 'timeout' : message.toLowerCase().replaceAll(/[\s.]+/g, '-');
}

/** What is no JSON was never written by a run; it is shown as it is, for a checker to refuse. */
function parse(text: unknown): Value {
  try {
    return JSON.parse(String(text)) as Value;
  } catch {
    return String(text);
  }
}

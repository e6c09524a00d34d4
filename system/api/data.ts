import { DEFAULT_LIMITS, encodeCommand, isWithin, type Operation, type Result } from '../kv/index.ts';
import { ENVELOPE_BYTES } from '../node/envelope.ts';
import type { Node } from '../node/node.ts';
import type { ProposalOutcome } from '../node/proposals.ts';
import type { Applied } from '../node/proposer.ts';
import type { Clock } from '../ports.ts';
import { answer, itemJson, readFailed, refusedByStore, resultJson } from './answers.ts';
import { type Answer, type Call, methodNotAllowed } from './call.ts';
import { bad, compares, jsonBody, jsonBytes, naturalNumber, toJson, txnOperations } from './parse.ts';
import { type ApiResponse, failure, json } from './request.ts';
import { watch } from './watch.ts';

const rangeLimitDefault = 1_000;
const rangeLimitMax = 10_000;

const readModes = ['linearizable', 'lease', 'serializable'] as const;
type ReadMode = (typeof readModes)[number];

/** What clients keep in the store: keys, ranges, transactions, watches, sessions. */
export class DataApi {
  readonly #node: Node;
  readonly #clock: Clock;

  constructor(node: Node, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  kv(call: Call): Answer {
    const { request, key } = call;
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        call.allowQuery('read');
        return this.read(call, key, readMode(call));
      case 'PUT': {
        call.allowQuery('revision');
        return this.propose(call, { type: 'put', key, value: request.body, ...ifRevision(call) }, resultJson);
      }
      case 'DELETE': {
        call.allowQuery('revision');
        return this.propose(call, { type: 'delete', key, ...ifRevision(call) }, resultJson);
      }
      default:
        return methodNotAllowed('GET, HEAD, PUT, DELETE');
    }
  }

  cas(call: Call): Answer {
    call.allowQuery();
    const body = jsonBody(call.request.body);
    if (body.expected === undefined) throw bad('expected is missing (null: the key must not exist)');
    const expected = body.expected === null ? null : jsonBytes(body.expected, 'expected');
    const value = jsonBytes(body.value, 'value');
    return this.propose(call, { type: 'cas', key: call.key, expected, value }, resultJson);
  }

  append(call: Call): Answer {
    call.allowQuery();
    return this.propose(call, { type: 'append', key: call.key, element: call.request.body }, resultJson);
  }

  txn(call: Call): Answer {
    call.allowQuery();
    const body = jsonBody(call.request.body);
    const operation: Operation = {
      type: 'txn',
      compare: compares(body.compare),
      // biome-ignore lint/suspicious/noThenProperty: the transaction's own word; nobody awaits an operation
      then: txnOperations(body.then, 'then', rangeLimitMax),
      else: txnOperations(body.else, 'else', rangeLimitMax),
    };
    return this.propose(call, operation, resultJson);
  }

  range(call: Call): Answer {
    call.allowQuery('from', 'to', 'limit', 'read', 'revision');
    const { query } = call;
    const to = query.get('to');
    const revision = call.queryNumber('revision');
    const range = {
      from: query.get('from') ?? '',
      limit: call.queryNumber('limit', rangeLimitMax) ?? rangeLimitDefault,
      ...(to === undefined ? {} : { to }),
      ...(revision === undefined ? {} : { revision }),
    };
    return this.#whenReadable(call, readMode(call), () => {
      const found = this.#node.store.range(range);
      if (found === 'compacted') return failure(404, 'compacted', 'the revision is no longer kept');
      if (found === 'future') return failure(404, 'future', 'there is no such revision yet');
      return json(200, { revision: found.revision, items: found.items.map(itemJson), more: found.more });
    });
  }

  watch(call: Call): Answer {
    call.allowQuery('key', 'prefix', 'from');
    const key = call.query.get('key');
    const prefix = call.query.get('prefix');
    if ((key === undefined) === (prefix === undefined)) throw bad('either key or prefix');
    const filter = key === undefined ? { prefix: prefix ?? '' } : { key };
    // A browser's EventSource resumes with the last id that it saw.
    const last = naturalNumber(call.request.headers['last-event-id'], 'Last-Event-ID');
    const from = last === undefined ? call.queryNumber('from') : last + 1;
    // "Now" is at least as new as every write that was acknowledged before.
    return this.#whenReadable(call, 'linearizable', () => watch(this.#node.store, this.#clock, filter, from));
  }

  openSession(call: Call): Answer {
    call.allowQuery();
    return this.propose(call, { type: 'open-session' }, resultJson);
  }

  closeSession(call: Call): Answer {
    call.allowQuery();
    const id = naturalNumber(call.name, 'the session') ?? 0;
    return this.propose(call, { type: 'close-session', id }, resultJson);
  }

  read(call: Call, key: string, mode: ReadMode): Answer {
    return this.#whenReadable(call, mode, () => this.#value(key));
  }

  /** @param success says how the result of a command that took effect looks */
  propose(call: Call, operation: Operation, success: (result: Result) => ApiResponse): Answer {
    // The state machine would say the same, but only once it has taken a place in the log.
    if (!isWithin(operation, DEFAULT_LIMITS)) return refusedByStore('too-large');
    const { operationId, session } = call;
    const isPlain = operationId === undefined && session === undefined;
    const command = encodeCommand(isPlain ? operation : { ...operation, operationId, session }, ENVELOPE_BYTES);
    this.#node.propose(command, call.deadlineMs, (outcome: ProposalOutcome<Applied>) => {
      call.respond(answer(outcome, success));
    });
    return undefined;
  }

  #whenReadable(call: Call, mode: ReadMode, read: () => ApiResponse): Answer {
    this.#node.read(mode, call.deadlineMs, (outcome) => {
      call.respond(outcome.type === 'ready' ? read() : readFailed(outcome));
    });
    return undefined;
  }

  #value(key: string): ApiResponse {
    const item = this.#node.store.get(key);
    if (item === undefined) return failure(404, 'not-found', 'there is no such key');
    const revision = String(item.revision);
    if (item.value instanceof Uint8Array) {
      const headers = { 'Content-Type': 'application/octet-stream', Revision: revision };
      return { status: 200, headers, body: item.value };
    }
    const { headers, ...list } = json(200, toJson(item.value));
    return { ...list, headers: { ...headers, Revision: revision, 'Value-Type': 'list' } };
  }
}

function ifRevision(call: Call): { readonly ifRevision?: number } {
  const revision = call.queryNumber('revision');
  return revision === undefined ? {} : { ifRevision: revision };
}

function readMode(call: Call): ReadMode {
  const text = call.query.get('read');
  if (text === undefined) return 'linearizable';
  const mode = readModes.find((one) => one === text);
  if (mode === undefined) throw bad(`read is none of ${readModes.join(', ')}`);
  return mode;
}

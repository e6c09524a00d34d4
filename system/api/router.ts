import { encodeCommand, OPERATION_ID_BYTES_MAX, type Operation, type Result, type SessionUse } from '../kv/index.ts';
import { addressOf } from '../node/config.ts';
import { ENVELOPE_BYTES } from '../node/envelope.ts';
import type { Applied, MemberChange, Node } from '../node/node.ts';
import type { ProposalOutcome } from '../node/proposals.ts';
import type { Clock } from '../ports.ts';
import { answer, itemJson, readFailed, refused, resultJson, unknown } from './answers.ts';
import { HttpError } from './http-parser.ts';
import { metricsAnswer, type RequestKind, RequestMetrics } from './metrics.ts';
import {
  allowQuery,
  bad,
  compares,
  decodePercent,
  jsonBody,
  jsonBytes,
  naturalNumber,
  splitTarget,
  toJson,
  txnOperations,
} from './parse.ts';
import { type ApiRequest, type ApiResponse, empty, failure, json } from './request.ts';
import { watch } from './watch.ts';

export interface RouterParts {
  readonly node: Node;
  readonly clock: Clock;
  /** Differs between starts of the node. */
  readonly incarnation: string;
}

type Respond = (response: ApiResponse) => void;

/** An answer at once, or undefined: `respond` is called later. */
type Answer = ApiResponse | undefined;

const timeoutMsDefault = 5_000;
const timeoutMsMax = 60_000;
const kvPath = '/v1/kv/';
const rangeLimitDefault = 1_000;
const rangeLimitMax = 10_000;

const readModes = ['linearizable', 'lease', 'serializable'] as const;
type ReadMode = (typeof readModes)[number];

/**
 * The HTTP API below the socket (docs/api.md): one request in, one answer out, in this turn or a later one. What is
 * refused here, before anything was proposed, is refused for certain.
 */
export function createRouter(parts: RouterParts): (request: ApiRequest, respond: Respond) => void {
  const router = new Router(parts);
  return (request, done) => {
    const startedMs = parts.clock.monotonicMs();
    const kind = kindOf(request);
    const respond: Respond = (response) => {
      router.metrics.answered(kind, response.status, parts.clock.monotonicMs() - startedMs);
      done(response);
    };
    try {
      const now = router.route(request, respond);
      if (now !== undefined) respond(now);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      respond(failure(error.status, error.code, error.message));
    }
  };
}

function kindOf({ method, target }: ApiRequest): RequestKind {
  if (method !== 'GET' && method !== 'HEAD') return 'write';
  if (target === '/metrics') return 'other';
  const ofData = !target.startsWith('/v1/') || target.startsWith('/v1/kv/') || target.startsWith('/v1/range');
  return ofData ? 'read' : 'other';
}

class Router {
  readonly metrics = new RequestMetrics();
  readonly #node: Node;
  readonly #clock: Clock;
  readonly #incarnation: string;

  constructor({ node, clock, incarnation }: RouterParts) {
    this.#node = node;
    this.#clock = clock;
    this.#incarnation = incarnation;
  }

  route(request: ApiRequest, respond: Respond): Answer {
    const { path, query } = splitTarget(request.target);
    if (path === '/metrics' && request.method === 'GET') return metricsAnswer(this.#node, this.metrics);
    if (!path.startsWith('/v1/')) return this.#root(request, path, respond);
    // Keys may hold unencoded slashes, as in raftexample.
    if (path.startsWith(kvPath)) {
      return this.#kv({ request, query, respond, name: decodePercent(path.slice(kvPath.length)) });
    }
    const [, , resource = '', ...rest] = path.split('/');
    const name = rest[0];
    const call: Call = { request, query, respond, name: name === undefined ? undefined : decodePercent(name) };
    const last = rest.length;
    switch (resource) {
      case 'cas':
        return this.#cas({ ...call, name: decodePercent(rest.join('/')) });
      case 'append':
        return this.#append({ ...call, name: decodePercent(rest.join('/')) });
      case 'txn':
        if (last === 0) return this.#txn(call);
        break;
      case 'range':
        if (last === 0) return this.#range(call);
        break;
      case 'watch':
        if (last === 0) return this.#watch(call);
        break;
      case 'sessions':
        if (last <= 1) return this.#sessions(call);
        break;
      case 'status':
        if (last === 0) return this.#status(call);
        break;
      case 'hash':
        if (last === 0) return this.#hash(call);
        break;
      case 'health':
        if (last === 0) return this.#health(call);
        break;
      case 'leader':
        if (last === 0) return this.#leader(call);
        break;
      case 'snapshot':
        if (last === 0) return this.#snapshot(call);
        break;
      case 'members':
        if (last <= 1 || (last === 2 && rest[1] === 'promote')) return this.#members(call, last === 2);
        break;
    }
    return failure(404, 'no-such-resource', `there is no ${path}`);
  }

  /** As raftexample: the path is the key, or for POST and DELETE a node's id. */
  #root(request: ApiRequest, path: string, respond: Respond): Answer {
    const key = decodePercent(path.slice(1));
    const call: Call = { request, query: new Map(), respond, name: key };
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return this.#read(call, keyOf(call), 'linearizable');
      case 'PUT': {
        const operation: Operation = { type: 'put', key: keyOf(call), value: request.body };
        return this.#propose(call, operation, () => empty(204));
      }
      case 'POST': {
        const url = new TextDecoder().decode(request.body).trim();
        return this.#change(call, { kind: 'add', id: idOf(call), url: urlOf(url) }, () => empty(204));
      }
      case 'DELETE':
        return this.#change(call, { kind: 'remove', id: idOf(call) }, () => empty(204));
      default:
        return methodNotAllowed('GET, HEAD, PUT, POST, DELETE');
    }
  }

  #kv(call: Call): Answer {
    const { request, query } = call;
    const key = keyOf(call);
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        allowQuery(query, 'read');
        return this.#read(call, key, readMode(query.get('read')));
      case 'PUT': {
        allowQuery(query, 'revision');
        const ifRevision = naturalNumber(query.get('revision'), 'revision');
        const condition = ifRevision === undefined ? {} : { ifRevision };
        return this.#propose(call, { type: 'put', key, value: request.body, ...condition }, resultJson);
      }
      case 'DELETE': {
        allowQuery(query, 'revision');
        const ifRevision = naturalNumber(query.get('revision'), 'revision');
        const condition = ifRevision === undefined ? {} : { ifRevision };
        return this.#propose(call, { type: 'delete', key, ...condition }, resultJson);
      }
      default:
        return methodNotAllowed('GET, HEAD, PUT, DELETE');
    }
  }

  #cas(call: Call): Answer {
    if (call.request.method !== 'POST') return methodNotAllowed('POST');
    allowQuery(call.query);
    const body = jsonBody(call.request.body);
    if (body.expected === undefined) throw bad('expected is missing (null: the key must not exist)');
    const expected = body.expected === null ? null : jsonBytes(body.expected, 'expected');
    const value = jsonBytes(body.value, 'value');
    return this.#propose(call, { type: 'cas', key: keyOf(call), expected, value }, resultJson);
  }

  #append(call: Call): Answer {
    if (call.request.method !== 'POST') return methodNotAllowed('POST');
    allowQuery(call.query);
    return this.#propose(call, { type: 'append', key: keyOf(call), element: call.request.body }, resultJson);
  }

  #txn(call: Call): Answer {
    if (call.request.method !== 'POST') return methodNotAllowed('POST');
    allowQuery(call.query);
    const body = jsonBody(call.request.body);
    const operation: Operation = {
      type: 'txn',
      compare: compares(body.compare),
      // biome-ignore lint/suspicious/noThenProperty: the transaction's own word; nobody awaits an operation
      then: txnOperations(body.then, 'then', rangeLimitMax),
      else: txnOperations(body.else, 'else', rangeLimitMax),
    };
    return this.#propose(call, operation, resultJson);
  }

  #range(call: Call): Answer {
    if (call.request.method !== 'GET') return methodNotAllowed('GET');
    allowQuery(call.query, 'from', 'to', 'limit', 'read', 'revision');
    const { query } = call;
    const to = query.get('to');
    const revision = naturalNumber(query.get('revision'), 'revision');
    const limit = naturalNumber(query.get('limit'), 'limit', rangeLimitMax) ?? rangeLimitDefault;
    const range = {
      from: query.get('from') ?? '',
      limit,
      ...(to === undefined ? {} : { to }),
      ...(revision === undefined ? {} : { revision }),
    };
    return this.#whenReadable(call, readMode(query.get('read')), () => {
      const found = this.#node.store.range(range);
      if (found === 'compacted') return failure(404, 'compacted', 'the revision is no longer kept');
      if (found === 'future') return failure(404, 'future', 'there is no such revision yet');
      return json(200, { revision: found.revision, items: found.items.map(itemJson), more: found.more });
    });
  }

  #watch(call: Call): Answer {
    const { request, query } = call;
    if (request.method !== 'GET') return methodNotAllowed('GET');
    allowQuery(query, 'key', 'prefix', 'from');
    const key = query.get('key');
    const prefix = query.get('prefix');
    if ((key === undefined) === (prefix === undefined)) throw bad('either key or prefix');
    const filter = key === undefined ? { prefix: prefix ?? '' } : { key };
    // A browser's EventSource resumes with the last id that it saw.
    const last = naturalNumber(request.headers['last-event-id'], 'Last-Event-ID');
    const from = last === undefined ? naturalNumber(query.get('from'), 'from') : last + 1;
    // "Now" is at least as new as every write that was acknowledged before.
    return this.#whenReadable(call, 'linearizable', () => watch(this.#node.store, this.#clock, filter, from));
  }

  #sessions(call: Call): Answer {
    allowQuery(call.query);
    if (call.name === undefined) {
      if (call.request.method !== 'POST') return methodNotAllowed('POST');
      return this.#propose(call, { type: 'open-session' }, resultJson);
    }
    if (call.request.method !== 'DELETE') return methodNotAllowed('DELETE');
    const id = naturalNumber(call.name, 'the session');
    return this.#propose(call, { type: 'close-session', id: id ?? 0 }, resultJson);
  }

  #status(call: Call): Answer {
    if (call.request.method !== 'GET') return methodNotAllowed('GET');
    const node = this.#node;
    const { hardState, softState, lastIndex } = node.basicStatus();
    const body = {
      id: String(node.config.id),
      clusterId: node.config.clusterId,
      role: softState.role,
      term: hardState.term,
      leader: softState.leader === 0 ? null : String(softState.leader),
      commit: hardState.commit,
      applied: node.appliedIndex,
      lastIndex,
      snapshotIndex: node.snapshotIndex,
      revision: node.store.revision,
      members: this.#membersJson(),
      hash: node.store.hash(),
      clock: { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() },
      incarnation: this.#incarnation,
    };
    return json(200, body);
  }

  #hash(call: Call): Answer {
    if (call.request.method !== 'GET') return methodNotAllowed('GET');
    const { store, appliedIndex } = this.#node;
    return json(200, { applied: appliedIndex, revision: store.revision, hash: store.hash() });
  }

  /** Healthy: a leader is known, so that requests have a chance. */
  #health(call: Call): Answer {
    if (call.request.method !== 'GET') return methodNotAllowed('GET');
    const { leader } = this.#node.basicStatus().softState;
    return leader === 0 ? refused('no-leader') : json(200, { healthy: true, leader: String(leader) });
  }

  #leader(call: Call): Answer {
    const { request, respond } = call;
    if (request.method !== 'POST') return methodNotAllowed('POST');
    const to = jsonBody(request.body).to;
    const target = typeof to === 'string' ? naturalNumber(to, 'to') : undefined;
    if (target === undefined || target === 0) throw bad('to is not the id of a node');
    const { leader } = this.#node.basicStatus().softState;
    if (leader === target) return json(200, { leader: String(leader) });
    const refusal = this.#node.transferLeader(target);
    if (refusal === 'not-leader') {
      const where = leader === 0 ? 'no leader is known' : `ask the leader, node ${leader}`;
      return failure(503, 'not-leader', `this node does not lead; ${where}`);
    }
    if (refusal === 'not-a-voter') throw bad(`node ${target} is not a voter`);
    const deadlineMs = this.#deadline(request);
    const look = () => {
      if (this.#node.basicStatus().softState.leader === target) respond(json(200, { leader: String(target) }));
      else if (this.#clock.monotonicMs() >= deadlineMs) respond(unknown('timeout'));
      else this.#clock.setTimer(20, look);
    };
    this.#clock.setTimer(1, look);
    return undefined;
  }

  #snapshot({ request, query, respond }: Call): Answer {
    if (request.method !== 'POST') return methodNotAllowed('POST');
    allowQuery(query);
    void this.#node.takeSnapshot().then((index) => {
      respond(index === undefined ? refused('disk-full') : json(200, { index }));
    });
    return undefined;
  }

  #members(call: Call, promote: boolean): Answer {
    const { request } = call;
    allowQuery(call.query);
    const done = () => json(200, { members: this.#membersJson() });
    if (promote) {
      if (request.method !== 'POST') return methodNotAllowed('POST');
      return this.#change(call, { kind: 'promote', id: idOf(call) }, done);
    }
    if (call.name !== undefined) {
      if (request.method !== 'DELETE') return methodNotAllowed('DELETE');
      return this.#change(call, { kind: 'remove', id: idOf(call) }, done);
    }
    if (request.method === 'GET') return done();
    if (request.method !== 'POST') return methodNotAllowed('GET, POST');
    const body = jsonBody(request.body);
    if (!Array.isArray(body.changes)) return this.#changeAll(call, [memberChange(body)], done);
    const changes = body.changes.map((one: unknown) => {
      if (typeof one !== 'object' || one === null) throw bad('a change is not an object');
      return memberChange(one as { readonly [name: string]: unknown });
    });
    return this.#changeAll(call, changes, done);
  }

  #change(call: Call, change: MemberChange, success: () => ApiResponse): Answer {
    return this.#changeAll(call, [change], success);
  }

  #changeAll(call: Call, changes: readonly MemberChange[], success: () => ApiResponse): Answer {
    const known = new Map(this.#node.members.map((member) => [member.id, member]));
    if (changes.length === 0) throw bad('no changes');
    for (const { kind, id } of changes) {
      if (this.#node.isRemovedMember(id)) throw bad(`node ${id} was removed; its id can never come back`);
      const member = known.get(id);
      if (kind === 'remove' && member === undefined) throw bad(`node ${id} is not a member`);
      if (kind === 'promote' && member?.learner !== true) throw bad(`node ${id} is not a learner`);
    }
    this.#node.proposeMembers(changes, this.#deadline(call.request), (outcome) => {
      if (outcome.type === 'applied') call.respond(success());
      else if (outcome.type === 'unknown') call.respond(unknown(outcome.reason));
      else if (outcome.reason !== 'superseded') call.respond(refused(outcome.reason));
      else {
        const message = 'another change of members is under way, or the leader changed; this one did not happen';
        call.respond(failure(503, 'change-refused', message));
      }
    });
    return undefined;
  }

  #membersJson(): unknown {
    return this.#node.members.map(({ id, url, learner }) => ({ id: String(id), url, learner }));
  }

  #read(call: Call, key: string, mode: ReadMode): Answer {
    return this.#whenReadable(call, mode, () => {
      const item = this.#node.store.get(key);
      if (item === undefined) return failure(404, 'not-found', 'there is no such key');
      const revision = String(item.revision);
      if (item.value instanceof Uint8Array) {
        const headers = { 'Content-Type': 'application/octet-stream', Revision: revision };
        return { status: 200, headers, body: item.value };
      }
      const { headers, ...list } = json(200, toJson(item.value));
      return { ...list, headers: { ...headers, Revision: revision, 'Value-Type': 'list' } };
    });
  }

  #whenReadable(call: Call, mode: ReadMode, read: () => ApiResponse): Answer {
    this.#node.read(mode, this.#deadline(call.request), (outcome) => {
      call.respond(outcome.type === 'ready' ? read() : readFailed(outcome));
    });
    return undefined;
  }

  #propose(call: Call, operation: Operation, success: (result: Result) => ApiResponse): Answer {
    const { request, respond } = call;
    const operationId = request.headers['operation-id'];
    if (operationId !== undefined && operationId.length > OPERATION_ID_BYTES_MAX) {
      throw bad(`Operation-Id has more than ${OPERATION_ID_BYTES_MAX} bytes`);
    }
    const session = sessionOf(request.headers);
    const named =
      operationId === undefined && session === undefined ? operation : { ...operation, operationId, session };
    const command = encodeCommand(named, ENVELOPE_BYTES);
    this.#node.propose(command, this.#deadline(request), (outcome: ProposalOutcome<Applied>) => {
      respond(answer(outcome, success));
    });
    return undefined;
  }

  #deadline(request: ApiRequest): number {
    const timeoutMs = naturalNumber(request.headers['timeout-ms'], 'Timeout-Ms', timeoutMsMax) ?? timeoutMsDefault;
    return this.#clock.monotonicMs() + timeoutMs;
  }
}

interface Call {
  readonly request: ApiRequest;
  readonly query: ReadonlyMap<string, string>;
  readonly respond: Respond;
  /** What follows the resource in the path: a key, an id. */
  readonly name: string | undefined;
}

function keyOf({ name }: Call): string {
  if (name === undefined || name === '') throw bad('the key is empty');
  return name;
}

function idOf({ name }: Call): number {
  const id = naturalNumber(name, "the node's id");
  if (id === undefined || id === 0) throw bad("a node's id is a number from 1");
  return id;
}

function urlOf(url: string): string {
  if (addressOf(url) === undefined) throw bad(`not a peer URL (http://HOST:PORT): ${url.slice(0, 200)}`);
  return url;
}

function memberChange(change: { readonly [name: string]: unknown }): MemberChange {
  const { id, url, learner, remove } = change;
  const number = typeof id === 'string' ? naturalNumber(id, 'id') : undefined;
  if (number === undefined || number === 0) throw bad('id is not the id of a node');
  if (remove === true) return { kind: 'remove', id: number };
  if (typeof url !== 'string') throw bad('url is missing');
  return { kind: learner === true ? 'add-learner' : 'add', id: number, url: urlOf(url) };
}

function sessionOf(headers: Readonly<Record<string, string>>): SessionUse | undefined {
  const session = naturalNumber(headers.session, 'Session');
  const sequence = naturalNumber(headers.sequence, 'Sequence');
  if (session === undefined && sequence === undefined) return undefined;
  if (session === undefined || sequence === undefined) throw bad('Session and Sequence go together');
  if (sequence === 0) throw bad('Sequence begins at 1');
  return { session, sequence };
}

function readMode(text: string | undefined): ReadMode {
  if (text === undefined) return 'linearizable';
  const mode = readModes.find((one) => one === text);
  if (mode === undefined) throw bad(`read is none of ${readModes.join(', ')}`);
  return mode;
}

function methodNotAllowed(allow: string): ApiResponse {
  return failure(405, 'method-not-allowed', `allowed: ${allow}`, { Allow: allow });
}

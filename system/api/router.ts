import type { Node } from '../node/node.ts';
import type { Clock } from '../ports.ts';
import { refused } from './answers.ts';
import { type Answer, Call, methodNotAllowed } from './call.ts';
import { DataApi } from './data.ts';
import { HttpError } from './http-parser.ts';
import { MembersApi, membersJson } from './members.ts';
import { metricsAnswer, RequestMetrics } from './metrics.ts';
import { decodePercent, splitTarget } from './parse.ts';
import { type ApiRequest, type ApiResponse, empty, failure, json } from './request.ts';

export interface RouterParts {
  readonly node: Node;
  readonly clock: Clock;
  /** Differs between starts of the node. */
  readonly incarnation: string;
}

type Respond = (response: ApiResponse) => void;

const kvPath = '/v1/kv/';

/**
 * The HTTP API below the socket (docs/api.md): one request in, one answer out, in this turn or a later one. What is
 * refused here, before anything was proposed, is refused for certain.
 */
export function createRouter(parts: RouterParts): (request: ApiRequest, respond: Respond) => void {
  const router = new Router(parts);
  const metrics = new RequestMetrics();
  return (request, done) => {
    const call = new Call(request, parts.clock, metrics, done);
    try {
      const { path, query } = splitTarget(request.target);
      call.query = query;
      const isMetrics = path === '/metrics' && request.method === 'GET';
      const now = isMetrics ? metricsAnswer(parts.node, metrics) : router.route(call, path);
      if (now !== undefined) call.respond(now);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      call.respond(failure(error.status, error.code, error.message));
    }
  };
}

class Router {
  readonly #node: Node;
  readonly #clock: Clock;
  readonly #incarnation: string;
  readonly #data: DataApi;
  readonly #members: MembersApi;

  constructor({ node, clock, incarnation }: RouterParts) {
    this.#node = node;
    this.#clock = clock;
    this.#incarnation = incarnation;
    this.#data = new DataApi(node, clock);
    this.#members = new MembersApi(node, clock);
  }

  route(call: Call, path: string): Answer {
    // Keys may hold unencoded slashes, as in raftexample.
    if (path.startsWith(kvPath)) {
      call.name = decodePercent(path.slice(kvPath.length));
      return this.#data.kv(call);
    }
    if (!path.startsWith('/v1/')) return this.#root(call, path);
    const [, , resource = '', ...rest] = path.split('/');
    const takesKey = resource === 'cas' || resource === 'append';
    call.name = decodePercent(takesKey ? rest.join('/') : (rest[0] ?? ''));
    const depth = takesKey ? 0 : rest.length;
    const answer = depth === 0 ? this.#resource(call, resource) : this.#below(call, resource, depth, rest[1]);
    return answer === 'no-such-resource' ? failure(404, answer, `there is no ${path}`) : answer;
  }

  /** As raftexample: the path is the key, or for POST and DELETE a node's id. */
  #root(call: Call, path: string): Answer {
    const { request } = call;
    call.name = decodePercent(path.slice(1));
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return this.#data.read(call, call.key, 'linearizable');
      case 'PUT':
        return this.#data.propose(call, { type: 'put', key: call.key, value: request.body }, noContent);
      case 'POST':
        return this.#members.add(call, noContent);
      case 'DELETE':
        return this.#members.remove(call, noContent);
      default:
        return methodNotAllowed('GET, HEAD, PUT, POST, DELETE');
    }
  }

  /** `/v1/RESOURCE`, and the two that have a key behind it. */
  #resource(call: Call, resource: string): Answer | 'no-such-resource' {
    switch (resource) {
      case 'cas':
        return call.unless('POST') ?? this.#data.cas(call);
      case 'append':
        return call.unless('POST') ?? this.#data.append(call);
      case 'txn':
        return call.unless('POST') ?? this.#data.txn(call);
      case 'range':
        return call.unless('GET') ?? this.#data.range(call);
      case 'watch':
        return call.unless('GET') ?? this.#data.watch(call);
      case 'sessions':
        return call.unless('POST') ?? this.#data.openSession(call);
      case 'status':
        return call.unless('GET') ?? this.#status();
      case 'hash':
        return call.unless('GET') ?? this.#hash();
      case 'health':
        return call.unless('GET') ?? this.#health();
      case 'leader':
        return call.unless('POST') ?? this.#members.leader(call);
      case 'snapshot':
        return call.unless('POST') ?? this.#snapshot(call);
      case 'members':
        call.allowQuery();
        if (call.request.method === 'GET') return this.#members.list();
        return call.request.method === 'POST' ? this.#members.post(call) : methodNotAllowed('GET, POST');
      default:
        return 'no-such-resource';
    }
  }

  /** `/v1/RESOURCE/NAME`, or `/v1/RESOURCE/NAME/ACTION`. */
  #below(call: Call, resource: string, depth: number, action: string | undefined): Answer | 'no-such-resource' {
    if (resource === 'sessions' && depth === 1) return call.unless('DELETE') ?? this.#data.closeSession(call);
    if (resource === 'members' && depth === 1) return call.unless('DELETE') ?? this.#members.remove(call);
    if (resource === 'members' && depth === 2 && action === 'promote') {
      return call.unless('POST') ?? this.#members.promote(call);
    }
    return 'no-such-resource';
  }

  #status(): ApiResponse {
    const node = this.#node;
    const { hardState, softState, lastIndex } = node.basicStatus();
    return json(200, {
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
      members: membersJson(node),
      hash: node.store.hash(),
      clock: { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() },
      incarnation: this.#incarnation,
    });
  }

  #hash(): ApiResponse {
    const { store, appliedIndex } = this.#node;
    return json(200, { applied: appliedIndex, revision: store.revision, hash: store.hash() });
  }

  /** Healthy: a leader is known, so that requests have a chance. */
  #health(): ApiResponse {
    const { leader } = this.#node.basicStatus().softState;
    return leader === 0 ? refused('no-leader') : json(200, { healthy: true, leader: String(leader) });
  }

  #snapshot(call: Call): Answer {
    call.allowQuery();
    void this.#node.takeSnapshot().then((index) => {
      call.respond(index === undefined ? refused('disk-full') : json(200, { index }));
    });
    return undefined;
  }
}

const noContent = (): ApiResponse => empty(204);

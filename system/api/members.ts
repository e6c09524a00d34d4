import { addressOf } from '../node/config.ts';
import type { MemberChange } from '../node/member-change.ts';
import type { Node } from '../node/node.ts';
import type { Clock } from '../ports.ts';
import { readFailed, refused, unknown } from './answers.ts';
import type { Answer, Call } from './call.ts';
import { bad, jsonBody, naturalNumber } from './parse.ts';
import { type ApiResponse, failure, json } from './request.ts';

const lookEveryMs = 20;

/** Who belongs to the cluster, and who leads it. */
export class MembersApi {
  readonly #node: Node;
  readonly #clock: Clock;

  constructor(node: Node, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  list = (): ApiResponse => json(200, { members: membersJson(this.#node) });

  post(call: Call): Answer {
    call.allowQuery();
    const body = jsonBody(call.request.body);
    if (!Array.isArray(body.changes)) return this.#change(call, [memberChange(body)], this.list);
    const changes = body.changes.map((one: unknown) => {
      if (typeof one !== 'object' || one === null) throw bad('a change is not an object');
      return memberChange(one as { readonly [name: string]: unknown });
    });
    return this.#change(call, changes, this.list);
  }

  promote(call: Call): Answer {
    call.allowQuery();
    return this.#change(call, [{ kind: 'promote', id: call.id }], this.list);
  }

  remove(call: Call, success: () => ApiResponse = this.list): Answer {
    call.allowQuery();
    return this.#change(call, [{ kind: 'remove', id: call.id }], success);
  }

  /** The body is the new voter's peer URL. */
  add(call: Call, success: () => ApiResponse): Answer {
    const url = new TextDecoder().decode(call.request.body).trim();
    return this.#change(call, [{ kind: 'add', id: call.id, url: urlOf(url) }], success);
  }

  leader(call: Call): Answer {
    const to = jsonBody(call.request.body).to;
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
    const { deadlineMs } = call;
    const look = () => {
      if (this.#node.basicStatus().softState.leader === target) call.respond(json(200, { leader: String(target) }));
      else if (this.#clock.monotonicMs() >= deadlineMs) call.respond(unknown('timeout'));
      else this.#clock.setTimer(lookEveryMs, look);
    };
    this.#clock.setTimer(1, look);
    return undefined;
  }

  /** What this node knows of the members may be old: it asks first, so that nothing is refused for what is no longer so. */
  #change(call: Call, changes: readonly MemberChange[], success: () => ApiResponse): Answer {
    this.#node.read('linearizable', call.deadlineMs, (outcome) => {
      const refusal = outcome.type === 'ready' ? this.#misfit(changes) : readFailed(outcome);
      if (refusal === undefined) this.#propose(call, changes, success);
      else call.respond(refusal);
    });
    return undefined;
  }

  /** Why the changes make no sense. */
  #misfit(changes: readonly MemberChange[]): ApiResponse | undefined {
    const known = new Map(this.#node.members.map((member) => [member.id, member]));
    const no = (message: string) => failure(400, 'bad-request', message);
    if (changes.length === 0) return no('no changes');
    for (const { kind, id } of changes) {
      if (this.#node.isRemovedMember(id)) return no(`node ${id} was removed; its id can never come back`);
      const member = known.get(id);
      if (kind === 'remove' && member === undefined) return no(`node ${id} is not a member`);
      if (kind === 'promote' && member?.learner !== true) return no(`node ${id} is not a learner`);
    }
    return undefined;
  }

  #propose(call: Call, changes: readonly MemberChange[], success: () => ApiResponse): void {
    this.#node.proposeMembers(changes, call.deadlineMs, (outcome) => {
      if (outcome.type === 'applied') call.respond(success());
      else if (outcome.type === 'unknown') call.respond(unknown(outcome.reason));
      else if (outcome.reason !== 'superseded') call.respond(refused(outcome.reason));
      else {
        const message = 'another change of members is under way, or the leader changed; this one did not happen';
        call.respond(failure(503, 'change-refused', message));
      }
    });
  }
}

export function membersJson(node: Node): unknown {
  return node.members.map(({ id, url, learner }) => ({ id: String(id), url, learner }));
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

import type { Effect, NodeId } from '../../nemesis/world.ts';
import type { Client as StoreClient, MemberChange, Result } from '../../system/client/index.ts';

export interface AdministrationOptions {
  readonly client: (node: NodeId) => StoreClient;
  /** The nodes that now believe to be leader. */
  readonly primaries: () => Promise<readonly NodeId[]>;
  /** A node's id in the store. */
  readonly idOf: (node: NodeId) => string;
}

const mechanism = 'admin-api';
const requestTimeoutMs = 2000;

/** What a nemesis asks of the store itself, over its own API, whichever world the store is in. */
export class Administration {
  readonly #options: AdministrationOptions;

  constructor(options: AdministrationOptions) {
    this.#options = options;
  }

  /**
   * Proven when the leader took it on, be it that the other never came to lead: a transfer to a node that is cut off is
   * what a fault is made of.
   */
  async transferLeadership(to: NodeId): Promise<Effect> {
    const leader = await this.#leader();
    if (leader === undefined) return moot('nobody leads');
    if (leader === to) return moot(`node ${to} leads already`);
    const { idOf, client } = this.#options;
    const answer = await client(leader).transferLeader(idOf(to), { timeoutMs: requestTimeoutMs });
    if (!answer.ok && answer.error !== 'timeout') return refused(answer);
    return proven({ from: leader, to, leads: answer.ok });
  }

  /** In one joint change; proven by the members that the leader then names. */
  async setVoters(voters: readonly NodeId[]): Promise<Effect> {
    const leader = await this.#leader();
    if (leader === undefined) return moot('nobody leads');
    const client = this.#options.client(leader);
    const known = await client.members({ timeoutMs: requestTimeoutMs });
    if (!known.ok) return refused(known);
    const ids = voters.map((node) => this.#options.idOf(node));
    const changes = known.value
      .filter(({ id, learner }) => ids.includes(id) === learner)
      .map(({ id, url, learner }): MemberChange => ({ id, url, ...(!learner && { learner: true }) }));
    if (changes.length === 0) return moot('they vote already');
    const answer = await client.changeMembers(changes, { timeoutMs: requestTimeoutMs });
    if (!answer.ok) return refused(answer);
    const now = answer.value.filter(({ learner }) => !learner).map(({ id }) => id);
    const isSo = ids.every((id) => now.includes(id)) && now.length === ids.length;
    const proof = { asked: ids.join(' '), voters: now.join(' ') };
    return isSo ? proven(proof) : { effect: 'moot', mechanism, proof: { reason: 'changed again meanwhile', ...proof } };
  }

  async takeSnapshot(node: NodeId): Promise<Effect> {
    const answer = await this.#options.client(node).takeSnapshot({ timeoutMs: requestTimeoutMs });
    return answer.ok ? proven({ index: answer.value.index }) : refused(answer);
  }

  async #leader(): Promise<NodeId | undefined> {
    return (await this.#options.primaries())[0];
  }
}

function proven(proof: Effect['proof']): Effect {
  return { effect: 'proven', mechanism, proof };
}

/** It was impossible just then. */
function moot(reason: string): Effect {
  return { effect: 'moot', mechanism, proof: { reason } };
}

function refused(answer: Extract<Result<unknown>, { ok: false }>): Effect {
  return moot(answer.error);
}

import { alreadyVote } from '../../nemesis/membership.ts';
import type { Effect, NodeId } from '../../nemesis/world.ts';
import type { Member, MemberChange, Result, Client as StoreClient } from '../../system/client/index.ts';

export interface AdministrationOptions {
  readonly client: (node: NodeId) => StoreClient;
  /** The nodes that now believe to be leader. */
  readonly primaries: () => Promise<readonly NodeId[]>;
  /** A node's id in the store. */
  readonly idOf: (node: NodeId) => string;
  readonly sleep: (ms: number) => Promise<void>;
}

const mechanism = 'admin-api';
const requestTimeoutMs = 2000;
/** What must be done in the end, as bringing back a member, is tried this often. */
const triesMax = 8;
const retryMs = 500;
const lookMs = 100;
/** Entries: a new member that is that close behind has caught up. */
const lagMax = 50;
/** Looks at a new member until it has caught up. */
const looksMax = 50;

/** What a nemesis asks of the store itself, over its own API, whichever world the store is in. */
export class Administration {
  readonly #options: AdministrationOptions;
  /** Whose member is gone, or may be. */
  readonly #gone = new Set<NodeId>();

  constructor(options: AdministrationOptions) {
    this.#options = options;
  }

  /** Its member was removed, or may have been: as that member it must not be started. */
  isGone(node: NodeId): boolean {
    return this.#gone.has(node);
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
    if (changes.length === 0) return moot(alreadyVote);
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

  /** Proven when the leader names it no more. Until then it is tried again, since what is begun may yet come true. */
  async removeMember(node: NodeId): Promise<Effect> {
    const id = this.#options.idOf(node);
    this.#gone.add(node);
    return this.#until(`member ${id} is not removed`, async (leader, members) => {
      if (!members.some((member) => member.id === id)) return proven({ removed: id });
      // A leader that removes itself has no one to be asked by.
      await leader.removeMember(id, { timeoutMs: requestTimeoutMs });
      return undefined;
    });
  }

  /**
   * Adds a node anew, as another member, which learns first and votes when it has caught up.
   * @param begin empties the node's disk and starts it as that member
   */
  async addMember(member: { id: string; url: string }, node: NodeId, begin: () => Promise<Effect>): Promise<Effect> {
    const { id, url } = member;
    const added = await this.#until(`member ${id} is not added`, async (leader, members) => {
      if (members.some((other) => other.id === id)) return proven({ added: id });
      await leader.addMember({ id, url, learner: true }, { timeoutMs: requestTimeoutMs });
      return undefined;
    });
    if (added.effect !== 'proven') return added;
    this.#gone.delete(node);
    const begun = await begin();
    if (begun.effect !== 'proven') return begun;
    await this.#caughtUp(node);
    return this.#until(`member ${id} does not vote`, async (leader, members) => {
      if (members.some((other) => other.id === id && !other.learner)) return proven({ added: id });
      await leader.promoteMember(id, { timeoutMs: requestTimeoutMs });
      return undefined;
    });
  }

  /** Waits, bounded, until it has applied what the leader had committed. */
  async #caughtUp(node: NodeId): Promise<void> {
    const { client, sleep } = this.#options;
    const options = { timeoutMs: requestTimeoutMs };
    for (let look = 0; look < looksMax; look++) {
      const leader = await this.#leader();
      const ahead = leader === undefined ? undefined : await client(leader).status(options);
      const behind = await client(node).status(options);
      if (ahead?.ok && behind.ok && behind.value.applied >= ahead.value.commit - lagMax) return;
      await sleep(lookMs);
    }
  }

  /** Tries, a bounded number of times, at whoever leads. */
  async #until(
    failing: string,
    act: (leader: StoreClient, members: readonly Member[]) => Promise<Effect | undefined>,
  ): Promise<Effect> {
    for (let attempt = 0; attempt < triesMax; attempt++) {
      const leader = await this.#leader();
      const client = leader === undefined ? undefined : this.#options.client(leader);
      const members = await client?.members({ timeoutMs: requestTimeoutMs });
      const done = client !== undefined && members?.ok ? await act(client, members.value) : undefined;
      if (done !== undefined) return done;
      await this.#options.sleep(retryMs);
    }
    return moot(failing);
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

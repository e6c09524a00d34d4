import type { Outcome } from '../kv/index.ts';
import { NO_DATA, type ProposalDropped, type RawNode } from '../raft/index.ts';
import { sealEnvelope } from './envelope.ts';
import { confChangeOf, type MemberChange } from './member-change.ts';
import type { ProposalOutcome, Proposals, Refusal } from './proposals.ts';

/** What a proposal gave: the store's outcome, or that the membership has changed. */
export type Applied = Outcome | 'membership-changed';

/** Hands what clients propose to the core: a turn's commands in one call, each change of members in one of its own. */
export class Proposer {
  readonly #raw: RawNode;
  readonly #proposals: Proposals<Applied>;

  constructor(raw: RawNode, proposals: Proposals<Applied>) {
    this.#raw = raw;
    this.#proposals = proposals;
  }

  /** Proposes all commands that were added since the last call. */
  proposeQueued(): void {
    if (!this.#proposals.hasQueued) return;
    const queued = this.#proposals.takeQueued();
    const { softState, lastIndex } = this.#raw.basicStatus();
    const isLeader = softState.role === 'leader';
    const data: Uint8Array[] = [];
    for (const proposal of queued) {
      const command = proposal.command ?? NO_DATA;
      sealEnvelope(command, this.#proposals.origin(proposal, !isLeader));
      data.push(command);
    }
    const dropped = data.length === 0 ? undefined : this.#raw.propose(data);
    for (let at = 0; at < queued.length; at++) {
      const proposal = queued[at]!;
      if (dropped !== undefined) this.#proposals.finish(proposal, { type: 'refused', reason: refusalOf(dropped) });
      else if (isLeader) this.#proposals.placed(proposal, lastIndex + 1 + at);
      else this.#proposals.sent(proposal);
    }
  }

  /** @param done called once, in this turn or a later one */
  proposeMembers(
    changes: readonly MemberChange[],
    deadlineMs: number,
    done: (outcome: ProposalOutcome<Applied>) => void,
  ): void {
    const { softState, lastIndex } = this.#raw.basicStatus();
    const proposal = this.#proposals.addUnordered(deadlineMs, done);
    const dropped = this.#raw.proposeConfChange(confChangeOf(changes, this.#proposals.origin(proposal, false)));
    if (dropped !== undefined) this.#proposals.finish(proposal, { type: 'refused', reason: refusalOf(dropped) });
    else if (softState.role === 'leader') this.#proposals.placed(proposal, lastIndex + 1);
  }
}

function refusalOf(dropped: ProposalDropped): Refusal {
  switch (dropped) {
    case 'no-leader':
    case 'campaigning':
    case 'forwarding-disabled':
      return 'no-leader';
    case 'too-much-uncommitted':
      return 'too-many-requests';
    default:
      return dropped;
  }
}

import type { Mutant } from '../mutant.ts';
import { compactAll } from './compact-all.ts';

/** Planted bugs: who may lead, and when. */
export const elections: readonly Mutant[] = [
  {
    name: 'vote-not-durable',
    breaks: 'term and vote are never written',
    source: 'hashicorp/raft#661',
    seenBy: ['election'],
    edits: [
      {
        file: 'system/node/log-writer.ts',
        find: `this.#log.append({ entries, hardState: batchState, snapshot }`,
        replace: `this.#log.append({ entries, hardState: batchState && { ...batchState, term: 1, vote: 0 }, snapshot }`,
      },
    ],
  },
  {
    name: 'vote-reset-on-new-leader',
    breaks: 'the vote is cleared when a leader of the same term appears',
    source: 'camunda#5368',
    seenBy: ['election'],
    edits: [
      {
        file: 'system/raft/follower.ts',
        find: `  raft.electionElapsed = 0;
  raft.leader = leader;`,
        replace: `  raft.electionElapsed = 0;
  if (raft.leader !== leader) raft.vote = NONE;
  raft.leader = leader;`,
      },
      {
        file: 'system/raft/election.ts',
        find: `(raft.vote === NONE && raft.leader === NONE)`,
        replace: `raft.vote === NONE`,
      },
    ],
  },
  {
    name: 'vote-counted-twice',
    breaks: "one voter's repeated answer counts twice",
    source: 'akka-raft#45',
    seenBy: ['election'],
    edits: [
      {
        file: 'system/raft/tracker/tracker.ts',
        find: `    if (!this.#votes.has(id)) this.#votes.set(id, granted);`,
        replace: `    const counted = this.#votes.has(id) ? this.#incoming.find((other) => !this.#votes.has(other.id))?.id : id;
    if (counted !== undefined) this.#votes.set(counted, granted);`,
      },
    ],
  },
  {
    name: 'last-term-zero-after-compaction',
    breaks: 'with the whole log compacted, the last term reads as 0',
    source: 'NuRaft#668',
    seenBy: ['log'],
    edits: [
      {
        file: 'system/raft/log/raft-log.ts',
        find: `    const term = this.term(this.lastIndex());
    invariant(`,
        replace: `    const term = this.lastIndex() < this.firstIndex() ? 0 : this.term(this.lastIndex());
    invariant(`,
      },
      compactAll,
    ],
  },
  {
    name: 'transfer-flag-sticks',
    breaks: 'a leadership transfer that never ends blocks all proposals',
    source: 'hashicorp/raft#696',
    seenBy: ['liveness'],
    edits: [
      {
        file: 'system/raft/leader.ts',
        find: `    // A transfer that has not come true by now is given up, so that proposals are taken again.
    raft.leadTransferee = NONE;
`,
        replace: '',
      },
    ],
  },
  {
    name: 'asymmetric-livelock',
    breaks: 'without PreVote and CheckQuorum a node that hears nobody keeps deposing the leader',
    source: "TigerBeetle's liveness notes; hashicorp/raft#606",
    seenBy: ['core-liveness'],
    edits: [
      {
        file: 'system/node/core.ts',
        find: `    checkQuorum: true,
    preVote: true,`,
        replace: `    checkQuorum: false,
    preVote: false,`,
      },
    ],
  },
  {
    name: 'vote-for-stale-log',
    breaks: 'a vote is given whatever the log of the candidate lacks',
    source: 'the Raft paper, section 5.4.1',
    isOwn: true,
    seenBy: ['log'],
    edits: [
      {
        file: 'system/raft/election.ts',
        find: `const granted = mayVote && raft.log.isUpToDate(index, logTerm);`,
        replace: `const granted = mayVote;`,
      },
    ],
  },
  {
    name: 'stale-term-unanswered',
    breaks: 'a leader of an older term is not told, and the node with the newer term is never heard',
    source: 'etcd#8243, etcd#8501',
    isOwn: true,
    seenBy: ['liveness'],
    edits: [
      {
        file: 'system/raft/raft.ts',
        find: `      this.send(newMessage(MessageType.AppResp, message.from));`,
        replace: ``,
      },
    ],
  },
];

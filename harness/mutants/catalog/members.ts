import type { Mutant } from '../mutant.ts';

/** Planted bugs: changes of members. */
export const members: readonly Mutant[] = [
  {
    name: 'conf-change-before-own-term',
    breaks:
      'a membership change is taken before the leader has committed in its term, and before the last one is applied',
    source: "the thesis's single-server bug; redisraft#17",
    seenBy: ['election', 'log'],
    edits: [
      {
        file: 'system/raft/leader.ts',
        find: `  if (raft.pendingConfIndex > raft.log.applied)
    refusal = \`a change at or before \${raft.pendingConfIndex} may be unapplied\`;
  else if (joint`,
        replace: `  if (joint`,
      },
    ],
  },
  {
    name: 'joint-by-new-majority',
    breaks: 'in a joint configuration the majority of the new one is enough',
    source: 'the Raft thesis, section 4.3',
    isOwn: true,
    seenBy: ['election', 'log'],
    edits: [
      {
        file: 'system/raft/quorum/joint.ts',
        find: `return Math.min(majorityIndex(incoming), majorityIndex(outgoing));`,
        replace: `return outgoing.length < 0 ? 0 : majorityIndex(incoming);`,
      },
      {
        file: 'system/raft/tracker/tracker.ts',
        find: `return jointVote(half(this.#incoming), half(this.#outgoing));`,
        replace: `return jointVote(half(this.#incoming), half(this.#incoming));`,
      },
    ],
  },
  {
    name: 'campaign-with-pending-change',
    breaks: 'a node campaigns by a configuration that it knows to be out of date',
    source: 'etcd#12133',
    isOwn: true,
    seenBy: ['election', 'log', 'liveness'],
    edits: [
      {
        file: 'system/raft/election.ts',
        find: `if (holdsConfChange(raft.log, raft.log.applied + 1, raft.log.committed)) {`,
        replace: `if (holdsConfChange(raft.log, raft.log.applied + 1, 0)) {`,
      },
    ],
  },
  {
    name: 'learner-refuses-vote',
    breaks: 'a node that was promoted refuses its vote until it has heard of its promotion',
    source: 'etcd#10998',
    isOwn: true,
    seenBy: ['liveness', 'core-liveness'],
    edits: [
      {
        file: 'system/raft/election.ts',
        find: `const granted = mayVote && raft`,
        replace: `const granted = mayVote && !raft.tracker.isLearner(raft.id) && raft`,
      },
    ],
  },
];

import type { Edit, Mutant } from '../mutant.ts';
import { compactAll } from './compact-all.ts';

/** The log lets entries be applied that it does not know to be committed. */
const applyAhead: Edit = {
  file: 'system/raft/log/raft-log.ts',
  find: `invariant(index >= this.#applied && index <= this.#committed, 'applied out of order'`,
  replace: `invariant(index >= this.#applied, 'applied out of order'`,
};

/** Planted bugs: what is in the log, and what of it is committed. */
export const replication: readonly Mutant[] = [
  {
    name: 'commit-prior-term-by-count',
    breaks: 'an entry of an earlier term is committed by counting replicas',
    source: 'logcabin#44, PySyncObj#169',
    seenBy: ['log'],
    edits: [
      {
        file: 'system/raft/commit.ts',
        find: `if (index <= raft.log.committed || !raft.log.matches(index, raft.term)) return false;`,
        replace: `if (index <= raft.log.committed) return false;`,
      },
    ],
  },
  {
    name: 'heartbeat-truncates',
    breaks: 'an old append truncates what follows it, although it matches',
    source: 'willemt/raft#37',
    seenBy: ['log'],
    edits: [
      {
        file: 'system/raft/log/raft-log.ts',
        find: `    // No further than what this message vouches for: the rest of our log may differ from the leader's.`,
        replace: `    const last = lastNew > this.#committed && lastNew < this.lastIndex() ? this.slice(lastNew, lastNew + 1, 1) : [];
    if (typeof last !== 'string' && last.length > 0) this.append(last);`,
      },
    ],
  },
  {
    name: 'append-below-compaction',
    breaks: 'an append from below the compacted index is appended again, at the end',
    source: 'willemt/raft#118',
    seenBy: ['hash'],
    edits: [
      {
        file: 'system/raft/follower.ts',
        find: `    // A late message. What is committed agrees with every leader's log, so this is the truth, and helps.`,
        replace: `    if (index + 1 < raft.log.firstIndex() && entries.length > 0) {
      const end = raft.log.lastIndex();
      raft.log.append(entries.map((entry, at) => ({ ...entry, index: end + 1 + at })));
    }`,
      },
      compactAll,
    ],
  },
  {
    name: 'rollback-on-step-down',
    breaks: 'a leader that steps down rolls back past its commit index',
    source: 'CCF#5674',
    seenBy: ['log'],
    edits: [
      {
        file: 'system/raft/raft.ts',
        find: `  becomeFollower(term: number, leader: number): void {
`,
        replace: `  becomeFollower(term: number, leader: number): void {
    if (this.role === 'leader') this.log.rollBack();
`,
      },
      {
        file: 'system/raft/log/raft-log.ts',
        find: `  /** The snapshot takes the place of the whole log. */`,
        replace: `  rollBack(): void {
    const to = Math.max(this.firstIndex(), this.#committed - 5);
    const last = to < this.#committed ? this.slice(to, to + 1, 1) : [];
    if (typeof last === 'string' || last.length === 0) return;
    this.#committed = to;
    this.unstable.truncateAndAppend(last);
  }
`,
      },
      applyAhead,
    ],
  },
  {
    name: 'apply-uncommitted',
    breaks: 'entries are applied when they are appended',
    source: 'raftexample a31f9a8af',
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/raft/log/raft-log.ts',
        find: `return allowUnstable ? this.#committed : Math.min(this.#committed, this.unstable.offset - 1);`,
        replace: `return allowUnstable ? this.lastIndex() : Math.min(this.lastIndex(), this.unstable.offset - 1);`,
      },
      applyAhead,
    ],
  },
  {
    name: 'lost-on-failover',
    breaks: 'a new leader drops the tail that it has not applied',
    source: 'redisraft#14',
    seenBy: ['log', 'linear'],
    edits: [
      {
        file: 'system/raft/raft.ts',
        find: `    invariant(this.role === 'candidate', 'only a candidate becomes leader', () => ({ role: this.role }));
`,
        replace: `    const next = this.log.committed + 1;
    this.log.append([{ term: this.term, index: next, type: EntryType.Normal, data: NO_DATA }]);
`,
      },
    ],
  },
  {
    name: 'commit-past-match',
    breaks: 'a follower commits up to what the leader has, past what it is known to agree in',
    source: 'scylladb#9965',
    isOwn: true,
    seenBy: ['log', 'hash'],
    edits: [
      {
        file: 'system/raft/log/raft-log.ts',
        find: `this.commitTo(Math.min(leaderCommit, lastNew));`,
        replace: `this.commitTo(Math.min(leaderCommit, this.lastIndex()));`,
      },
    ],
  },
  {
    name: 'hint-stored-as-match',
    breaks: 'the hint of a refused append counts as what the follower holds',
    source: 'CCF#5325',
    isOwn: true,
    seenBy: ['log'],
    edits: [
      {
        file: 'system/raft/tracker/progress.ts',
        find: `      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);`,
        replace: `      this.match = Math.max(this.match, Math.min(rejected - 1, hint));
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);`,
      },
    ],
  },
  {
    name: 'commit-by-half',
    breaks: 'half of the nodes are taken for a majority when entries are committed',
    source: 'the Raft paper, section 5.3',
    isOwn: true,
    seenBy: ['log'],
    edits: [
      {
        file: 'system/raft/quorum/majority.ts',
        find: `return acked[voters - (voters >> 1) - 1]!;`,
        replace: `return acked[voters - ((voters - 1) >> 1) - 1 + (voters > 1 ? 1 : 0)]!;`,
      },
    ],
  },
  {
    name: 'inflight-window-leaks',
    breaks: 'acknowledged appends stay in the window of what is in flight',
    source: 'etcd#10199, raft#54',
    isOwn: true,
    seenBy: ['liveness', 'core-liveness'],
    edits: [
      {
        file: 'system/raft/leader.ts',
        find: `    member.inflights.freeUpTo(index);
`,
        replace: ``,
      },
    ],
  },
];

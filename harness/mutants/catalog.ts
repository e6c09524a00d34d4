import type { Mutant } from './mutant.ts';

/**
 * Bugs that real systems shipped. Each must be found, by the section that `seenBy` names, under the plan that the
 * unmutated system passes.
 */
const rows: readonly Mutant[] = [
  {
    name: 'local-read',
    breaks: 'GET answers from the local state, whoever leads',
    source: 'raftexample, kvstore Lookup',
    seenBy: 'linear',
    edits: [
      {
        file: 'system/node/node.ts',
        find: `else if (mode === 'serializable' || (mode === 'lease' && this.#holdsLease())) done({ type: 'ready' });`,
        replace: `else if (mode !== 'lease' || this.#holdsLease()) done({ type: 'ready' });`,
      },
    ],
  },
  {
    name: 'ack-before-commit',
    breaks: 'PUT answers when it is proposed',
    source: 'raftexample, httpapi',
    seenBy: 'log',
    edits: [
      {
        file: 'system/node/node.ts',
        find: `import type { Outcome, Store } from '../kv/index.ts';`,
        replace: `import { decodeCommand, type Outcome, type Store } from '../kv/index.ts';`,
      },
      {
        file: 'system/node/node.ts',
        find: `      else if (isLeader) this.#proposals.placed(proposal, lastIndex + 1 + at);
      else this.#proposals.sent(proposal);`,
        replace: `      else {
        const isPut = decodeCommand(proposal.command ?? NO_DATA)?.type === 'put';
        if (isLeader) this.#proposals.placed(proposal, lastIndex + 1 + at);
        else this.#proposals.sent(proposal);
        if (isPut) {
          const result = { effect: 'applied', operationId: undefined, result: { type: 'put', revision: 0 } } as const;
          this.#proposals.finish(proposal, { type: 'applied', result, index: lastIndex + 1 + at });
        }
      }`,
      },
    ],
  },
  {
    name: 'apply-uncommitted',
    breaks: 'entries are applied when they are appended',
    source: 'raftexample a31f9a8af',
    seenBy: 'linear',
    edits: [
      {
        file: 'system/raft/log/raft-log.ts',
        find: `return allowUnstable ? this.#committed : Math.min(this.#committed, this.unstable.offset - 1);`,
        replace: `return allowUnstable ? this.lastIndex() : Math.min(this.lastIndex(), this.unstable.offset - 1);`,
      },
      {
        file: 'system/raft/log/raft-log.ts',
        find: `invariant(index >= this.#applied && index <= this.#committed, 'applied out of order'`,
        replace: `invariant(index >= this.#applied, 'applied out of order'`,
      },
    ],
  },
  {
    name: 'vote-not-durable',
    breaks: 'term and vote are never written',
    source: 'hashicorp/raft#661',
    seenBy: 'election',
    edits: [
      {
        file: 'system/node/log-writer.ts',
        find: `this.#log.append({ entries, hardState: batchState, snapshot }`,
        replace: `this.#log.append({ entries, hardState: batchState && { ...batchState, term: 1, vote: 0 }, snapshot }`,
      },
    ],
  },
  {
    name: 'commit-prior-term-by-count',
    breaks: 'an entry of an earlier term is committed by counting replicas',
    source: 'logcabin#44, PySyncObj#169',
    seenBy: 'log',
    edits: [
      {
        file: 'system/raft/commit.ts',
        find: `if (index <= raft.log.committed || !raft.log.matches(index, raft.term)) return false;`,
        replace: `if (index <= raft.log.committed) return false;`,
      },
    ],
  },
  {
    name: 'vote-reset-on-new-leader',
    breaks: 'the vote is cleared when a leader of the same term appears',
    source: 'camunda#5368',
    seenBy: 'election',
    edits: [
      {
        file: 'system/raft/follower.ts',
        find: `  raft.electionElapsed = 0;
  raft.leader = leader;`,
        replace: `  raft.electionElapsed = 0;
  if (raft.leader !== leader) raft.vote = NONE;
  raft.leader = leader;`,
      },
    ],
  },
  {
    name: 'vote-counted-twice',
    breaks: "one voter's repeated answer counts twice",
    source: 'akka-raft#45',
    seenBy: 'election',
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
    seenBy: 'log',
    edits: [
      {
        file: 'system/raft/log/raft-log.ts',
        find: `    const term = this.term(this.lastIndex());
    invariant(`,
        replace: `    const term = this.lastIndex() < this.firstIndex() ? 0 : this.term(this.lastIndex());
    invariant(`,
      },
    ],
  },
  {
    name: 'heartbeat-truncates',
    breaks: 'an old append truncates a suffix that matches',
    source: 'willemt/raft#37',
    seenBy: 'log',
    edits: [
      {
        file: 'system/raft/log/raft-log.ts',
        find: `      if (this.matches(entry.index, entry.term)) continue;`,
        replace: `      if (entry.index <= this.#committed) continue;`,
      },
    ],
  },
  {
    name: 'ack-before-fsync',
    breaks: 'an append is acknowledged before it is on disk',
    source: 'etcd#14370',
    seenBy: 'log',
    edits: [
      {
        file: 'system/node/log-writer.ts',
        find: `        this.#inFlight--;
        this.#written({ entries, hardState: batchState, snapshot, responses });
        this.#pump();
      });`,
        replace: `        this.#inFlight--;
        if (snapshot !== undefined) this.#written({ entries, hardState: batchState, snapshot, responses });
        this.#pump();
      });
      if (snapshot === undefined) this.#written({ entries, hardState: batchState, snapshot, responses });`,
      },
    ],
  },
  {
    name: 'wall-clock-lease',
    breaks: 'reads trust a lease that is measured on the wall clock',
    source: 'tikv#964',
    seenBy: 'linear',
    edits: [
      {
        file: 'system/node/node.ts',
        find: `(mode === 'lease' && this.#holdsLease())`,
        replace: `this.#holdsLease()`,
      },
      {
        file: 'system/node/node.ts',
        find: `this.#ports.clock.monotonicMs() < this.#leaseUntilMs`,
        replace: `this.#ports.clock.wallMs() < this.#leaseUntilMs`,
      },
      {
        file: 'system/node/node.ts',
        find: `this.#leaseUntilMs = startedMs + this.#leaseMs;`,
        replace: `this.#leaseUntilMs = this.#ports.clock.wallMs() - this.#ports.clock.monotonicMs() + startedMs + this.#leaseMs;`,
      },
    ],
  },
  {
    name: 'read-index-before-own-term',
    breaks: 'ReadIndex answers before the leader has committed an entry of its own term',
    source: 'etcd#7331, tikv#9239',
    seenBy: 'linear',
    edits: [
      {
        file: 'system/raft/reads.ts',
        find: `  if (!raft.log.matches(raft.log.committed, raft.term)) {`,
        replace: `  if (raft.role !== 'leader') {`,
      },
    ],
  },
];

/** Every planted bug, by the name that `--mutant` takes. */
export const mutants: ReadonlyMap<string, Mutant> = new Map(rows.map((mutant) => [mutant.name, mutant]));

import type { Edit, Mutant } from './mutant.ts';

/** The log is let go up to the snapshot, with no margin for followers that lag. */
const compactAll: Edit = {
  file: 'system/node/snapshotter.ts',
  find: `if (margin >= this.#memory.firstIndex()) this.#memory.compact(margin);`,
  replace: `this.#memory.compact(index);`,
};

/** A snapshot is labelled with an index that the edit before chose. */
const viewAt: readonly Edit[] = [
  {
    file: 'system/node/snapshotter.ts',
    find: `    const view = this.#replica.store.view();`,
    replace: `    const view = this.#replica.store.view(index);`,
  },
  {
    file: 'system/kv/store.ts',
    find: `  view(): StateView {
    return viewOf(this.state);
  }`,
    replace: `  view(index: number): StateView {
    const { appliedIndex } = this.state;
    this.state.appliedIndex = index;
    const view = viewOf(this.state);
    this.state.appliedIndex = appliedIndex;
    return view;
  }`,
  },
];

/** The log lets entries be applied that it does not know to be committed. */
const applyAhead: Edit = {
  file: 'system/raft/log/raft-log.ts',
  find: `invariant(index >= this.#applied && index <= this.#committed, 'applied out of order'`,
  replace: `invariant(index >= this.#applied, 'applied out of order'`,
};

/**
 * Bugs that real systems shipped. Each must be found, by the section that `seenBy` names, under the plan that the
 * unmutated system passes.
 */
const rows: readonly Mutant[] = [
  {
    name: 'local-read',
    breaks: 'GET answers from the local state, whoever leads',
    source: 'raftexample, kvstore Lookup',
    seenBy: ['linear'],
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
    seenBy: ['log'],
    edits: [
      {
        file: 'system/node/node.ts',
        find: `import type { Outcome, Store } from '../kv/index.ts';`,
        replace: `import { decodeCommand, type Outcome, type Store } from '../kv/index.ts';`,
      },
      {
        file: 'system/node/node.ts',
        find: `import { sealEnvelope } from './envelope.ts';`,
        replace: `import { ENVELOPE_BYTES, sealEnvelope } from './envelope.ts';`,
      },
      {
        file: 'system/node/node.ts',
        find: `      else if (isLeader) this.#proposals.placed(proposal, lastIndex + 1 + at);
      else this.#proposals.sent(proposal);`,
        replace: `      else {
        const isPut = decodeCommand(proposal.command ?? NO_DATA, ENVELOPE_BYTES)?.type === 'put';
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
    name: 'ack-before-fsync',
    breaks: 'an append is acknowledged before it is on disk',
    source: 'etcd#14370',
    seenBy: ['log', 'linear'],
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
    seenBy: ['linear'],
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
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/raft/reads.ts',
        find: `  if (!raft.log.matches(raft.log.committed, raft.term)) {`,
        replace: `  if (raft.role !== 'leader') {`,
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
    name: 'serve-during-replay',
    breaks: 'a node that was restarted answers reads before it has replayed its log',
    source: 'etcd#4478, redisraft#18',
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/node/node.ts',
        find: `else if (mode === 'serializable' || (`,
        replace: `else if (this.#replica.appliedIndex < (this.#storage.entries.at(-1)?.index ?? 0)) done({ type: 'ready' });
    else if (mode === 'serializable' || (`,
      },
    ],
  },
  {
    name: 'snapshot-ahead-of-apply',
    breaks: 'a snapshot is labelled with an index that is not applied yet',
    source: 'etcd#8091',
    seenBy: ['hash', 'log'],
    edits: [
      {
        file: 'system/node/snapshotter.ts',
        find: `    const { appliedIndex: index, appliedTerm: term, membership } = this.#replica;`,
        replace: `    const { membership, store } = this.#replica;
    const index = Math.min(this.#memory.lastIndex(), store.appliedIndex + 5);
    const term = Number(this.#memory.term(index));`,
      },
      ...viewAt,
    ],
  },
  {
    name: 'hard-state-before-snapshot',
    breaks: 'the hard state is saved before the snapshot that it points into',
    source: 'raftexample 3152dc817',
    seenBy: ['liveness'],
    edits: [
      {
        file: 'system/node/log-writer.ts',
        find: `      this.#log.append({ entries, hardState: batchState, snapshot }, (error) => {`,
        replace: `      if (snapshot !== undefined) {
        this.#log.append({ entries: [], hardState: this.#hardState, snapshot: undefined }, () => {});
      }
      this.#log.append({ entries, hardState: batchState, snapshot }, (error) => {`,
      },
    ],
  },
  {
    name: 'applied-index-apart',
    breaks: 'the applied index in a snapshot is older than the state beside it',
    source: 'etcd#13766',
    seenBy: ['hash'],
    edits: [
      {
        file: 'system/node/snapshotter.ts',
        find: `    const { appliedIndex: index, appliedTerm: term, membership } = this.#replica;`,
        replace: `    const { membership, store } = this.#replica;
    const index = store.appliedIndex - 5;
    const term = Number(this.#memory.term(index));`,
      },
      ...viewAt,
    ],
  },
  {
    name: 'retry-without-dedup',
    breaks: 'a command that arrives twice is applied twice',
    source: 'etcd#16438, redisraft#13',
    seenBy: ['txn'],
    edits: [
      {
        file: 'system/node/replica.ts',
        find: `    if (origin.forwarded && !this.forwarded.admit(origin)) {`,
        replace: `    if (origin.forwarded && !this.forwarded.admit(origin) && entry.data.length === 0) {`,
      },
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
    name: 'snapshot-deleted-in-use',
    breaks: 'an older snapshot is removed while a follower is still being sent it',
    source: 'etcd#18055',
    seenBy: ['liveness'],
    edits: [
      {
        file: 'system/storage/snapshot-files.ts',
        find: `.filter((id) => !this.holders.has(snapshotPath(id)));`,
        replace: `;`,
      },
      {
        file: 'system/node/snapshotter.ts',
        find: `      await writer.finish();
`,
        replace: `      await writer.finish();
      await snapshots.purge(1);
`,
      },
      {
        file: 'system/node/node.ts',
        find: `        if (reader === undefined || this.#stopped) return report(false);`,
        replace: `        if (reader === undefined || this.#stopped) return;`,
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
        file: 'system/node/node.ts',
        find: `      checkQuorum: true,
      preVote: true,`,
        replace: `      checkQuorum: false,
      preVote: false,`,
      },
    ],
  },
];

/** Every planted bug, by the name that `--mutant` takes. */
export const mutants: ReadonlyMap<string, Mutant> = new Map(rows.map((mutant) => [mutant.name, mutant]));

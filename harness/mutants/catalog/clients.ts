import type { Mutant } from '../mutant.ts';

/** Planted bugs: what clients are told. */
export const clients: readonly Mutant[] = [
  {
    name: 'ack-before-commit',
    breaks: 'PUT answers when it is proposed',
    source: 'raftexample, httpapi',
    seenBy: ['log'],
    edits: [
      {
        file: 'system/node/proposer.ts',
        find: `import type { Outcome } from '../kv/index.ts';`,
        replace: `import { decodeCommand, type Outcome } from '../kv/index.ts';`,
      },
      {
        file: 'system/node/proposer.ts',
        find: `import { sealEnvelope } from './envelope.ts';`,
        replace: `import { ENVELOPE_BYTES, sealEnvelope } from './envelope.ts';`,
      },
      {
        file: 'system/node/proposer.ts',
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
    name: 'local-read',
    breaks: 'GET answers from the local state, whoever leads',
    source: 'raftexample, kvstore Lookup',
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/node/node.ts',
        find: `mode === 'serializable' || (mode === 'lease' && this.#mayReadByLease())`,
        replace: `mode !== 'lease' || this.#lease.holds(this.basicStatus())`,
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
        find: `(mode === 'lease' && this.#mayReadByLease())`,
        replace: `this.#mayReadByLease()`,
      },
      {
        file: 'system/node/lease.ts',
        find: `this.#clock.monotonicMs() < this.#untilMs`,
        replace: `this.#clock.wallMs() < this.#untilMs`,
      },
      {
        file: 'system/node/lease.ts',
        find: `this.#untilMs = roundStartedMs + this.lengthMs;`,
        replace: `this.#untilMs = this.#clock.wallMs() - this.#clock.monotonicMs() + roundStartedMs + this.lengthMs;`,
      },
    ],
  },
  {
    name: 'lease-outlives-transfer',
    breaks: 'a leader that has offered leadership to another goes on to read by its lease',
    source: 'raft#99',
    isOwn: true,
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/node/lease.ts',
        find: `      leadTransferee === NONE &&
`,
        replace: `      leadTransferee >= NONE &&
`,
      },
      {
        file: 'system/node/lease.ts',
        find: `      this.#offeredTerm !== hardState.term &&
`,
        replace: ``,
      },
    ],
  },
  {
    name: 'lease-ahead-of-apply',
    breaks: 'a leader reads by its lease what it has not applied yet, and a follower has answered',
    source: 'own: ours had it until November 2026',
    isOwn: true,
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/node/node.ts',
        find: `    return this.#lease.holds(status) && this.appliedIndex >= status.hardState.commit;`,
        replace: `    return this.#lease.holds(status);`,
      },
    ],
  },
  {
    name: 'lease-forgotten-by-restart',
    breaks: 'a node that was restarted votes at once, though a leader may count on its promise not to',
    source: 'own',
    isOwn: true,
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/node/lease.ts',
        find: `return this.#restarted && `,
        replace: `return this.#restarted && this.#startedMs < 0 && `,
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
    name: 'read-context-reused',
    breaks: 'all ReadIndex rounds have one number, so that late answers confirm later rounds',
    source: 'etcd#20418',
    isOwn: true,
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/raft/reads.ts',
        find: `raft.readOnly.begin(raft.heartbeatRound + 1,`,
        replace: `raft.readOnly.begin(1,`,
      },
      {
        file: 'system/raft/replication.ts',
        find: `raft.heartbeatRound++;`,
        replace: `raft.heartbeatRound = 1;`,
      },
    ],
  },
  {
    name: 'cas-ignores-absence',
    breaks: 'a compare-and-set that expects no value takes any',
    source: 'own',
    isOwn: true,
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/kv/store.ts',
        find: `            ? current === undefined
            : current?.list`,
        replace: `            ? current?.revision !== 0
            : current?.list`,
      },
    ],
  },
];

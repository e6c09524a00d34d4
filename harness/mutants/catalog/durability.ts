import type { Edit, Mutant } from '../mutant.ts';

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

/** Planted bugs: disks and snapshots. */
export const durability: readonly Mutant[] = [
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
        file: 'system/node/peer-snapshots.ts',
        find: `        if (reader === undefined || this.#stopped) return report(false);`,
        replace: `        if (reader === undefined || this.#stopped) return;`,
      },
    ],
  },
  {
    name: 'directory-not-synced',
    breaks: 'a new segment of the log is not durable under its name',
    source: 'etcd#6368',
    isOwn: true,
    seenBy: ['log'],
    edits: [
      {
        file: 'system/storage/segment-files.ts',
        find: `    await this.fileSystem.syncDirectory(LOG_DIRECTORY);
`,
        replace: ``,
      },
    ],
  },
  {
    name: 'stuck-in-snapshot',
    breaks: 'a snapshot that failed on its way is never sent again',
    source: 'etcd#10308, raft#110',
    isOwn: true,
    seenBy: ['liveness'],
    edits: [
      {
        file: 'system/raft/leader.ts',
        find: `if (outcome === 'failed') member.pendingSnapshot = 0;`,
        replace: `if (outcome === 'failed') return;`,
      },
    ],
  },
  {
    name: 'snapshot-refused-in-silence',
    breaks: 'a snapshot that is there already is refused, and its sender never learns why',
    source: 'own: ours had it until November 2026; as etcd#10308',
    isOwn: true,
    seenBy: ['liveness'],
    edits: [
      {
        file: 'system/node/peer-snapshots.ts',
        find: `      raw.step(message);
      dirty();
      return undefined;`,
        replace: `      return undefined;`,
      },
    ],
  },
  {
    name: 'session-table-not-in-snapshot',
    breaks: 'a snapshot leaves out the sessions, and with them who has been answered',
    source: 'LogCabin, the Raft thesis, section 6.3',
    isOwn: true,
    seenBy: ['hash', 'txn', 'log'],
    edits: [
      {
        file: 'system/kv/snapshot.ts',
        find: `const sessions = state.sessions.copy();`,
        replace: `const sessions = state.sessions.copy().slice(0, 0);`,
      },
    ],
  },
];

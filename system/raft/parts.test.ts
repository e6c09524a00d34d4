import fc from 'fast-check';
import t from 'tap';
import { type ConfChangeSingle, ConfChangeTransition, ConfChangeType } from './confchange/change.ts';
import { changeSimply, enterJoint, leaveJoint } from './confchange/changer.ts';
import { decodeConfChange, encodeConfChange } from './confchange/codec.ts';
import { checkConfig, describeConfig } from './confchange/config.ts';
import { countWithin, type Entry, EntryType, entryBytes, NO_DATA, payloadBytes } from './entry.ts';
import { HeartbeatTimes } from './lease.ts';
import { RaftLog } from './log/raft-log.ts';
import { Unstable } from './log/unstable.ts';
import { MemoryStorage } from './memory-storage.ts';
import { jointIndex, jointVote } from './quorum/joint.ts';
import { majorityIndex, majorityVote } from './quorum/majority.ts';
import { type ConfState, EMPTY_CONF_STATE } from './state.ts';
import { bytes } from './testing/group.ts';
import { Inflights } from './tracker/inflights.ts';
import { Progress } from './tracker/progress.ts';

const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const UNLIMITED = { maxInflightMsgs: 256, maxInflightBytes: NO_LIMIT };

function entriesFrom(index: number, terms: readonly number[], payload = ''): Entry[] {
  return terms.map((term, i) => ({ term, index: index + i, type: EntryType.Normal, data: bytes(payload) }));
}

function snapshotAt(index: number, term: number) {
  return { metadata: { index, term, confState: EMPTY_CONF_STATE }, data: NO_DATA };
}

t.test('quorums', async (t) => {
  t.test('the committed index is the largest that more than half have reached', async (t) => {
    const acked = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(acked, (acked) => {
        const reached = (index: number) => acked.filter((one) => one >= index).length > acked.length / 2;
        const index = majorityIndex([...acked]);
        return reached(index) && !reached(index + 1);
      }),
    );
    t.equal(majorityIndex([]), Number.POSITIVE_INFINITY);
    t.equal(jointIndex([5], []), 5);
    t.equal(jointIndex([5, 6, 7], [4]), 4);
  });

  t.test('a vote is won and lost by more than half of all, and jointly by both halves', async (t) => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('y', 'n', '_')), (votes) => {
        const count = (vote: string) => votes.filter((one) => one === vote).length;
        const result = majorityVote(votes.length, count('y'), count('n'));
        if (votes.length === 0 || count('y') * 2 > votes.length) return result === 'won';
        return result === ((count('y') + count('_')) * 2 > votes.length ? 'pending' : 'lost');
      }),
    );
    t.equal(jointVote('won', 'won'), 'won');
    t.equal(jointVote('won', 'pending'), 'pending');
    t.equal(jointVote('pending', 'lost'), 'lost');
    t.equal(jointVote('lost', 'won'), 'lost');
  });
});

t.test('membership changes', async (t) => {
  const single = fc.record({
    type: fc.constantFrom(...Object.values(ConfChangeType)),
    nodeId: fc.nat({ max: 6 }),
  });
  const simple = fc.array(fc.array(single, { minLength: 1, maxLength: 1 }), { maxLength: 12 });
  const asArray = (config: ConfState) => describeConfig({ ...config, autoLeave: false });

  t.test('a simple change, and the same through a joint configuration, arrive at the same', async () => {
    fc.assert(
      fc.property(simple, (steps) => {
        let simply: ConfState = { ...EMPTY_CONF_STATE, voters: [1] };
        for (const changes of steps as readonly ConfChangeSingle[][]) {
          const changed = changeSimply(simply, changes);
          const entered = enterJoint(simply, false, changes);
          if ('unfit' in changed || 'unfit' in entered) return 'unfit' in changed && 'unfit' in entered;
          checkConfig(entered.config);
          const left = leaveJoint(entered.config);
          if ('unfit' in left || asArray(left.config) !== asArray(changed.config)) return false;
          checkConfig(left.config);
          simply = changed.config;
        }
        return true;
      }),
    );
  });

  t.test('any set of changes keeps a voter and is sound, in between too', async () => {
    fc.assert(
      fc.property(fc.array(single, { maxLength: 8 }), (changes) => {
        const entered = enterJoint({ ...EMPTY_CONF_STATE, voters: [1, 2, 3], learners: [4] }, true, changes);
        if ('unfit' in entered) return true;
        checkConfig(entered.config);
        const left = leaveJoint(entered.config);
        if ('unfit' in left) return false;
        checkConfig(left.config);
        return left.config.voters.length > 0;
      }),
    );
  });

  t.test('what was removed and added again starts anew', async (t) => {
    const changed = changeSimply({ ...EMPTY_CONF_STATE, voters: [1, 2] }, [
      { type: ConfChangeType.RemoveNode, nodeId: 2 },
      { type: ConfChangeType.AddNode, nodeId: 2 },
    ]);
    t.match(changed, { config: { voters: [1, 2] }, renewed: new Set([2]) });
  });

  t.test('changes come back from their bytes', async (t) => {
    const context = fc.uint8Array({ maxLength: 9 });
    const nodeId = fc.maxSafeNat();
    const type = fc.constantFrom(...Object.values(ConfChangeType));
    const change = fc.oneof(
      fc.record({ version: fc.constant(1 as const), type, nodeId, context }),
      fc.record({
        version: fc.constant(2 as const),
        transition: fc.constantFrom(...Object.values(ConfChangeTransition)),
        changes: fc.array(fc.record({ type, nodeId })),
        context,
      }),
    );
    fc.assert(fc.property(change, (change) => t.same(decodeConfChange(encodeConfChange(change)), change)));
    const leave = { version: 2, transition: 0, changes: [], context: NO_DATA } as const;
    t.same(encodeConfChange(leave), { type: EntryType.ConfChangeV2, data: NO_DATA });
    for (const data of [[1], [0, 1, 0], [9, 0, 0], [0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]) {
      t.throws(() => decodeConfChange({ type: EntryType.ConfChangeV2, data: Uint8Array.from(data) }));
    }
  });
});

t.test('sizes', async (t) => {
  const entries = entriesFrom(1, [1, 1, 1], '12345');
  const one = entryBytes(entries[0]!);
  for (const [max, count] of [
    [NO_LIMIT, 3],
    [3 * one, 3],
    [3 * one - 1, 2],
    [one, 1],
    [0, 1],
  ] as const) {
    t.equal(countWithin(entries, max), count);
  }
  t.equal(payloadBytes(entries), 15);
  t.equal(payloadBytes(entriesFrom(1, [1])), 0, 'an empty entry is free');
});

t.test('the window of messages on their way', async (t) => {
  t.test('behaves as a queue with bounds', async () => {
    const steps = fc.array(fc.record({ free: fc.boolean(), by: fc.nat(5), bytes: fc.nat(9) }));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 60 }),
        steps,
        (maxMsgs, maxBytes, steps) => {
          const window = new Inflights(maxMsgs, maxBytes);
          let model: { index: number; bytes: number }[] = [];
          let last = 0;
          let freed = 0;
          for (const { free, by, bytes } of steps) {
            if (free) {
              freed = Math.min(last, freed + by);
              window.freeUpTo(freed);
              model = model.filter(({ index }) => index > freed);
            } else if (!window.full) {
              last += 1 + by;
              window.add(last, bytes);
              model.push({ index: last, bytes });
            }
            const sum = model.reduce((total, one) => total + one.bytes, 0);
            if (window.count !== model.length) return false;
            if (window.full !== (model.length === maxMsgs || sum >= maxBytes)) return false;
          }
          return true;
        },
      ),
    );
  });

  t.test('cannot be overfilled', async (t) => {
    const window = new Inflights(1, NO_LIMIT);
    window.add(1, 0);
    t.throws(() => window.add(2, 0), { name: 'InvariantViolation' });
  });
});

t.test('what a leader knows of a node', async (t) => {
  const progress = (state: 'probe' | 'replicate' | 'snapshot', match: number, next: number) => {
    const one = new Progress(2, next, true, UNLIMITED);
    one.acknowledged(match);
    if (state === 'replicate') one.becomeReplicate();
    if (state === 'snapshot') one.becomeSnapshot(next - 1);
    one.next = next;
    return one;
  };

  t.test('refusals move it back, old ones do not', async (t) => {
    for (const [state, match, next, rejected, hint, moved, then] of [
      ['replicate', 5, 10, 5, 5, false, 10],
      ['replicate', 5, 10, 4, 4, false, 10],
      ['replicate', 5, 10, 9, 9, true, 6],
      ['probe', 0, 10, 5, 5, false, 10],
      ['probe', 0, 10, 9, 9, true, 9],
      ['probe', 0, 10, 9, 2, true, 3],
      ['probe', 0, 2, 1, 0, true, 1],
      ['probe', 4, 10, 9, 0, true, 5],
    ] as const) {
      const one = progress(state, match, next);
      t.equal(one.refused(rejected, hint), moved);
      t.match(one, { next: then, match });
    }
  });

  t.test('after a snapshot it goes on behind it', async (t) => {
    const one = progress('snapshot', 1, 10);
    t.match(one, { pendingSnapshot: 9, paused: true });
    one.becomeProbe();
    t.match(one, { next: 10, pendingSnapshot: 0, paused: false });
    const failed = progress('snapshot', 1, 10);
    failed.pendingSnapshot = 0;
    failed.becomeProbe();
    t.equal(failed.next, 2);
  });

  t.test('it is told a commit index that it can use, once', async (t) => {
    const one = progress('replicate', 5, 6);
    one.sentAppend(1, 1, 5);
    t.notOk(one.canBumpCommit(5));
    t.ok(one.canBumpCommit(6));
    one.sentAppend(0, 0, 6);
    t.notOk(one.canBumpCommit(7), 'it holds nothing beyond what it knows to be committed');
  });
});

t.test('the unstable end of the log', async (t) => {
  const unstable = (terms: readonly number[], inProgress: boolean) => {
    const one = new Unstable(5);
    if (terms.length > 0) one.truncateAndAppend(entriesFrom(5, terms));
    if (inProgress) one.acceptInProgress();
    return one;
  };

  t.test('gives out each entry to be written once, and again when it was overwritten', async (t) => {
    const one = unstable([1, 1, 1], true);
    t.notOk(one.hasNextEntries());
    one.truncateAndAppend(entriesFrom(8, [1]));
    t.same(
      one.nextEntries().map(({ index }) => index),
      [8],
    );
    one.truncateAndAppend(entriesFrom(6, [2]));
    t.same(
      one.nextEntries().map(({ index, term }) => [index, term]),
      [[6, 2]],
    );
    t.equal(one.lastIndex(), 6);
    one.truncateAndAppend(entriesFrom(3, [3, 3]));
    t.same([one.offset, one.lastIndex(), one.nextEntries().length], [3, 4, 2]);
  });

  t.test('forgets what is durable, if it is still what was written', async (t) => {
    for (const [terms, term, index, offset] of [
      [[1, 1], 1, 5, 6],
      [[1, 1], 1, 6, 7],
      [[1, 1], 2, 6, 5],
      [[1, 1], 1, 7, 5],
      [[1, 1], 1, 4, 5],
      [[], 1, 5, 5],
    ] as const) {
      const one = unstable(terms, true);
      one.stableTo(term, index);
      t.equal(one.offset, offset, `${term}/${index} of [${terms}]`);
      t.notOk(one.hasNextEntries());
    }
  });

  t.test('holds a snapshot until it is installed', async (t) => {
    const one = unstable([1, 1], false);
    one.restore(snapshotAt(9, 3));
    t.same([one.firstIndex(), one.lastIndex(), one.term(9), one.term(8), one.length], [10, 9, 3, undefined, 0]);
    t.ok(one.nextSnapshot());
    one.acceptInProgress();
    t.notOk(one.nextSnapshot());
    one.truncateAndAppend(entriesFrom(10, [3]));
    one.stableSnapshotTo(8);
    t.ok(one.snapshot);
    one.stableSnapshotTo(9);
    t.notOk(one.snapshot);
    t.equal(one.lastIndex(), 10);
  });
});

t.test('the log', async (t) => {
  /** Compacted up to index 3, stable up to 6, unstable up to 8. */
  const log = (maxApplyingBytes = NO_LIMIT) => {
    const storage = new MemoryStorage();
    storage.applySnapshot(snapshotAt(3, 1));
    storage.append(entriesFrom(4, [1, 2, 2], '12'));
    const one = new RaftLog(storage, maxApplyingBytes);
    one.append(entriesFrom(7, [2, 3], '12'));
    return one;
  };

  t.test('knows terms of all that is there and of the entry before', async (t) => {
    t.same(
      [2, 3, 4, 6, 7, 8, 9].map((index) => log().term(index)),
      ['compacted', 1, 1, 2, 2, 3, 'unavailable'],
    );
    t.same([log().firstIndex(), log().lastIndex(), log().lastTerm()], [4, 8, 3]);
  });

  t.test('slices across the seam, within a bound, never with a gap', async (t) => {
    const one = entryBytes(entriesFrom(1, [1], '12')[0]!);
    for (const [from, to, max, indices] of [
      [4, 9, NO_LIMIT, [4, 5, 6, 7, 8]],
      [4, 7, NO_LIMIT, [4, 5, 6]],
      [7, 9, NO_LIMIT, [7, 8]],
      [6, 8, NO_LIMIT, [6, 7]],
      [4, 9, 4 * one, [4, 5, 6, 7]],
      [4, 9, 3 * one + 1, [4, 5, 6]],
      [4, 9, 3 * one, [4, 5, 6]],
      [4, 9, 2 * one, [4, 5]],
      [4, 9, 0, [4]],
      [7, 9, 0, [7]],
    ] as const) {
      const slice = log().slice(from, to, max);
      t.same(
        typeof slice === 'string' ? slice : slice.map(({ index }) => index),
        indices,
        `[${from}, ${to}) in ${max}`,
      );
    }
    t.equal(log().slice(3, 5, NO_LIMIT), 'compacted');
    t.throws(() => log().slice(4, 10, NO_LIMIT));
  });

  t.test(
    'leaves no gap when a small unstable entry would fit where a large stable one did not (etcd#10063)',
    async (t) => {
      const storage = new MemoryStorage();
      storage.append([...entriesFrom(1, [1], '1'), ...entriesFrom(2, [1], '1'.repeat(100))]);
      const one = new RaftLog(storage, NO_LIMIT);
      one.append(entriesFrom(3, [1], '1'));
      t.match(one.slice(1, 4, 50), [{ index: 1 }]);
      t.equal(one.slice(1, 4, 50).length, 1);
    },
  );

  t.test('says where two logs may agree', async (t) => {
    for (const [index, term, at, ofTerm] of [
      [8, 3, 8, 3],
      [8, 2, 7, 2],
      [8, 1, 4, 1],
      [8, 0, 2, 0],
      [3, 1, 3, 1],
      [2, 1, 2, 0],
      [9, 3, 9, 0],
      [0, 0, 0, 0],
    ] as const) {
      t.same(log().lastPossibleMatch(index, term), { index: at, term: ofTerm }, `${term}/${index}`);
    }
  });

  t.test('compares itself with another', async (t) => {
    for (const [index, term, newEnough] of [
      [9, 3, true],
      [8, 3, true],
      [7, 3, false],
      [1, 4, true],
      [9, 2, false],
    ] as const) {
      t.equal(log().isUpToDate(index, term), newEnough);
    }
  });

  t.test('never commits backwards or past its end, and never overwrites what is committed', async (t) => {
    const one = log();
    one.commitTo(7);
    one.commitTo(5);
    t.equal(one.committed, 7);
    t.throws(() => one.commitTo(9), { name: 'InvariantViolation' });
    t.throws(() => one.append(entriesFrom(7, [4])), { name: 'InvariantViolation' });
    t.throws(() => one.append(entriesFrom(10, [4])), { name: 'InvariantViolation' });
    t.throws(() => one.maybeAppend(6, 2, entriesFrom(7, [9]), 0), { name: 'InvariantViolation' });
  });

  t.test('hands out what is committed, durable if it must be, within a bound, in order', async (t) => {
    const one = log();
    one.commitTo(8);
    t.same(
      one.nextCommitted(false).map(({ index }) => index),
      [4, 5, 6],
    );
    t.same(
      one.nextCommitted(true).map(({ index }) => index),
      [4, 5, 6, 7, 8],
    );

    const bounded = log(2 * entryBytes(entriesFrom(1, [1], '12')[0]!));
    bounded.commitTo(8);
    const first = bounded.nextCommitted(true);
    t.same(
      first.map(({ index }) => index),
      [4, 5],
    );
    bounded.acceptApplying(first, true);
    t.notOk(bounded.hasNextCommitted(true), 'the bound is reached');
    t.ok(bounded.isApplying());
    bounded.appliedTo(
      5,
      first.reduce((sum, entry) => sum + entryBytes(entry), 0),
    );
    t.same(
      bounded.nextCommitted(true).map(({ index }) => index),
      [6, 7],
    );
    t.throws(() => bounded.appliedTo(4, 0), { name: 'InvariantViolation' });
    t.throws(() => bounded.appliedTo(9, 0), { name: 'InvariantViolation' });
  });

  t.test('begins anew after a snapshot, and hands out nothing before it is installed', async (t) => {
    const one = log();
    one.restore(snapshotAt(20, 5));
    t.same([one.firstIndex(), one.lastIndex(), one.lastTerm(), one.committed], [21, 20, 5, 20]);
    t.notOk(one.hasNextCommitted(true));
    t.equal(one.term(8), 'compacted');
  });
});

t.test('storage in memory', async (t) => {
  const storage = () => {
    const one = new MemoryStorage();
    one.append(entriesFrom(1, [1, 1, 2, 2], '12'));
    return one;
  };
  const terms = (one: MemoryStorage) => {
    const entries = one.entries(one.firstIndex(), one.lastIndex() + 1, NO_LIMIT);
    return typeof entries === 'string' ? entries : entries.map(({ index, term }) => [index, term]);
  };

  t.test('starts empty', async (t) => {
    const one = new MemoryStorage();
    t.same([one.firstIndex(), one.lastIndex(), one.term(0), one.term(1)], [1, 0, 0, 'unavailable']);
    t.same(one.initialState(), { hardState: { term: 0, vote: 0, commit: 0 }, confState: EMPTY_CONF_STATE });
  });

  t.test('appends, overwrites from the first new entry on, skips what is compacted, refuses a gap', async (t) => {
    const one = storage();
    one.append(entriesFrom(3, [3]));
    t.same(terms(one), [
      [1, 1],
      [2, 1],
      [3, 3],
    ]);
    one.compact(2);
    one.append(entriesFrom(1, [1, 1, 4, 4]));
    t.same(terms(one), [
      [3, 4],
      [4, 4],
    ]);
    one.append(entriesFrom(1, [1]));
    t.equal(one.lastIndex(), 4, 'all of it compacted');
    t.throws(() => one.append(entriesFrom(6, [4])));
  });

  t.test('compacts, and keeps the term of the last entry that went', async (t) => {
    const one = storage();
    one.compact(3);
    t.same([one.firstIndex(), one.lastIndex(), one.term(3), one.term(2)], [4, 4, 2, 'compacted']);
    one.compact(1);
    t.equal(one.firstIndex(), 4);
    t.throws(() => one.compact(9));
    t.equal(one.entries(3, 4, NO_LIMIT), 'compacted');
    t.equal(one.entries(4, 6, NO_LIMIT), 'unavailable');
    one.compact(4);
    t.same([one.firstIndex(), one.lastIndex(), one.term(4)], [5, 4, 2]);
  });

  t.test('keeps the newest snapshot', async (t) => {
    const one = storage();
    const confState = { ...EMPTY_CONF_STATE, voters: [1] };
    t.match(one.createSnapshot(3, confState, bytes('s')).metadata, { index: 3, term: 2, confState });
    t.equal(one.lastIndex(), 4, 'the log stays');
    t.throws(() => one.createSnapshot(2, confState, NO_DATA));
    t.throws(() => one.createSnapshot(9, confState, NO_DATA));
    t.notOk(one.applySnapshot(snapshotAt(3, 2)));
    t.ok(one.applySnapshot(snapshotAt(9, 4)));
    t.same([one.firstIndex(), one.lastIndex(), one.term(9)], [10, 9, 4]);
  });
});

t.test('the times of heartbeats', async (t) => {
  const times = new HeartbeatTimes(5);
  for (const [round, tick] of [
    [1, 10],
    [2, 10],
    [3, 11],
    [4, 14],
  ] as const) {
    times.sent(round, tick);
  }
  t.same(
    [0, 1, 2, 3, 4, 5].map((round) => times.tickOf(round)),
    [undefined, 10, 10, 11, 14, 14],
  );
  times.sent(5, 17);
  t.equal(times.tickOf(2), undefined, 'long ago');
});

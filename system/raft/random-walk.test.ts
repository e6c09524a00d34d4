import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import t from 'tap';
import { Walk, type WalkOptions } from './testing/walk.ts';

/** More of them: RAFT_WALKS=5000 RAFT_WALK_SEED=1 node dist/system/raft/random-walk.test.js */
const WALKS = Number(process.env.RAFT_WALKS ?? 300);
const FIRST_SEED = Number(process.env.RAFT_WALK_SEED ?? 1);
const STEPS = 3000;

function randomFrom(seed: number): (bound: number) => number {
  const generator = xoroshiro128plus(seed);
  return (bound) => uniformInt(generator, 0, bound - 1);
}

function optionsFrom(random: (bound: number) => number): WalkOptions {
  const flip = () => random(2) === 0;
  const checkQuorum = flip();
  return {
    voters: 3 + random(5),
    asyncStorageWrites: flip(),
    preVote: flip(),
    checkQuorum,
    leases: checkQuorum && flip(),
    stepDownOnRemoval: flip(),
    deferCommitNotices: flip(),
    confirmReadsByFew: flip(),
    maxInflightMsgs: [1, 3, 256][random(3)]!,
    maxSizePerMsgBytes: [1, 60, 1_000_000][random(3)]!,
    maxCommittedSizePerReadyBytes: [1, 60, 1_000_000][random(3)]!,
    trouble: [0, 5, 20][random(3)]!,
  };
}

t.test('groups of 3 to 7 voters that walk at random stay safe, and go on when they are healed', async (t) => {
  const total = { committed: 0, reads: 0, crashes: 0, snapshots: 0, confChanges: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + WALKS; seed++) {
    const random = randomFrom(seed);
    const options = optionsFrom(random);
    try {
      const walk = new Walk(random, options);
      walk.wander(STEPS);
      walk.calmDown();
      for (const what of Object.keys(total) as (keyof typeof total)[]) total[what] += walk.counts[what];
    } catch (error) {
      t.fail(`seed ${seed} with ${JSON.stringify(options)}: ${error instanceof Error ? error.stack : error}`);
      t.comment(`again: RAFT_WALKS=1 RAFT_WALK_SEED=${seed} node dist/system/raft/random-walk.test.js`);
      return;
    }
  }
  t.comment(`${WALKS} walks: ${JSON.stringify(total)}`);
  // A walk in which nothing happens proves nothing.
  t.ok(total.committed > WALKS * 20, 'entries were committed');
  t.ok(total.reads > WALKS * 5, 'reads were answered');
  t.ok(total.crashes > WALKS, 'nodes crashed');
  t.ok(total.snapshots > WALKS / 10, 'snapshots were installed');
  t.ok(total.confChanges > WALKS, 'the membership changed');
});

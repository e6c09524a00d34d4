import t from 'tap';
import { type ConfChangeSingle, ConfChangeType } from './confchange/change.ts';
import { EntryType, NO_DATA } from './entry.ts';
import { MemoryStorage } from './memory-storage.ts';
import { APPEND_THREAD, type Message, MessageType } from './message.ts';
import { RawNode } from './raw-node.ts';
import { bytes, ELECTION_TICKS, Group, Member, message, type Settings, storageWith, text } from './testing/group.ts';

const { AddNode, AddLearnerNode, RemoveNode } = ConfChangeType;

function change(...changes: readonly [ConfChangeType, number][]) {
  const singles: ConfChangeSingle[] = changes.map(([type, nodeId]) => ({ type, nodeId }));
  return { version: 2 as const, transition: 0 as const, changes: singles, context: NO_DATA };
}

/** One member of a group of this many, alone; the messages of the others are made by the test. */
function lone(voters: number, settings: Settings = {}, terms: readonly number[] = []): Member {
  const ids = Array.from({ length: voters }, (_, i) => i + 1);
  return new Member(1, storageWith({ voters: ids }, terms), settings);
}

/** It has just won, with everybody's log acknowledged up to its first entry, if asked. */
function loneLeader(voters: number, settings: Settings = {}, acknowledged = true): Member {
  const member = lone(voters, settings);
  member.raw.campaign();
  member.work();
  for (let id = 2; id <= voters; id++) from(member, id, MessageType.VoteResp, {});
  member.work();
  if (acknowledged) {
    for (let id = 2; id <= voters; id++) from(member, id, MessageType.AppResp, { index: member.raft.log.lastIndex() });
    member.work();
  }
  return member;
}

function from(member: Member, id: number, type: MessageType, fields: Partial<Message>): void {
  member.raw.step(message(type, { from: id, to: member.id, term: member.raft.term, ...fields }));
}

function ofType(messages: readonly Message[], type: MessageType): readonly Message[] {
  return messages.filter((one) => one.type === type);
}

t.test('elections', async (t) => {
  for (const preVote of [false, true]) {
    const mode = preVote ? 'with PreVote' : 'without PreVote';

    t.test(`${mode}, a majority elects, a minority does not`, async (t) => {
      for (const [voters, down, wins] of [
        [1, [], true],
        [3, [], true],
        [3, [2], true],
        [3, [2, 3], false],
        [4, [2, 3], false],
        [5, [2, 3], true],
        [5, [2, 3, 4], false],
      ] as const) {
        const group = new Group(voters, { preVote });
        for (const id of down) group.isolate(id);
        group.elect(1);
        t.same(group.leaders(), wins ? [1] : [], `${voters} voters, ${down.length} away`);
        if (preVote && !wins) t.equal(group.at(1).raft.term, 0, 'a PreVote that fails leaves the term alone');
      }
    });

    t.test(`${mode}, leadership can go round`, async (t) => {
      const group = new Group(3, { preVote });
      for (const id of [1, 2, 3, 1]) {
        group.elect(id);
        t.same(group.leaders(), [id]);
      }
    });

    t.test(`${mode}, a leader overwrites what is newer than its log and was never committed`, async (t) => {
      const confState = { voters: [1, 2, 3, 4, 5] };
      const group = new Group(confState, { preVote });
      // 1 led in term 1 and told 2; 3 led in term 2, by the votes of 4 and 5, and told nobody.
      for (const [id, terms] of [
        [1, [1]],
        [2, [1]],
        [3, [2]],
      ] as const) {
        group.add(id, storageWith(confState, terms), { preVote });
      }
      for (const id of [4, 5]) {
        const storage = storageWith(confState);
        storage.setHardState({ term: 2, vote: 3, commit: 1 });
        group.add(id, storage, { preVote });
      }
      group.elect(1);
      t.same(group.leaders(), [], 'in term 2 the votes were cast');
      group.elect(1);
      t.same(group.leaders(), [1]);
      for (const { raft } of group.members.values()) {
        t.same([raft.log.term(2), raft.log.term(3)], [1, 3], `log of ${raft.id}`);
      }
    });
  }

  t.test('a vote goes to the first who asks, once a term, and survives a restart', async (t) => {
    const group = new Group(3);
    const ask = (candidate: number) =>
      group.at(3).raw.step(message(MessageType.Vote, { from: candidate, to: 3, term: 5, index: 1, logTerm: 1 }));
    const answers = () => ofType(group.at(3).work(), MessageType.VoteResp).map(({ to, reject }) => [to, reject]);
    ask(1);
    t.same(answers(), [[1, false]]);
    ask(2);
    t.same(answers(), [[2, true]]);
    group.restart(3);
    ask(2);
    t.same(answers(), [[2, true]], 'also after a restart');
    ask(1);
    t.same(answers(), [[1, false]], 'the same candidate may ask again');
  });

  t.test('a vote is refused to a log that is not at least as new', async (t) => {
    for (const [index, logTerm, granted] of [
      [3, 2, false],
      [4, 2, false],
      [5, 2, false],
      [2, 3, false],
      [3, 3, true],
      [4, 3, true],
      [2, 4, true],
    ] as const) {
      const member = lone(3, {}, [2, 3]);
      from(member, 2, MessageType.Vote, { term: 9, index, logTerm });
      t.equal(ofType(member.work(), MessageType.VoteResp)[0]?.reject, !granted, `[${logTerm}/${index}] against [3/3]`);
    }
  });

  t.test('the answer of one voter counts once, and the first one counts', async (t) => {
    const member = lone(5);
    member.raw.campaign();
    member.work();
    for (let i = 0; i < 3; i++) from(member, 2, MessageType.VoteResp, {});
    t.equal(member.raft.role, 'candidate');
    from(member, 3, MessageType.VoteResp, { reject: true });
    from(member, 3, MessageType.VoteResp, {});
    t.equal(member.raft.role, 'candidate');
    from(member, 4, MessageType.VoteResp, {});
    t.equal(member.raft.role, 'leader');
  });

  t.test('its own vote counts only when it is durable', async (t) => {
    const member = lone(3);
    member.raw.campaign();
    from(member, 2, MessageType.VoteResp, {});
    t.equal(member.raft.role, 'candidate');
    member.work();
    t.equal(member.raft.role, 'leader');
  });

  t.test('a candidate gives way to a leader of its term, and to a lost vote', async (t) => {
    for (const [type, fields] of [
      [MessageType.App, { index: 1, logTerm: 1 }],
      [MessageType.Heartbeat, {}],
    ] as const) {
      const member = lone(3);
      member.raw.campaign();
      from(member, 2, type, fields);
      t.match(member.raft, { role: 'follower', leader: 2, term: 1 });
    }
    const member = lone(3);
    member.raw.campaign();
    member.work();
    from(member, 2, MessageType.VoteResp, { reject: true });
    from(member, 3, MessageType.VoteResp, { reject: true });
    t.match(member.raft, { role: 'follower', leader: 0, term: 1 });
  });

  t.test('a late answer to its PreVote is not a vote', async (t) => {
    const member = lone(5, { preVote: true });
    member.raw.campaign();
    member.work();
    from(member, 2, MessageType.PreVoteResp, { term: 1 });
    from(member, 3, MessageType.PreVoteResp, { term: 1 });
    member.work();
    t.equal(member.raft.role, 'candidate');
    from(member, 4, MessageType.PreVoteResp, { term: 1 });
    from(member, 5, MessageType.PreVoteResp, { term: 1 });
    t.equal(member.raft.role, 'candidate');
  });

  t.test('the election timeout is drawn from [E, 2E - 1]', async (t) => {
    for (const [drawn, timeout] of [
      [0, ELECTION_TICKS],
      [ELECTION_TICKS - 1, 2 * ELECTION_TICKS - 1],
    ] as const) {
      const bounds: number[] = [];
      const random = (bound: number) => {
        bounds.push(bound);
        return Math.min(drawn, bound - 1);
      };
      const member = lone(3, { random });
      t.equal(bounds.at(-1), ELECTION_TICKS);
      member.tick(timeout - 1);
      t.equal(member.raft.role, 'follower');
      member.tick(1);
      t.equal(member.raft.role, 'candidate');
    }
  });

  t.test('learners and outsiders do not campaign, but vote when they are asked', async (t) => {
    for (const confState of [{ voters: [2, 3], learners: [1] }, { voters: [2, 3] }]) {
      const member = new Member(1, storageWith(confState));
      member.tick(3 * ELECTION_TICKS);
      member.raw.campaign();
      from(member, 2, MessageType.TimeoutNow, {});
      t.equal(member.raft.role, 'follower');
      from(member, 2, MessageType.Vote, { term: 7, index: 1, logTerm: 1 });
      t.match(ofType(member.work(), MessageType.VoteResp), [{ reject: false, term: 7 }]);
    }
  });

  t.test('a node with a committed membership change that it has not applied does not campaign', async (t) => {
    const group = new Group(3);
    group.elect(1);
    group.isolate(3);
    group.change(1, change([AddNode, 4]));
    group.heal();
    const behind = group.at(3);
    // It learns that the change is committed, but does not apply it.
    const entries = group.at(1).storage.entries(behind.raft.log.lastIndex() + 1, 4, 1e9);
    if (typeof entries === 'string') throw new Error(entries);
    behind.raw.step(message(MessageType.App, { from: 1, to: 3, term: 1, index: 2, logTerm: 1, entries, commit: 3 }));
    behind.raw.campaign();
    t.equal(behind.raft.role, 'follower');
    from(behind, 1, MessageType.TimeoutNow, {});
    t.equal(behind.raft.role, 'follower', 'also when it is told to');
    behind.work();
    behind.raw.campaign();
    t.equal(behind.raft.role, 'candidate');
  });

  t.test('both halves of a joint configuration must elect', async (t) => {
    const joint = { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] };
    for (const [away, wins] of [
      [[], true],
      [[3, 5], true],
      [[2, 3], false],
      [[4, 5], false],
    ] as const) {
      const group = new Group(joint);
      for (const id of away) group.isolate(id);
      group.elect(1);
      t.same(group.leaders(), wins ? [1] : [], `away: ${away}`);
    }
  });

  t.test('with CheckQuorum, votes are refused while a leader is heard of; a stuck candidate is freed', async (t) => {
    const group = new Group(3, { checkQuorum: true });
    group.elect(1);
    group.elect(3);
    t.same(group.leaders(), [1], 'a lease stands');
    t.equal(group.at(3).raft.term, 2);
    group.beat(1);
    t.same(group.leaders(), [], 'the answer to its heartbeat makes the leader step down');
    t.equal(group.at(1).raft.term, 2);
    group.at(2).tick(ELECTION_TICKS);
    group.settle();
    t.same(group.leaders(), [2]);
  });

  t.test('with CheckQuorum, a leader without a quorum steps down, and one with it stays', async (t) => {
    const group = new Group(3, { checkQuorum: true });
    group.elect(1);
    for (let i = 0; i < 3 * ELECTION_TICKS; i++) group.beat(1);
    t.same(group.leaders(), [1]);
    group.isolate(1);
    for (let i = 0; i < 2 * ELECTION_TICKS; i++) group.beat(1);
    t.same(group.leaders(), []);
    t.equal(group.at(1).raft.term, 1, 'in its term');
  });

  t.test('with PreVote and CheckQuorum, a node that comes back does not disturb', async (t) => {
    const group = new Group(3, { preVote: true, checkQuorum: true });
    group.elect(1);
    group.isolate(3);
    group.propose(1, 'a');
    group.at(3).tick(5 * ELECTION_TICKS);
    group.settle();
    group.heal();
    group.beat(1);
    t.same(group.leaders(), [1]);
    t.equal(group.at(1).raft.term, 1);
    t.same(group.at(3).payloads(), ['a']);
  });

  t.test('with PreVote, one that asks with an old term learns the newer one (etcd#8501)', async (t) => {
    // 2 has the newer term and the older log, 3 the other way round: neither can do without the other.
    const confState = { voters: [1, 2, 3] };
    const group = new Group(confState, { preVote: true });
    group.members.delete(1);
    for (const [id, terms, term] of [
      [2, [2], 5],
      [3, [2, 2], 2],
    ] as const) {
      const storage = storageWith(confState, terms);
      storage.setHardState({ term, vote: 0, commit: 1 });
      group.add(id, storage, { preVote: true });
    }
    for (const id of [2, 3, 2, 3]) group.elect(id);
    t.same(group.leaders(), [3]);
  });

  t.test('messages of older terms are passed over, of newer terms believed', async (t) => {
    const member = loneLeader(3);
    from(member, 2, MessageType.AppResp, { index: 2 });
    t.equal(member.raft.role, 'leader');
    from(member, 2, MessageType.App, { term: 5, index: 2, logTerm: 1 });
    t.match(member.raft, { role: 'follower', term: 5, leader: 2 });
    from(member, 3, MessageType.App, { term: 4, index: 2, logTerm: 1, commit: 2 });
    t.equal(member.raft.leader, 2);
  });

  t.test('a node that was removed and one that does not know it cannot deadlock an election', async (t) => {
    // 4 knows that {2,4} is the configuration; 2 holds that change, and more, but not that it is committed; 3 is gone.
    const leave = { term: 1, index: 2, type: EntryType.ConfChangeV2, data: NO_DATA };
    const more = { term: 1, index: 3, type: EntryType.Normal, data: bytes('x') };
    for (const preVote of [false, true]) {
      const group = new Group({ voters: [2, 4], votersOutgoing: [3], autoLeave: true }, { preVote });
      group.members.delete(3);
      group.at(4).storage.append([leave]);
      group.at(4).storage.setHardState({ term: 1, vote: 3, commit: 2 });
      group.at(2).storage.append([leave, more]);
      group.at(2).storage.setHardState({ term: 1, vote: 3, commit: 1 });
      for (const id of [2, 4]) group.restart(id, { preVote }).work();
      group.elect(4);
      group.elect(2);
      group.elect(2);
      t.same(group.leaders(), [2]);
    }
  });
});

t.test('replication and commit', async (t) => {
  t.test('a proposal commits when a majority holds it, wherever it is made', async (t) => {
    for (const at of [1, 2]) {
      const group = new Group(3);
      group.elect(1);
      group.isolate(3);
      group.propose(at, 'a', 'b');
      for (const id of [1, 2]) t.same(group.at(id).payloads(), ['a', 'b']);
      t.same(group.at(3).payloads(), []);
    }
  });

  t.test('the follower that forwards can be told not to', async (t) => {
    const group = new Group(3, { disableProposalForwarding: true });
    t.equal(group.propose(2, 'a'), 'no-leader');
    group.elect(1);
    t.equal(group.propose(2, 'a'), 'forwarding-disabled');
    group.isolate(2);
    group.at(2).raw.campaign();
    t.equal(group.propose(2, 'a'), 'campaigning');
  });

  t.test('entries of earlier terms are not committed by counting (figure 8)', async (t) => {
    const group = new Group(5);
    group.elect(1);
    // 1 replicates an entry of its term to 2 only, and is gone.
    group.lose = ({ to, from }) => (from === 1 && to > 2) || (from === 2 && to === 1);
    group.propose(1, 'old');
    group.heal();
    group.isolate(1);
    group.at(2).raw.campaign();
    // 2 leads, and its log reaches everybody, but not the entry of its own term.
    group.lose = ({ type, entries }) => type === MessageType.App && entries.some(({ term }) => term === 2);
    group.settle();
    t.same(group.leaders(), [1, 2]);
    const { raft } = group.at(2);
    const before = raft.log.committed;
    for (const id of [3, 4, 5]) from(group.at(2), id, MessageType.AppResp, { index: 3 });
    t.equal(raft.tracker.quorumMatch(), 3, 'a majority holds it');
    t.equal(raft.log.committed, before, 'and that is not enough');
    for (const id of [3, 4, 5]) from(group.at(2), id, MessageType.AppResp, { index: 4 });
    t.equal(raft.log.committed, 4, 'with one of its own term it is');
  });

  t.test('a follower commits no further than the append vouches for', async (t) => {
    for (const [index, logTerm, entryTerms, commit, committed] of [
      [2, 2, [], 9, 2],
      [3, 2, [], 9, 3],
      [3, 2, [2], 9, 4],
      [3, 2, [2, 2], 4, 4],
      [2, 2, [], 1, 1],
    ] as const) {
      const member = lone(3, {}, [2, 2, 2, 2, 2]);
      const entries = entryTerms.map((term, i) => ({
        term,
        index: index + 1 + i,
        type: EntryType.Normal,
        data: NO_DATA,
      }));
      from(member, 2, MessageType.App, { index, logTerm, entries, commit });
      t.equal(member.raft.log.committed, committed, `after ${index} with ${entries.length} entries, commit ${commit}`);
    }
  });

  t.test('what conflicts is overwritten; a late, shorter append truncates nothing', async (t) => {
    const append = (member: Member, index: number, logTerm: number, terms: readonly number[]) => {
      const entries = terms.map((term, i) => ({ term, index: index + 1 + i, type: EntryType.Normal, data: NO_DATA }));
      from(member, 2, MessageType.App, { term: 9, index, logTerm, entries });
      const terms_ = [];
      for (let i = 2; i <= member.raft.log.lastIndex(); i++) terms_.push(member.raft.log.term(i));
      return terms_;
    };
    t.same(append(lone(3, {}, [2, 2, 3]), 1, 1, [2, 2, 3, 4]), [2, 2, 3, 4]);
    t.same(append(lone(3, {}, [2, 2, 3]), 1, 1, [2]), [2, 2, 3], 'a prefix of what is there');
    t.same(append(lone(3, {}, [2, 2, 3]), 2, 2, [4]), [2, 4]);
    t.same(append(lone(3, {}, [2, 2, 3]), 4, 3, []), [2, 2, 3], 'nothing new');
    t.same(append(lone(3, {}, [2, 2, 3]), 5, 3, [3]), [2, 2, 3], 'a gap');
  });

  t.test('an append below what is committed is answered with the commit index', async (t) => {
    const member = loneLeader(3);
    from(member, 2, MessageType.App, { term: 2, index: 1, logTerm: 1 });
    t.match(ofType(member.work(), MessageType.AppResp), [{ index: 2, reject: false, to: 2 }]);
  });

  t.test('one refusal skips whole terms, on both sides', async (t) => {
    // The leader's log, the follower's log: terms from index 2 on; at most so many refusals until they agree.
    for (const [leader, follower, refusals] of [
      [[2, 2, 4, 4, 4, 4, 4], [2, 2, 3, 3, 3, 3, 3, 3, 3], 1],
      [[2, 2, 2, 4, 4, 4, 4, 4], [2, 2, 2, 3], 1],
      [[2, 3, 3, 3, 5, 5, 5], [2, 2, 2, 2, 4, 4], 2],
      [[2, 2, 2, 2, 2, 2, 5], [2, 2], 1],
      [[2, 2, 2, 2, 5], [2, 4, 4, 4, 4, 4, 4, 4], 2],
    ] as const) {
      const group = new Group(3);
      const confState = { voters: [1, 2, 3] };
      group.add(1, storageWith(confState, leader));
      group.add(2, storageWith(confState, follower));
      group.add(3, storageWith(confState));
      let refused = 0;
      group.lose = ({ type, reject, from }) => {
        if (type === MessageType.AppResp && reject && from === 2) refused++;
        return false;
      };
      group.elect(1);
      t.ok(refused <= refusals, `${refused} refusals of [${follower}] to [${leader}]`);
      t.equal(group.at(2).raft.log.lastIndex(), group.at(1).raft.log.lastIndex());
      t.ok(group.at(2).raft.log.matches(group.at(1).raft.log.lastIndex(), group.at(1).raft.log.lastTerm()));
    }
  });

  t.test('a hint is never taken for a match, and an old refusal says nothing', async (t) => {
    const member = loneLeader(3);
    member.raw.propose([bytes('a')]);
    member.work();
    from(member, 2, MessageType.AppResp, { index: 3 });
    const two = member.raft.tracker.member(2)!;
    t.match(two, { match: 3, next: 4 });
    from(member, 2, MessageType.AppResp, { index: 3, reject: true, rejectHint: 9, logTerm: 1 });
    t.match(two, { match: 3, state: 'replicate' });
    from(member, 3, MessageType.AppResp, { index: 3, reject: true, rejectHint: 9, logTerm: 0 });
    t.equal(member.raft.tracker.member(3)!.match, 2);
    t.equal(member.raft.log.committed, 3);
  });

  t.test('messages that are lost, repeated and reordered do no harm', async (t) => {
    const group = new Group(3);
    group.elect(1);
    const sent: Message[] = [];
    group.at(1).raw.propose([bytes('a')]);
    sent.push(...group.at(1).work());
    group.at(1).raw.propose([bytes('b')]);
    sent.push(...group.at(1).work());
    for (const one of [...sent].reverse()) group.at(one.to).raw.step(one);
    for (const one of sent) group.at(one.to).raw.step(one);
    group.settle();
    group.beat(1);
    for (const id of [1, 2, 3]) t.same(group.at(id).payloads(), ['a', 'b']);
  });

  t.test('a leader counts its own entry only when it is durable', async (t) => {
    const member = loneLeader(3);
    member.raw.propose([bytes('a')]);
    t.equal(member.raft.log.committed, 2);
    from(member, 2, MessageType.AppResp, { index: 3 });
    t.equal(member.raft.log.committed, 2, 'one other is no majority');
    member.work();
    t.equal(member.raft.log.committed, 3);
  });

  t.test('a single node commits only what is durable', async (t) => {
    const member = lone(1);
    member.raw.campaign();
    member.work();
    member.raw.propose([bytes('a')]);
    t.equal(member.raft.log.committed, 2);
    member.work();
    t.same(member.payloads(), ['a']);
  });

  t.test('both majorities of a joint configuration must hold an entry', async (t) => {
    const joint = { voters: [1, 2, 3], votersOutgoing: [3, 4, 5] };
    for (const [away, commits] of [
      [[], true],
      [[2, 5], true],
      [[4, 5], false],
      [[2, 3], false],
    ] as const) {
      const group = new Group(joint);
      group.elect(1);
      for (const id of away) group.isolate(id);
      group.propose(1, 'a');
      t.same(group.at(1).payloads(), commits ? ['a'] : [], `away: ${away}`);
    }
  });

  t.test('learners get everything and count for nothing', async (t) => {
    const group = new Group({ voters: [1, 2, 3], learners: [4] });
    group.elect(1);
    group.propose(1, 'a');
    t.same(group.at(4).payloads(), ['a']);
    group.isolate(2);
    group.isolate(3);
    group.propose(1, 'b');
    t.same(group.at(1).payloads(), ['a']);
  });

  t.test('an empty heartbeat carries no more commit than the follower is known to hold', async (t) => {
    const member = loneLeader(3, {}, false);
    from(member, 2, MessageType.AppResp, { index: 2 });
    member.work();
    member.tick(1);
    const beats = ofType(member.work(), MessageType.Heartbeat);
    t.same(
      beats.map(({ to, commit, entries }) => [to, commit, entries.length]),
      [
        [2, 2, 0],
        [3, 0, 0],
      ],
    );
  });

  t.test('what was committed survives a restart, and is applied once', async (t) => {
    const group = new Group(3);
    group.elect(1);
    group.propose(1, 'a');
    const { applied } = group.at(1).raft.log;
    const again = group.restart(1, { applied });
    again.work();
    t.same(again.payloads(), [], 'nothing below what it says it has applied');
    t.equal(again.raft.log.committed, applied);
  });
});

t.test('commit notices that may wait', async (t) => {
  const elected = () => {
    const group = new Group(3, { deferCommitNotices: true });
    group.elect(1);
    group.beat(1);
    return group;
  };
  const committed = (group: Group) => [1, 2, 3].map((id) => group.at(id).raft.log.committed);

  t.test('travel with the next append, with a heartbeat, or when asked for', async (t) => {
    const group = elected();
    const [before = 0] = committed(group);
    t.same(committed(group), [before, before, before], 'what a new leader begins with is told at once');
    const appends: Message[] = [];
    group.lose = (message) => {
      if (message.type === MessageType.App) appends.push(message);
      return false;
    };
    group.propose(1, 'a');
    t.equal(appends.length, 2, 'one message for each follower, and none for the commit');
    t.same(committed(group), [before + 1, before, before]);
    group.propose(1, 'b');
    t.equal(appends.length, 4);
    t.same(committed(group), [before + 2, before + 1, before + 1]);
    group.beat(1);
    t.same(committed(group), [before + 2, before + 2, before + 2]);
    group.propose(1, 'c');
    group.at(1).raw.noticeCommit(before + 2);
    group.settle();
    t.same(committed(group), [before + 3, before + 2, before + 2], 'that much they know');
    group.at(1).raw.noticeCommit(before + 3);
    group.settle();
    t.same(committed(group), [before + 3, before + 3, before + 3]);
  });

  t.test('do not wait where a follower waits for them: what it proposed itself', async (t) => {
    const group = elected();
    const [before = 0] = committed(group);
    group.propose(2, 'a');
    t.same(committed(group), [before + 1, before + 1, before]);
  });

  t.test('do not wait when a membership change is among them: a removed member hears of its removal', async (t) => {
    const group = elected();
    group.change(1, { version: 1, type: ConfChangeType.RemoveNode, nodeId: 3, context: NO_DATA });
    t.same(group.at(3).confState.voters, [1, 2]);
  });
});

t.test('flow control', async (t) => {
  t.test('a probe is one message, and the next needs an answer', async (t) => {
    const member = loneLeader(3, {}, false);
    member.raw.propose([bytes('a')]);
    t.equal(ofType(member.work(), MessageType.App).length, 0);
    from(member, 2, MessageType.AppResp, { index: 2 });
    t.ok(ofType(member.work(), MessageType.App).some(({ to, entries }) => to === 2 && entries.length === 1));
    t.equal(member.raft.tracker.member(2)!.state, 'replicate');
  });

  t.test('a full window sends nothing, and each acknowledgement lets it move', async (t) => {
    const member = loneLeader(2, { maxInflightMsgs: 3 });
    const toTwo = () => ofType(member.work(), MessageType.App).filter(({ entries }) => entries.length > 0);
    for (let i = 0; i < 5; i++) member.raw.propose([bytes('x')]);
    t.same(
      toTwo().map(({ entries }) => entries[0]!.index),
      [3, 4, 5],
    );
    from(member, 2, MessageType.AppResp, { index: 2 });
    t.equal(toTwo().length, 0, 'an old acknowledgement frees nothing');
    from(member, 2, MessageType.AppResp, { index: 4 });
    t.same(
      toTwo().flatMap(({ entries }) => entries.map(({ index }) => index)),
      [6, 7],
    );
  });

  t.test('the window is bounded in bytes, too, and one large entry still goes', async (t) => {
    const member = loneLeader(2, { maxInflightBytes: 10, maxSizePerMsgBytes: 1 });
    const toTwo = () =>
      ofType(member.work(), MessageType.App).flatMap(({ entries }) => entries.map(({ data }) => text(data)));
    for (const payload of ['small', 'enough to fill it', 'late']) member.raw.propose([bytes(payload)]);
    t.same(toTwo(), ['small', 'enough to fill it']);
    from(member, 2, MessageType.AppResp, { index: 4 });
    t.same(toTwo(), ['late']);
  });

  t.test('a full window whose messages were all lost opens again by an empty append (etcd#14633)', async (t) => {
    const group = new Group(3, { maxInflightMsgs: 2 });
    group.elect(1);
    group.isolate(3);
    for (let i = 0; i < 5; i++) group.propose(1, `${i}`);
    t.ok(group.at(1).raft.tracker.member(3)!.inflights.full);
    group.heal();
    group.beat(1);
    t.same(group.at(3).payloads(), ['0', '1', '2', '3', '4']);
  });

  t.test('a probe that was lost is sent again when a heartbeat is answered', async (t) => {
    const group = new Group(3);
    group.elect(1);
    group.at(1).raw.reportUnreachable(3);
    t.equal(group.at(1).raft.tracker.member(3)!.state, 'probe');
    group.lose = ({ to, type }) => to === 3 && type === MessageType.App;
    group.propose(1, 'a');
    t.ok(group.at(1).raft.tracker.member(3)!.paused);
    group.heal();
    group.beat(1);
    t.equal(group.at(1).raft.tracker.member(3)!.state, 'replicate');
    t.same(group.at(3).payloads(), ['a']);
  });

  t.test('an acknowledgement of nothing new still ends probing (etcd#10308)', async (t) => {
    const member = loneLeader(3);
    member.raw.reportUnreachable(2);
    const two = member.raft.tracker.member(2)!;
    t.match(two, { state: 'probe', match: 2 });
    from(member, 2, MessageType.AppResp, { index: 2 });
    t.equal(two.state, 'replicate');
  });

  t.test('messages are bounded in size, and one entry is always sent', async (t) => {
    const group = new Group(3, { maxSizePerMsgBytes: 50 });
    group.elect(1);
    group.isolate(3);
    for (const payload of ['1234', '1234', '1234', '1'.repeat(100), '1']) group.propose(1, payload);
    const sizes: number[] = [];
    group.heal();
    group.lose = ({ type, to, entries }) => {
      if (type === MessageType.App && to === 3 && entries.length > 0) sizes.push(entries.length);
      return false;
    };
    group.beat(1);
    t.same(sizes, [2, 1, 1, 1]);
    t.equal(group.at(3).payloads().length, 5);
  });

  t.test('uncommitted payloads are bounded, empty ones are free, and what is applied gives room back', async (t) => {
    const member = loneLeader(3, { maxUncommittedEntriesBytes: 10 });
    t.equal(member.raw.propose([bytes('a'.repeat(100))]), undefined, 'a large one when nothing else waits');
    t.equal(member.raw.propose([bytes('b')]), 'too-much-uncommitted');
    t.equal(member.raw.propose([NO_DATA]), undefined);
    member.work();
    from(member, 2, MessageType.AppResp, { index: 4 });
    member.work();
    t.equal(member.raft.uncommittedBytes, 0);
    for (let i = 0; i < 10; i++) t.equal(member.raw.propose([bytes('c')]), undefined);
    t.equal(member.raw.propose([bytes('c')]), 'too-much-uncommitted');
    t.equal(member.raft.log.lastIndex(), 14);
  });

  t.test('committed entries are handed out in bounded pages, none left out', async (t) => {
    const member = lone(1, { maxCommittedSizePerReadyBytes: 40 });
    member.raw.campaign();
    member.work();
    const payloads = Array.from({ length: 20 }, (_, i) => `payload ${i}`);
    member.raw.propose(payloads.map(bytes));
    let pages = 0;
    while (member.raw.hasReady()) {
      const ready = member.raw.ready();
      member.storage.append(ready.entries);
      t.ok(ready.committedEntries.length <= 1);
      if (ready.committedEntries.length > 0) pages++;
      member.applied.push(...ready.committedEntries);
      member.raw.advance();
    }
    t.equal(pages, 20);
    t.same(member.payloads(), payloads);
  });

  t.test('so are those that a restart finds committed, whatever the page (etcd#10063)', async (t) => {
    const payloads = Array.from({ length: 12 }, (_, i) => 'x'.repeat(i * 7 + 1));
    for (const maxCommittedSizePerReadyBytes of [1, 17, 40, 100, 300, 1000]) {
      const storage = storageWith({ voters: [1] });
      storage.append(
        payloads.map((payload, i) => ({ term: 1, index: i + 2, type: EntryType.Normal, data: bytes(payload) })),
      );
      storage.setHardState({ term: 1, vote: 1, commit: payloads.length + 1 });
      const member = new Member(1, storage, { maxCommittedSizePerReadyBytes });
      member.work();
      t.same(member.payloads(), payloads, `pages of ${maxCommittedSizePerReadyBytes} bytes`);
    }
  });
});

t.test('snapshots', async (t) => {
  const compactedGroup = () => {
    const group = new Group(3);
    group.elect(1);
    group.isolate(3);
    group.propose(1, 'a');
    group.propose(1, 'b');
    group.at(1).compactAll();
    group.at(2).compactAll();
    group.heal();
    return group;
  };

  t.test('a follower behind the log gets one, and then goes on with entries', async (t) => {
    const group = compactedGroup();
    group.beat(1);
    const { raft, storage } = group.at(3);
    t.equal(raft.log.committed, 4);
    t.equal(text((storage.snapshot() as { data: Uint8Array }).data), 'state at 4');
    t.equal(group.at(1).raft.tracker.member(3)!.state, 'replicate');
    group.propose(1, 'c');
    t.same(group.at(3).payloads(), ['c']);
  });

  t.test('nothing is sent meanwhile; failure and success are reported', async (t) => {
    for (const outcome of ['failed', 'finished'] as const) {
      const group = compactedGroup();
      group.lose = ({ type }) => type === MessageType.Snap;
      group.beat(1);
      const three = group.at(1).raft.tracker.member(3)!;
      t.match(three, { state: 'snapshot', pendingSnapshot: 4, next: 5 });
      group.propose(1, 'c');
      t.equal(three.next, 5);
      group.at(1).raw.reportSnapshot(3, outcome);
      t.match(three, { state: 'probe', appendsPaused: true, next: outcome === 'failed' ? 3 : 5 });
      group.heal();
      group.beat(1);
      t.equal(three.state, 'replicate');
      t.equal(three.match, 5);
    }
  });

  t.test('any acknowledgement that joins on to the log ends the wait (raft#110)', async (t) => {
    const group = compactedGroup();
    group.lose = ({ type }) => type === MessageType.Snap;
    group.beat(1);
    from(group.at(1), 3, MessageType.AppResp, { index: 3 });
    t.match(group.at(1).raft.tracker.member(3)!, { state: 'snapshot', match: 3 });
    from(group.at(1), 3, MessageType.AppResp, { index: 4 });
    t.match(group.at(1).raft.tracker.member(3)!, { state: 'replicate', match: 4 });
  });

  t.test('none goes to a follower that is not heard of, or while there is none', async (t) => {
    const group = compactedGroup();
    const sent = () => ofType(group.at(1).work(), MessageType.Snap).length;
    const three = group.at(1).raft.tracker.member(3)!;
    three.recentActive = false;
    three.becomeProbe();
    from(group.at(1), 2, MessageType.HeartbeatResp, {});
    group.at(1).raw.propose([bytes('c')]);
    t.equal(sent(), 0);
    const { storage } = group.at(1);
    const real = storage.snapshot.bind(storage);
    storage.snapshot = () => 'temporarily-unavailable';
    from(group.at(1), 3, MessageType.HeartbeatResp, {});
    t.equal(sent(), 0);
    storage.snapshot = real;
    from(group.at(1), 3, MessageType.HeartbeatResp, {});
    t.equal(sent(), 1);
  });

  t.test('one that is not news changes nothing, or only the commit index', async (t) => {
    const confState = { voters: [1, 2, 3], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
    const snapshot = (index: number, term: number) => ({ metadata: { index, term, confState }, data: NO_DATA });
    const member = lone(3, {}, [2, 2, 2]);
    from(member, 2, MessageType.Snap, { snapshot: snapshot(1, 1) });
    t.equal(member.raft.log.committed, 1);
    from(member, 2, MessageType.Snap, { snapshot: snapshot(3, 2) });
    t.notOk(member.raft.log.hasUnstableSnapshot());
    t.match(member.raft.log, { committed: 3 });
    from(member, 2, MessageType.Snap, { snapshot: snapshot(4, 3) });
    t.ok(member.raft.log.hasUnstableSnapshot());
    t.notOk(member.raft.promotable(), 'nobody leads before its snapshot is applied');
    t.match(
      ofType(member.work(), MessageType.AppResp).map(({ index }) => index),
      [1, 3, 4],
    );
    t.equal(member.raft.log.lastIndex(), 4);
  });

  t.test('the configuration comes with it, also one in which the node does not exist yet', async (t) => {
    const confState = { voters: [2, 3], learners: [4], votersOutgoing: [2], learnersNext: [], autoLeave: false };
    const member = lone(3);
    from(member, 2, MessageType.Snap, {
      term: 3,
      snapshot: { metadata: { index: 9, term: 3, confState }, data: NO_DATA },
    });
    member.work();
    t.same(member.raw.status().config, confState);
    t.notOk(member.raft.promotable());
  });
});

t.test('membership', async (t) => {
  t.test('one change at a time: a second one becomes an empty entry until the first is applied', async (t) => {
    const member = loneLeader(3);
    member.raw.proposeConfChange(change([AddNode, 4]));
    member.raw.proposeConfChange(change([AddNode, 5]));
    const { log } = member.raft;
    const typeAt = (index: number) => (log.slice(index, index + 1, 1) as readonly { type: number }[])[0]!.type;
    t.equal(typeAt(3), EntryType.ConfChangeV2);
    t.equal(typeAt(4), EntryType.Normal);
    member.work();
    from(member, 2, MessageType.AppResp, { index: 4 });
    member.work();
    t.same(member.raw.status().config.voters, [1, 2, 3, 4]);
    member.raw.proposeConfChange(change([AddNode, 5]));
    t.equal(typeAt(5), EntryType.ConfChangeV2);
  });

  t.test('a new leader takes none before what it found in its log is applied (copycat#23)', async (t) => {
    const member = lone(3, {}, [1, 1]);
    member.raw.campaign();
    member.work();
    from(member, 2, MessageType.VoteResp, {});
    member.work();
    t.equal(member.raft.pendingConfIndex, 3);
    member.raw.proposeConfChange(change([AddNode, 4]));
    const { log } = member.raft;
    t.match(log.slice(log.lastIndex(), log.lastIndex() + 1, 1), [{ type: EntryType.Normal }]);
  });

  t.test('a change takes effect when it is applied, not before', async (t) => {
    const group = new Group(3);
    group.elect(1);
    group.isolate(2);
    group.isolate(3);
    group.change(1, change([AddNode, 4]));
    t.same(group.at(1).raw.status().config.voters, [1, 2, 3]);
    group.heal();
    group.beat(1);
    for (const id of [1, 2, 3]) t.same(group.at(id).raw.status().config.voters, [1, 2, 3, 4]);
  });

  t.test('a node is added as learner, then promoted, and the whole is taken apart again', async (t) => {
    const group = new Group(1);
    group.elect(1);
    group.add(2, new MemoryStorage());
    group.change(1, change([AddLearnerNode, 2]));
    group.propose(1, 'a');
    t.same(group.at(2).payloads(), ['a']);
    group.change(1, change([AddNode, 2]));
    t.same(group.at(2).raw.status().config.voters, [1, 2]);
    group.change(1, { version: 1, type: RemoveNode, nodeId: 2, context: NO_DATA });
    t.same(group.at(1).raw.status().config.voters, [1]);
    group.propose(1, 'b');
    t.same(group.at(1).payloads(), ['a', 'b']);
  });

  t.test('a smaller quorum commits what waits (also when its reads wait)', async (t) => {
    const group = new Group(2);
    group.elect(1);
    group.change(1, change([RemoveNode, 2]));
    t.same(group.at(1).raw.status().config.voters, [1]);
    t.equal(group.propose(1, 'a'), undefined);
    t.same(group.at(1).payloads(), ['a']);
  });

  t.test(
    'several changes go through a joint configuration that is left by itself, also by the next leader',
    async (t) => {
      const group = new Group(3);
      group.elect(1);
      for (const id of [4, 5]) group.add(id, new MemoryStorage());
      // The leader is cut off as soon as it has entered the joint configuration.
      group.lose = ({ from, entries }) =>
        from === 1 && entries.some(({ type, data }) => type === EntryType.ConfChangeV2 && data.length === 0);
      group.change(1, change([AddNode, 4], [AddNode, 5], [RemoveNode, 3]));
      t.same(group.at(2).raw.status().config.votersOutgoing, [1, 2, 3]);
      group.heal();
      group.isolate(1);
      group.elect(2);
      t.same(group.at(2).raw.status().config, {
        voters: [1, 2, 4, 5],
        votersOutgoing: [],
        learners: [],
        learnersNext: [],
        autoLeave: false,
      });
    },
  );

  t.test('a voter that is demoted in a joint configuration becomes a learner when it is left', async (t) => {
    const group = new Group(3);
    group.elect(1);
    group.change(1, { ...change([AddLearnerNode, 3]), transition: 2 });
    t.match(group.at(1).raw.status().config, { voters: [1, 2], votersOutgoing: [1, 2, 3], learnersNext: [3] });
    group.change(1, change());
    t.match(group.at(1).raw.status().config, { voters: [1, 2], votersOutgoing: [], learners: [3], learnersNext: [] });
  });

  t.test('a leader that is removed steps down if asked to, else leads on without proposing', async (t) => {
    for (const stepDownOnRemoval of [false, true]) {
      const group = new Group(3, { stepDownOnRemoval });
      group.elect(1);
      group.change(1, change([RemoveNode, 1]));
      t.same(group.leaders(), stepDownOnRemoval ? [] : [1]);
      t.equal(group.propose(1, 'a'), stepDownOnRemoval ? 'no-leader' : 'not-a-member');
    }
  });

  t.test('answers of strangers and messages that claim to be local are refused', async (t) => {
    const member = loneLeader(3);
    const refused = (type: MessageType, id: number) => member.raw.step(message(type, { from: id, to: 1, term: 1 }));
    t.equal(refused(MessageType.AppResp, 9), 'unknown-peer');
    t.equal(refused(MessageType.VoteResp, 9), 'unknown-peer');
    t.equal(refused(MessageType.StorageAppend, 2), 'local-message');
    t.throws(() => member.raw.step(message(MessageType.StorageAppendResp, { from: APPEND_THREAD, to: 1, term: 1 })));
  });
});

t.test('leadership transfer', async (t) => {
  t.test('to an up-to-date node at once, to a slow one after it caught up, from a follower too', async (t) => {
    for (const at of [1, 3]) {
      const group = new Group(3, { checkQuorum: true, preVote: true });
      group.elect(1);
      group.isolate(3);
      group.propose(1, 'a');
      group.heal();
      if (at === 3) group.beat(1);
      group.at(at).raw.transferLeader(3);
      group.settle();
      group.beat(1);
      t.same(group.leaders(), [3], 'whatever leases there are');
    }
  });

  t.test('to itself, to a learner and to nobody does nothing', async (t) => {
    const group = new Group({ voters: [1, 2], learners: [3] });
    group.elect(1);
    for (const id of [1, 3, 9]) {
      group.at(1).raw.transferLeader(id);
      group.settle();
      t.same(group.leaders(), [1]);
      t.equal(group.at(1).raw.basicStatus().leadTransferee, 0);
    }
  });

  t.test(
    'proposals are refused meanwhile; it is given up after an election timeout, which asking again does not move',
    async (t) => {
      const group = new Group(3);
      group.elect(1);
      group.isolate(3);
      group.at(1).raw.transferLeader(3);
      t.equal(group.propose(1, 'a'), 'leadership-transfer');
      for (let i = 0; i < ELECTION_TICKS - 1; i++) group.beat(1);
      group.at(1).raw.transferLeader(3);
      t.equal(group.propose(1, 'a'), 'leadership-transfer');
      group.beat(1);
      t.equal(group.propose(1, 'a'), undefined);
      t.same(group.leaders(), [1]);
    },
  );

  t.test('another can be named meanwhile; a new term and a removal end it', async (t) => {
    const group = new Group(4);
    group.elect(1);
    group.isolate(4);
    group.at(1).raw.transferLeader(4);
    group.at(1).raw.transferLeader(1);
    t.equal(group.at(1).raw.basicStatus().leadTransferee, 0, 'back to itself');
    group.at(1).raw.transferLeader(4);
    group.at(1).raw.transferLeader(2);
    group.settle();
    t.same(group.leaders(), [2]);
    group.at(2).raw.transferLeader(4);
    group.elect(3);
    t.match(group.at(2).raw.basicStatus(), { leadTransferee: 0, softState: { role: 'follower' } });

    const member = loneLeader(3);
    member.raw.proposeConfChange(change([RemoveNode, 3]));
    member.work();
    member.raw.transferLeader(3);
    t.equal(member.raw.basicStatus().leadTransferee, 3);
    from(member, 2, MessageType.AppResp, { index: 3 });
    member.work();
    t.equal(member.raw.basicStatus().leadTransferee, 0);
  });
});

t.test('asynchronous storage writes', async (t) => {
  const start = () => {
    const storage = storageWith({ voters: [1, 2, 3] });
    const raw = new RawNode({
      id: 1,
      storage,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      random: () => 0,
      asyncStorageWrites: true,
    });
    const appends: Message[] = [];
    const sent: Message[] = [];
    const turn = () => {
      while (raw.hasReady()) {
        for (const one of raw.ready().messages) (one.to === APPEND_THREAD ? appends : sent).push(one);
      }
      return sent.splice(0);
    };
    const write = () => {
      const { term, vote, commit, entries, responses } = appends.shift()!;
      storage.append(entries);
      if (term !== 0) storage.setHardState({ term, vote, commit });
      for (const one of responses) {
        if (one.to === 1) raw.step(one);
        else sent.push(one);
      }
    };
    return { raw, appends, turn, write };
  };

  t.test('votes and acknowledgements leave with the write they speak of, a leader’s appends before it', async (t) => {
    const { raw, turn, write } = start();
    raw.step(message(MessageType.Vote, { from: 2, to: 1, term: 2, index: 1, logTerm: 1 }));
    t.same(turn(), []);
    write();
    t.match(turn(), [{ type: MessageType.VoteResp, to: 2 }]);
    const entries = [{ term: 2, index: 2, type: EntryType.Normal, data: bytes('a') }];
    raw.step(message(MessageType.App, { from: 2, to: 1, term: 2, index: 1, logTerm: 1, entries, commit: 2 }));
    t.same(turn(), [], 'neither acknowledged nor handed out to be applied');
    write();
    t.match(turn(), [
      { type: MessageType.AppResp, index: 2 },
      { type: MessageType.StorageApply, entries },
    ]);

    const leader = start();
    leader.raw.campaign();
    leader.turn();
    leader.write();
    leader.raw.step(message(MessageType.VoteResp, { from: 2, to: 1, term: 1 }));
    t.equal(ofType(leader.turn(), MessageType.App).length, 2);
    leader.raw.step(message(MessageType.AppResp, { from: 2, to: 1, term: 1, index: 2 }));
    t.equal(leader.raw.basicStatus().hardState.commit, 1);
    leader.write();
    t.equal(leader.raw.basicStatus().hardState.commit, 2);
  });

  t.test('a crash after any part of any write leaves what was acknowledged before it', async (t) => {
    const entry = (term: number, index: number) => ({ term, index, type: EntryType.Normal, data: bytes(`${term}`) });
    const { raw, appends, turn } = start();
    const from = (leader: number, term: number, index: number, logTerm: number, commit: number, ...added: number[]) => {
      const entries = added.map((at) => entry(term, at));
      raw.step(message(MessageType.App, { from: leader, to: 1, term, index, logTerm, entries, commit }));
      turn();
    };
    // None of these is written when the next one comes; the third leader overwrites what the second has appended.
    from(2, 2, 1, 1, 1, 2, 3);
    from(2, 2, 3, 2, 2, 4);
    raw.step(message(MessageType.Vote, { from: 3, to: 1, term: 3, index: 4, logTerm: 2 }));
    turn();
    from(3, 3, 2, 2, 2, 3);
    from(3, 3, 3, 3, 3, 4, 5);

    // A write reaches the disk entry by entry, its hard state last.
    const steps = appends.flatMap((write, at) => [
      ...write.entries.map((one) => ({ at, one, state: undefined, isLast: false })),
      { at, one: undefined, state: write, isLast: true },
    ]);
    t.ok(steps.length > 10);
    let acknowledgements = 0;
    for (let crash = 0; crash <= steps.length; crash++) {
      const storage = storageWith({ voters: [1, 2, 3] });
      /** Where entries were given new terms, by what was begun. */
      const begun: { readonly at: number; readonly index: number }[] = [];
      let done = -1;
      for (const { at, one, state, isLast } of steps.slice(0, crash)) {
        if (one !== undefined) {
          storage.append([one]);
          begun.push({ at, index: one.index });
        }
        if (state !== undefined && state.term !== 0) {
          storage.setHardState({ term: state.term, vote: state.vote, commit: state.commit });
        }
        if (isLast) done = at;
      }
      const again = new RawNode({ id: 1, storage, electionTicks: 10, heartbeatTicks: 1, random: () => 0 });
      const { hardState } = again.basicStatus();
      for (let at = 0; at <= done; at++) {
        for (const response of appends[at]!.responses) {
          if (response.to === 1) continue;
          acknowledgements++;
          t.ok(hardState.term >= response.term, `the term it answered in, after ${crash} steps`);
          if (response.type === MessageType.VoteResp && hardState.term === response.term) {
            t.equal(hardState.vote, response.to, 'its vote');
          }
          const isOverwritten = begun.some((later) => later.at > at && later.index <= response.index);
          if (response.type === MessageType.AppResp && !isOverwritten) {
            t.ok(again.raft.log.lastIndex() >= response.index, `${response.index} after ${crash} steps`);
            t.equal(again.raft.log.term(response.index), response.term);
          }
        }
      }
      t.ok(hardState.commit <= again.raft.log.lastIndex());
    }
    t.ok(acknowledgements > 20);
  });

  t.test('a write of entries that were overwritten meanwhile makes nothing stable (etcd#1690)', async (t) => {
    const { raw, turn, write } = start();
    const append = (term: number, from: number, data: string) => {
      const entries = [{ term, index: 2, type: EntryType.Normal, data: bytes(data) }];
      raw.step(message(MessageType.App, { from, to: 1, term, index: 1, logTerm: 1, entries }));
      turn();
    };
    append(2, 2, 'old');
    append(3, 3, 'new');
    const { unstable } = raw.raft.log;
    write();
    t.equal(unstable.offset, 2, 'the first write is done, of an entry that is no more');
    write();
    t.equal(unstable.offset, 3);
  });

  t.test('nor does one of an entry that was overwritten and came back meanwhile', async (t) => {
    const { raw, turn, write } = start();
    const append = (term: number, from: number, terms: readonly number[]) => {
      const entries = terms.map((of, i) => ({
        term: of,
        index: 2 + i,
        type: EntryType.Normal,
        data: bytes(`of ${of}`),
      }));
      raw.step(message(MessageType.App, { from, to: 1, term, index: 1, logTerm: 1, entries }));
      turn();
    };
    append(2, 2, [2]);
    append(3, 3, [3]);
    append(4, 2, [2, 4]);
    const { unstable } = raw.raft.log;
    write();
    t.equal(unstable.offset, 2, 'on disk it is about to be overwritten');
    write();
    t.equal(unstable.offset, 2);
    write();
    t.equal(unstable.offset, 4);
  });
});

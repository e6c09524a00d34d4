import { campaign } from './election.ts';
import { handleAppend, handleHeartbeat, handleSnapshot } from './follower.ts';
import { type Message, MessageType } from './message.ts';
import type { Raft } from './raft.ts';
import type { StepRefused } from './refusal.ts';
import { broadcastAppend } from './replication.ts';
import { NONE } from './state.ts';

/** Candidates and pre-candidates. */
export function stepCandidate(raft: Raft, message: Message): StepRefused | undefined {
  switch (message.type) {
    case MessageType.Prop:
      raft.logger.info(() => `${raft.name} no leader at term ${raft.term}; dropping proposal`);
      return 'campaigning';
    case MessageType.App:
      raft.becomeFollower(message.term, message.from);
      handleAppend(raft, message);
      return undefined;
    case MessageType.Heartbeat:
      raft.becomeFollower(message.term, message.from);
      handleHeartbeat(raft, message);
      return undefined;
    case MessageType.Snap:
      raft.becomeFollower(message.term, message.from);
      handleSnapshot(raft, message);
      return undefined;
    case MessageType.VoteResp:
      if (raft.role === 'candidate') countVote(raft, message);
      return undefined;
    case MessageType.PreVoteResp:
      if (raft.role === 'pre-candidate') countVote(raft, message);
      return undefined;
    default:
      return undefined;
  }
}

function countVote(raft: Raft, { from, reject }: Message): void {
  raft.tracker.recordVote(from, !reject);
  raft.logger.info(() => {
    const { granted, refused } = raft.tracker.voteCounts();
    return `${raft.name} has received ${granted} votes and ${refused} refusals`;
  });
  const result = raft.tracker.voteResult();
  if (result === 'pending') return;
  if (result === 'lost') {
    // A refused PreVote carries the future term that we asked about: ours stays.
    raft.becomeFollower(raft.term, NONE);
  } else if (raft.role === 'pre-candidate') {
    campaign(raft, 'vote', 'timeout');
  } else {
    raft.becomeLeader();
    broadcastAppend(raft);
  }
}

import { invariant } from '../assert.ts';
import { restoreConfig } from './confchange/config.ts';
import { startElection } from './election.ts';
import { switchToConfig } from './membership.ts';
import { type Message, MessageType, newMessage } from './message.ts';
import type { Raft } from './raft.ts';
import { readAnswered } from './reads.ts';
import type { StepRefused } from './refusal.ts';
import { NONE, type Snapshot } from './state.ts';

export function stepFollower(raft: Raft, message: Message): StepRefused | undefined {
  switch (message.type) {
    case MessageType.App:
      heardOf(raft, message.from);
      handleAppend(raft, message);
      return undefined;
    case MessageType.Heartbeat:
      heardOf(raft, message.from);
      handleHeartbeat(raft, message);
      return undefined;
    case MessageType.Snap:
      heardOf(raft, message.from);
      handleSnapshot(raft, message);
      return undefined;
    case MessageType.Prop:
      if (raft.leader === NONE) {
        raft.logger.info(() => `${raft.name} no leader at term ${raft.term}; dropping proposal`);
        return 'no-leader';
      }
      if (raft.disableProposalForwarding) {
        raft.logger.info(() => `${raft.name} not forwarding to leader ${raft.leader}; dropping proposal`);
        return 'forwarding-disabled';
      }
      raft.send({ ...message, to: raft.leader });
      return undefined;
    case MessageType.TransferLeader:
    case MessageType.ReadIndex:
      if (raft.leader === NONE) return 'no-leader';
      raft.send({ ...message, to: raft.leader });
      return undefined;
    case MessageType.ReadIndexResp:
      readAnswered(raft, message);
      return undefined;
    case MessageType.TimeoutNow:
      raft.logger.info(() => `${raft.name} [term ${raft.term}] is told by ${message.from} to campaign`);
      startElection(raft, 'transfer');
      return undefined;
    default:
      return undefined;
  }
}

function heardOf(raft: Raft, leader: number): void {
  raft.electionElapsed = 0;
  raft.leader = leader;
}

/** Follower forgets its leader, but not the term, and not how long it has waited. */
export function forgetLeader(raft: Raft): void {
  if (raft.role !== 'follower' || raft.leader === NONE) return;
  if (raft.readOnlyOption === 'lease-based') {
    // The leader counts on it that we refuse our vote to others.
    raft.logger.error(() => 'ignoring MsgForgetLeader due to ReadOnlyLeaseBased');
    return;
  }
  raft.logger.info(() => `${raft.name} forgetting leader ${raft.leader} at term ${raft.term}`);
  raft.leader = NONE;
}

export function handleAppend(raft: Raft, message: Message): void {
  const { from, index, logTerm, entries, commit } = message;
  const answer = newMessage(MessageType.AppResp, from);
  if (index < raft.log.committed) {
    // A late message. What is committed agrees with every leader's log, so this is the truth, and helps.
    answer.index = raft.log.committed;
    raft.send(answer);
    return;
  }
  const lastNew = raft.log.maybeAppend(index, logTerm, entries, commit);
  if (lastNew !== undefined) {
    answer.index = lastNew;
    raft.send(answer);
    return;
  }
  // Whatever the leader has at `index`, it has no greater term before it: our entries above that term, and all
  // behind our end, are out of the question. So one refusal skips a whole term, or more.
  const hint = raft.log.lastPossibleMatch(Math.min(index, raft.log.lastIndex()), logTerm);
  raft.logger.debug(() => `${raft.name} rejected an append after [logterm: ${logTerm}, index: ${index}] from ${from}`);
  answer.index = index;
  answer.reject = true;
  answer.rejectHint = hint.index;
  answer.logTerm = hint.term;
  raft.send(answer);
}

export function handleHeartbeat(raft: Raft, { from, commit, context }: Message): void {
  raft.log.commitTo(commit);
  const answer = newMessage(MessageType.HeartbeatResp, from);
  answer.context = context;
  raft.send(answer);
}

export function handleSnapshot(raft: Raft, { from, snapshot }: Message): void {
  invariant(snapshot !== undefined, 'a snapshot message without a snapshot', () => ({ from }));
  const answer = newMessage(MessageType.AppResp, from);
  answer.index = restore(raft, snapshot!) ? raft.log.lastIndex() : raft.log.committed;
  raft.send(answer);
}

/**
 * This node need not be a member in the snapshot's configuration: a newcomer may get one from before it was added,
 * and finds its addition in the entries that follow.
 * @returns false when the snapshot was of no use: then the log stands as it is
 */
function restore(raft: Raft, snapshot: Snapshot): boolean {
  const { index, term, confState } = snapshot.metadata;
  if (index <= raft.log.committed) {
    raft.logger.info(() => `${raft.name} ignored a snapshot [index: ${index}, term: ${term}]: not news`);
    return false;
  }
  if (raft.log.matches(index, term)) {
    // Our log has all of it already; only that it is committed is new.
    raft.log.commitTo(index);
    raft.logger.info(() => `${raft.name} fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`);
    return false;
  }
  if (raft.log.isApplying()) {
    // Entries that are handed out would be applied after it, membership changes among them. It will come again.
    raft.logger.info(() => `${raft.name} ignored a snapshot [index: ${index}, term: ${term}]: still applying`);
    return false;
  }
  raft.log.restore(snapshot);
  switchToConfig(raft, restoreConfig(confState), new Set());
  raft.logger.info(
    () => `${raft.name} [commit: ${raft.log.committed}] restored snapshot [index: ${index}, term: ${term}]`,
  );
  return true;
}

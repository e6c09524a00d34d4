import { invariant } from '../assert.ts';
import { maybeCommit } from './commit.ts';
import { decodeConfChange } from './confchange/codec.ts';
import { type Entry, EntryType, NO_DATA, payloadBytes } from './entry.ts';
import { type Message, MessageType, newMessage, READ_BY_LEASE } from './message.ts';
import type { Raft } from './raft.ts';
import { confirmReads, readIndex } from './reads.ts';
import type { ProposalDropped, StepRefused } from './refusal.ts';
import { broadcastAppend, broadcastHeartbeat, sendAppend } from './replication.ts';
import { NONE } from './state.ts';
import type { Progress } from './tracker/progress.ts';

export function tickLeader(raft: Raft): void {
  raft.heartbeatElapsed++;
  raft.electionElapsed++;
  if (raft.electionElapsed >= raft.electionTicks) {
    raft.electionElapsed = 0;
    if (raft.checkQuorum) checkQuorum(raft);
    if (raft.role !== 'leader') return;
    // A transfer that has not come true by now is given up, so that proposals are taken again.
    raft.leadTransferee = NONE;
  }
  if (raft.heartbeatElapsed >= raft.heartbeatTicks) {
    raft.heartbeatElapsed = 0;
    broadcastHeartbeat(raft);
  }
}

/** Steps down unless a quorum was heard of since the last time (Raft thesis, section 6.2). */
function checkQuorum(raft: Raft): void {
  if (!raft.tracker.quorumActive()) {
    raft.logger.warning(() => `${raft.name} stepped down to follower since quorum is not active`);
    raft.becomeFollower(raft.term, NONE);
  }
  for (const member of raft.tracker.members) if (member.id !== raft.id) member.recentActive = false;
}

export function stepLeader(raft: Raft, message: Message): StepRefused | undefined {
  switch (message.type) {
    case MessageType.Prop:
      return propose(raft, message);
    case MessageType.ReadIndex:
      return readIndex(raft, { from: message.from, request: message.context }, message.index === READ_BY_LEASE);
    default:
  }
  const member = raft.tracker.member(message.from);
  if (member === undefined) {
    raft.logger.debug(() => `${raft.name} knows no member ${message.from}`);
    return undefined;
  }
  switch (message.type) {
    case MessageType.AppResp:
      member.recentActive = true;
      if (message.reject) appendRefused(raft, member, message);
      else appendAcknowledged(raft, member, message.index);
      return undefined;
    case MessageType.HeartbeatResp:
      heartbeatAnswered(raft, member, message.context);
      return undefined;
    case MessageType.TransferLeader:
      transferLeadership(raft, member);
      return undefined;
    default:
      return undefined;
  }
}

// ---- proposals

function propose(raft: Raft, { from, entries }: Message): ProposalDropped | undefined {
  invariant(entries.length > 0, 'a proposal without entries', () => ({ id: raft.id }));
  if (raft.tracker.member(raft.id) === undefined) return 'not-a-member';
  if (raft.leadTransferee !== NONE) {
    raft.logger.debug(
      () => `${raft.name} [term ${raft.term}] transfers leadership to ${raft.leadTransferee}; dropping proposal`,
    );
    return 'leadership-transfer';
  }
  const dropped = appendEntries(raft, entries);
  if (dropped !== undefined) return dropped;
  const proposer = raft.tracker.member(from);
  if (proposer !== undefined) proposer.awaitedCommit = raft.log.lastIndex();
  broadcastAppend(raft);
  return undefined;
}

/** Gives entries their place in the log; they are acknowledged by this node once they are durable. */
export function appendEntries(raft: Raft, proposed: readonly Entry[]): ProposalDropped | undefined {
  const bytes = payloadBytes(proposed);
  // An empty payload is always taken (a new leader's first entry, leaving a joint configuration), and so is a
  // large one when nothing else is under way.
  if (
    bytes > 0 &&
    raft.uncommittedBytes > 0 &&
    raft.uncommittedBytes + bytes > raft.limits.maxUncommittedEntriesBytes
  ) {
    raft.logger.warning(() => `${raft.name} has too much uncommitted; dropping proposal`);
    return 'too-much-uncommitted';
  }
  raft.uncommittedBytes += bytes;
  const { term } = raft;
  let index = raft.log.lastIndex();
  const entries = new Array<Entry>(proposed.length);
  for (let i = 0; i < proposed.length; i++) {
    index++;
    const { type, data } = proposed[i]!;
    entries[i] =
      type === EntryType.Normal || admitConfChange(raft, proposed[i]!, index)
        ? { term, index, type, data }
        : { term, index, type: EntryType.Normal, data: NO_DATA };
  }
  invariant(Number.isSafeInteger(index), 'the log is full', () => ({ index }));
  raft.log.append(entries);
  const own = newMessage(MessageType.AppResp, raft.id);
  own.index = index;
  raft.send(own);
  return undefined;
}

/**
 * One membership change at a time: none while another may be unapplied, and only what fits the configuration.
 * That is judged by this node's applied state, which may be behind: so what is refused here might have been
 * right, never the other way round.
 */
function admitConfChange(raft: Raft, entry: Entry, index: number): boolean {
  const change = decodeConfChange(entry);
  const leaves = change.version === 2 && change.changes.length === 0;
  const joint = raft.tracker.isJoint();
  let refusal: string | undefined;
  if (raft.pendingConfIndex > raft.log.applied)
    refusal = `a change at or before ${raft.pendingConfIndex} may be unapplied`;
  else if (joint && !leaves) refusal = 'must transition out of joint config first';
  else if (!joint && leaves) refusal = 'not in joint state; refusing empty conf change';
  if (refusal !== undefined && !raft.disableConfChangeValidation) {
    raft.logger.info(() => `${raft.name} ignoring conf change: ${refusal}`);
    return false;
  }
  raft.pendingConfIndex = index;
  return true;
}

// ---- acknowledgements

function appendAcknowledged(raft: Raft, member: Progress, index: number): void {
  // An acknowledgement of nothing new still shows a probed member to be in step (etcd#10308).
  if (!member.acknowledged(index) && !(member.match === index && member.state === 'probe')) return;
  if (member.state === 'probe') {
    member.becomeReplicate();
  } else if (member.state === 'replicate') {
    member.inflights.freeUpTo(index);
  } else if (member.match + 1 >= raft.log.firstIndex()) {
    // However it got there (this snapshot, or another one): our log can go on from where it is.
    raft.logger.debug(
      () => `${raft.name} recovered from needing snapshot, resumed sending replication messages to ${member.id}`,
    );
    member.becomeReplicate();
  }
  if (maybeCommit(raft)) tellCommit(raft);
  else if (member.id !== raft.id && member.canBumpCommit(raft.log.committed) && mustTellCommit(raft, member)) {
    sendAppend(raft, member, true);
  }
  if (member.id === raft.id) return;
  // The window has moved: fill it.
  while (sendAppend(raft, member, false));
  if (raft.leadTransferee === member.id && member.match === raft.log.lastIndex()) {
    sendTimeoutNow(raft, member.id);
  }
}

/** The commit index has risen. */
function tellCommit(raft: Raft): void {
  for (const member of raft.tracker.members) {
    if (member.id !== raft.id) sendAppend(raft, member, mustTellCommit(raft, member));
  }
}

/** Whether a member must be told of a commit that it does not know of by a message of its own. */
function mustTellCommit(raft: Raft, member: Progress): boolean {
  if (!raft.deferCommitNotices || member.state !== 'replicate') return true;
  return member.sentCommit < Math.max(member.awaitedCommit, raft.pendingConfIndex);
}

/** Tells those who do not know yet that this is committed, which `deferCommitNotices` has kept from them. */
export function noticeCommit(raft: Raft, index: number): void {
  if (raft.role !== 'leader') return;
  for (const member of raft.tracker.members) {
    if (member.id === raft.id || member.sentCommit >= index || !member.canBumpCommit(raft.log.committed)) continue;
    sendAppend(raft, member, true);
  }
}

function appendRefused(raft: Raft, member: Progress, { index, rejectHint, logTerm }: Message): void {
  // The hint is an entry of the follower's log with a term that our entry there need not have: all of ours
  // with a greater term before it are out of the question. So a term of ours is skipped at once, too.
  const hint = logTerm > 0 ? raft.log.lastPossibleMatch(rejectHint, logTerm).index : rejectHint;
  if (!member.refused(index, hint)) return;
  raft.logger.debug(() => `${raft.name} decreased next of ${member.id} to ${member.next}`);
  if (member.state === 'replicate') member.becomeProbe();
  sendAppend(raft, member, true);
}

function heartbeatAnswered(raft: Raft, member: Progress, round: number): void {
  member.recentActive = true;
  member.appendsPaused = false;
  // A member that lacks entries has maybe lost them on the way; one that is only probed may have lost the probe.
  if (member.match < raft.log.lastIndex() || member.state === 'probe') sendAppend(raft, member, true);
  if (round === 0) return;
  member.ackedRound = Math.max(member.ackedRound, round);
  member.ackedHeartbeatTick = Math.max(
    member.ackedHeartbeatTick,
    raft.heartbeatTimes.tickOf(round) ?? Number.NEGATIVE_INFINITY,
  );
  confirmReads(raft);
}

export function reportUnreachable(raft: Raft, id: number): void {
  if (raft.role !== 'leader') return;
  const member = raft.tracker.member(id);
  // What was sent optimistically is probably lost: find out first.
  if (member?.state === 'replicate') member.becomeProbe();
}

export function reportSnapshot(raft: Raft, id: number, outcome: 'finished' | 'failed'): void {
  if (raft.role !== 'leader') return;
  const member = raft.tracker.member(id);
  if (member?.state !== 'snapshot') return;
  if (outcome === 'failed') member.pendingSnapshot = 0;
  member.becomeProbe();
  // Finished: its acknowledgement will tell where it is. Failed: try again no sooner than it says something.
  member.appendsPaused = true;
}

// ---- leadership transfer (Raft thesis, section 3.10)

function transferLeadership(raft: Raft, transferee: Progress): void {
  const { id } = transferee;
  if (raft.tracker.isLearner(id)) {
    raft.logger.debug(() => `${raft.name} does not transfer leadership to ${id}, a learner`);
    return;
  }
  // Asked for again: the first request's timeout stands.
  if (raft.leadTransferee === id) return;
  raft.leadTransferee = NONE;
  if (id === raft.id) return;
  raft.logger.info(() => `${raft.name} [term ${raft.term}] starts to transfer leadership to ${id}`);
  // It should be over within an election timeout.
  raft.electionElapsed = 0;
  raft.leadTransferee = id;
  if (transferee.match === raft.log.lastIndex()) sendTimeoutNow(raft, id);
  else {
    transferee.appendsPaused = false;
    sendAppend(raft, transferee, true);
  }
}

function sendTimeoutNow(raft: Raft, to: number): void {
  raft.leaseForfeited = true;
  raft.send(newMessage(MessageType.TimeoutNow, to));
}

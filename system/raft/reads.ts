import { type Message, MessageType, newMessage } from './message.ts';
import type { Raft } from './raft.ts';
import type { PendingRead } from './read-only.ts';
import { askToConfirm, broadcastHeartbeat } from './replication.ts';

/** A leader's read index for a request of ours; unknown requests (answered before, given up) are passed over. */
export function readAnswered(raft: Raft, { context: request, index }: Message): void {
  const context = raft.askedReads.get(request);
  if (context === undefined) return;
  raft.askedReads.delete(request);
  raft.readStates.push({ index, context });
}

/** Takes a read of this node or a follower. It is answered at once, or when a quorum has confirmed a round. */
export function readIndex(raft: Raft, read: PendingRead, byLease: boolean): 'too-many-reads' | undefined {
  // Before an entry of its own term is committed a leader does not know how far its predecessors had committed
  // (Raft thesis, section 6.4; etcd#7331). That holds for a single node too.
  if (!raft.log.matches(raft.log.committed, raft.term)) {
    if (raft.readOnly.size >= raft.limits.maxPendingReads) return 'too-many-reads';
    raft.readOnly.postpone(read);
    return undefined;
  }
  if (raft.tracker.isOnlyVoter(raft.id) || (byLease && holdsLease(raft))) {
    answerRead(raft, read, raft.log.committed);
    return undefined;
  }
  if (raft.readOnly.size >= raft.limits.maxPendingReads) return 'too-many-reads';
  beginRound(raft, [read]);
  return undefined;
}

function beginRound(raft: Raft, reads: readonly PendingRead[]): void {
  // The heartbeat that goes out now has the next number.
  raft.readOnly.begin(raft.heartbeatRound + 1, raft.log.committed, reads);
  if (raft.confirmReadsByFew) askToConfirm(raft, reads);
  else broadcastHeartbeat(raft);
}

/** An entry of the term is committed: the reads that waited for that may go on. */
export function releasePostponedReads(raft: Raft): void {
  const reads = raft.readOnly.takePostponed();
  if (reads.length === 0) return;
  if (!raft.tracker.isOnlyVoter(raft.id)) {
    beginRound(raft, reads);
    return;
  }
  for (const read of reads) answerRead(raft, read, raft.log.committed);
}

/**
 * May no other node lead now? Followers that answered a heartbeat refuse their votes for an election timeout.
 * Half of it is used, so that clocks may run at rates that differ by up to a factor of two. A transfer forfeits
 * the lease for the rest of the term, since its request to campaign may arrive at any time (etcd-io/raft#99).
 */
function holdsLease(raft: Raft): boolean {
  if (raft.readOnlyOption !== 'lease-based' || raft.leaseForfeited) return false;
  return raft.ticks - raft.tracker.quorumHeartbeatTick() < raft.electionTicks / 2;
}

/** Answers the reads of all rounds that a quorum has confirmed. */
export function confirmReads(raft: Raft): void {
  if (!raft.readOnly.isOpen) return;
  raft.readOnly.confirm(raft.tracker.quorumRound(), (read, index) => answerRead(raft, read, index));
}

function answerRead(raft: Raft, { from, request }: PendingRead, index: number): void {
  const answer = newMessage(MessageType.ReadIndexResp, from);
  answer.index = index;
  answer.context = request;
  if (from === raft.id) readAnswered(raft, answer);
  else raft.send(answer);
}

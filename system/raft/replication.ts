import { invariant } from '../assert.ts';
import { payloadBytes } from './entry.ts';
import { MessageType, newMessage } from './message.ts';
import type { Raft } from './raft.ts';
import type { PendingRead } from './read-only.ts';
import type { Progress } from './tracker/progress.ts';

/** Entries, or at least the commit index, for every other member that may be sent something. */
export function broadcastAppend(raft: Raft): void {
  for (const member of raft.tracker.members) if (member.id !== raft.id) sendAppend(raft, member, true);
}

/**
 * Sends a member the entries it is thought to lack, or a snapshot when they are compacted.
 * @param evenEmpty also without any entry: for the commit index, or to provoke an answer
 * @returns whether something was sent
 */
export function sendAppend(raft: Raft, member: Progress, evenEmpty: boolean): boolean {
  if (member.paused) return false;
  const { log } = raft;
  const previous = member.next - 1;
  const previousTerm = log.term(previous);
  if (typeof previousTerm !== 'number') return sendSnapshot(raft, member);
  // With a full window only an empty append may go. It must be possible: if everything in the window was lost,
  // its refusal is what opens the window again (etcd#14633).
  const mayCarry = member.state !== 'replicate' || !member.inflights.full;
  const entries = mayCarry ? log.entries(member.next, raft.limits.maxSizePerMsgBytes) : [];
  if (typeof entries === 'string') return sendSnapshot(raft, member);
  if (entries.length === 0 && !evenEmpty) return false;
  const message = newMessage(MessageType.App, member.id);
  message.index = previous;
  message.logTerm = previousTerm;
  message.entries = entries;
  message.commit = log.committed;
  raft.send(message);
  member.sentAppend(entries.length, payloadBytes(entries), log.committed);
  return true;
}

function sendSnapshot(raft: Raft, member: Progress): boolean {
  if (!member.recentActive) {
    raft.logger.debug(() => `${raft.name} sends no snapshot to ${member.id}: not heard of lately`);
    return false;
  }
  const snapshot = raft.log.newestSnapshot();
  if (snapshot === 'temporarily-unavailable') {
    raft.logger.debug(() => `${raft.name} sends no snapshot to ${member.id}: temporarily unavailable`);
    return false;
  }
  const { index, term } = snapshot.metadata;
  invariant(index > 0, 'the log is compacted without a snapshot', () => raft.log.facts());
  raft.logger.debug(() => `${raft.name} sent snapshot [index: ${index}, term: ${term}] to ${member.id}`);
  member.becomeSnapshot(index);
  const message = newMessage(MessageType.Snap, member.id);
  message.snapshot = snapshot;
  raft.send(message);
  return true;
}

/** A heartbeat for every other member; it also asks to confirm the reads that wait. */
export function broadcastHeartbeat(raft: Raft): void {
  const round = raft.readOnly.isOpen || raft.readOnlyOption === 'lease-based' ? nextRound(raft) : 0;
  for (const member of raft.tracker.members) if (member.id !== raft.id) sendHeartbeat(raft, member, round);
}

/**
 * A heartbeat that asks to confirm reads, to as few as can confirm them: each message and each answer is a call of the
 * kernel on both ends, and takes longer than all the rest of a read. Who wants to read is asked too, so that it hears
 * how far it has to apply. When somebody does not answer, the next heartbeat asks everybody.
 */
export function askToConfirm(raft: Raft, reads: readonly PendingRead[]): void {
  const round = nextRound(raft);
  const few = raft.tracker.likelyQuorum(raft.id);
  for (const member of raft.tracker.members) {
    if (member.id === raft.id) continue;
    if (few.includes(member) || reads.some(({ from }) => from === member.id)) sendHeartbeat(raft, member, round);
  }
}

/** @param round to be confirmed; 0: none */
function sendHeartbeat(raft: Raft, member: Progress, round: number): void {
  const message = newMessage(MessageType.Heartbeat, member.id);
  // Never beyond what the member is known to hold: it could not tell its own entries from ours.
  message.commit = Math.min(member.match, raft.log.committed);
  message.context = round;
  raft.send(message);
  member.sentCommit = message.commit;
}

/** A heartbeat's fresh number. Our own confirmation of it is implied. */
function nextRound(raft: Raft): number {
  raft.heartbeatRound++;
  if (raft.readOnlyOption === 'lease-based') raft.heartbeatTimes.sent(raft.heartbeatRound, raft.ticks);
  const own = raft.tracker.member(raft.id);
  if (own !== undefined) {
    own.ackedRound = raft.heartbeatRound;
    own.ackedHeartbeatTick = raft.ticks;
  }
  return raft.heartbeatRound;
}

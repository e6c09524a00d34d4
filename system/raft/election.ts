import { EntryType } from './entry.ts';
import type { RaftLog } from './log/raft-log.ts';
import { CAMPAIGN_TRANSFER, type Message, MessageType, newMessage } from './message.ts';
import type { Raft } from './raft.ts';
import { NONE } from './state.ts';

/** Bound of what is read at once while looking for unapplied membership changes. */
const SCAN_PAGE_BYTES = 1 << 20;

/**
 * An election, unless this node leads, may not lead, or has not applied a membership change that it knows to be
 * committed: its idea of a majority would be out of date (etcd#12133).
 * @param cause `transfer`: the leader asked for it, so PreVote is skipped and leases do not count
 */
export function startElection(raft: Raft, cause: 'timeout' | 'transfer'): void {
  if (raft.role === 'leader') {
    raft.logger.debug(() => `${raft.name} does not campaign, it is the leader`);
    return;
  }
  if (!raft.promotable()) {
    raft.logger.warning(() => `${raft.name} is unpromotable and can not campaign`);
    return;
  }
  if (holdsConfChange(raft.log, raft.log.applied + 1, raft.log.committed)) {
    raft.logger.warning(
      () => `${raft.name} cannot campaign at term ${raft.term}: a membership change is not applied yet`,
    );
    return;
  }
  raft.logger.info(() => `${raft.name} is starting a new election at term ${raft.term}`);
  if (raft.preVote && cause !== 'transfer') campaign(raft, 'pre-vote', cause);
  else campaign(raft, 'vote', cause);
}

/** Is there a membership change among the entries of [from, to]? */
function holdsConfChange(log: RaftLog, from: number, to: number): boolean {
  let next = from;
  while (next <= to) {
    const page = log.slice(next, to + 1, SCAN_PAGE_BYTES);
    // Compacted under a snapshot that is not applied yet: it holds a configuration of its own.
    if (typeof page === 'string') return true;
    for (const { type } of page) if (type !== EntryType.Normal) return true;
    next += page.length;
  }
  return false;
}

/** Asks all voters. Won at once, durably, when this node is the only one. */
export function campaign(raft: Raft, ballot: 'pre-vote' | 'vote', cause: 'timeout' | 'transfer'): void {
  if (ballot === 'pre-vote') raft.becomePreCandidate();
  else raft.becomeCandidate();
  const request = ballot === 'pre-vote' ? MessageType.PreVote : MessageType.Vote;
  const response = ballot === 'pre-vote' ? MessageType.PreVoteResp : MessageType.VoteResp;
  const term = ballot === 'pre-vote' ? raft.term + 1 : raft.term;
  const lastIndex = raft.log.lastIndex();
  const lastTerm = raft.log.lastTerm();
  for (const id of raft.tracker.voterIds()) {
    if (id === raft.id) {
      // Our own vote counts when it is durable, as everybody's: so it goes the way of an answer.
      const own = newMessage(response, id);
      own.term = term;
      raft.send(own);
      continue;
    }
    const message = newMessage(request, id);
    message.term = term;
    message.index = lastIndex;
    message.logTerm = lastTerm;
    message.committed = newestCommitted(raft);
    if (cause === 'transfer') message.context = CAMPAIGN_TRANSFER;
    raft.send(message);
    raft.logger.info(
      () =>
        `${raft.name} [logterm: ${lastTerm}, index: ${lastIndex}] sent a ${ballot} request to ${id} at term ${raft.term}`,
    );
  }
}

/**
 * Vote and PreVote in any role (Raft paper, section 5.4.1). A learner votes when it is asked: the candidate may
 * know of its promotion before it does itself (etcd#10998).
 */
export function answerVote(raft: Raft, message: Message): void {
  const { type, from, term, index, logTerm } = message;
  const isPreVote = type === MessageType.PreVote;
  const mayVote = raft.vote === from || (raft.vote === NONE && raft.leader === NONE) || (isPreVote && term > raft.term);
  const granted = mayVote && raft.log.isUpToDate(index, logTerm);
  raft.logger.info(
    () =>
      `${raft.name} [logterm: ${raft.log.lastTerm()}, index: ${raft.log.lastIndex()}, vote: ${raft.vote}] ` +
      `${granted ? 'cast' : 'rejected'} ${isPreVote ? 'MsgPreVote' : 'MsgVote'} ${granted ? 'for' : 'from'} ${from} ` +
      `[logterm: ${logTerm}, index: ${index}] at term ${raft.term}`,
  );
  const answer = newMessage(isPreVote ? MessageType.PreVoteResp : MessageType.VoteResp, from);
  // A granted PreVote is for the term that was asked about, or the candidate would pass it over as stale.
  answer.term = granted ? term : raft.term;
  answer.reject = !granted;
  answer.committed = newestCommitted(raft);
  raft.send(answer);
  if (granted && !isPreVote) {
    raft.electionElapsed = 0;
    raft.vote = from;
  }
}

function newestCommitted({ log }: Raft): Message['committed'] {
  const term = log.term(log.committed);
  return typeof term === 'number' ? { index: log.committed, term } : undefined;
}

/**
 * In an election nodes tell each other what is committed, and take it up where a membership change is in it. A
 * node that holds a committed change and does not know that it is committed goes by the old configuration, and
 * may wait for ever for the vote of a member that was removed or has a longer log, while those who know the new
 * configuration wait for ever for its own vote (TiKV's raft does the same).
 */
export function learnCommitted(raft: Raft, { index, term }: NonNullable<Message['committed']>): void {
  const { log } = raft;
  if (raft.role === 'leader' || index <= log.committed || !log.matches(index, term)) return;
  if (!holdsConfChange(log, log.committed + 1, index)) return;
  log.commitTo(index);
  // It was campaigning by a configuration that is out of date.
  if (raft.role !== 'follower') raft.becomeFollower(raft.term, NONE);
}

import { invariant } from '../assert.ts';
import { stepCandidate } from './candidate.ts';
import { describeConfig, restoreConfig } from './confchange/config.ts';
import type { Config, ReadOnlyOption } from './config.ts';
import { answerVote, learnCommitted, startElection } from './election.ts';
import { type Entry, EntryType, NO_DATA, payloadBytes, totalEntryBytes } from './entry.ts';
import { stepFollower } from './follower.ts';
import { appendEntries, stepLeader, tickLeader } from './leader.ts';
import { HeartbeatTimes } from './lease.ts';
import { RaftLog } from './log/raft-log.ts';
import { type Logger, SILENT } from './logger.ts';
import { leaveJointWhenDue } from './membership.ts';
import { CAMPAIGN_TRANSFER, type Message, MessageType, type MutableMessage, newMessage } from './message.ts';
import { ReadOnly } from './read-only.ts';
import type { StepRefused } from './refusal.ts';
import { type HardState, NONE, type ReadState, type Role, type Snapshot, type SoftState } from './state.ts';
import { Tracker } from './tracker/tracker.ts';

const DEFAULT_MAX_INFLIGHT_MSGS = 256;
const DEFAULT_MAX_PENDING_READS = 65_536;

/** What of the configuration is asked for again and again, with its defaults filled in. */
export interface Limits {
  readonly maxSizePerMsgBytes: number;
  readonly maxCommittedSizePerReadyBytes: number;
  readonly maxUncommittedEntriesBytes: number;
  readonly maxPendingReads: number;
}

/**
 * The state of one node and what is common to all roles: terms, timers, changes of role, sending. What a node
 * does as follower, candidate or leader is in the files of these names.
 */
export class Raft {
  readonly id: number;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly log: RaftLog;
  readonly tracker: Tracker;
  readonly checkQuorum: boolean;
  readonly preVote: boolean;
  readonly readOnlyOption: ReadOnlyOption;
  readonly disableProposalForwarding: boolean;
  readonly disableConfChangeValidation: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly deferCommitNotices: boolean;
  readonly confirmReadsByFew: boolean;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly #random: (bound: number) => number;

  term = 0;
  vote = NONE;
  leader = NONE;
  role: Role = 'follower';

  /** Ticks since the election timeout began anew: heard of the leader; as leader: checked for a quorum. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTicks = 0;
  /** Ticks since this node started; leases are counted in these. */
  ticks = 0;

  /** Leader: whom it hands over to; no proposals meanwhile. */
  leadTransferee = NONE;
  /** Leader: no membership change is taken before this index is applied; the last one is at or below it. */
  pendingConfIndex = 0;
  /** Leader: payload of the entries it appended in this term that are not applied yet. */
  uncommittedBytes = 0;
  /** Leader: number of the last heartbeat that asked for confirmation. Goes on from term to term. */
  heartbeatRound = 0;
  /** Leader: in this term it told another to campaign, against whom no lease holds, however late that may come. */
  leaseForfeited = false;
  readonly heartbeatTimes: HeartbeatTimes;
  readonly readOnly = new ReadOnly();

  /** Reads of this node that its leader was asked for, by request number. */
  readonly askedReads = new Map<number, Uint8Array>();
  #lastReadRequest: number;

  /** To be sent as they are. */
  messages: Message[] = [];
  /** To be sent once what they speak of (term, vote, entries) is durable here. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  constructor(config: Config) {
    const { id, electionTicks, heartbeatTicks, storage } = config;
    const facts = () => ({ id, electionTicks, heartbeatTicks, readOnlyOption: config.readOnlyOption });
    invariant(Number.isSafeInteger(id) && id > NONE, 'a node id must be a positive safe integer', facts);
    invariant(heartbeatTicks > 0 && electionTicks > heartbeatTicks, 'electionTicks must exceed heartbeatTicks', facts);
    invariant(config.readOnlyOption !== 'lease-based' || config.checkQuorum === true, 'leases need checkQuorum', facts);
    this.id = id;
    this.logger = config.logger ?? SILENT;
    this.checkQuorum = config.checkQuorum ?? false;
    this.preVote = config.preVote ?? false;
    this.readOnlyOption = config.readOnlyOption ?? 'safe';
    this.disableProposalForwarding = config.disableProposalForwarding ?? false;
    this.disableConfChangeValidation = config.disableConfChangeValidation ?? false;
    this.stepDownOnRemoval = config.stepDownOnRemoval ?? false;
    this.deferCommitNotices = config.deferCommitNotices ?? false;
    this.confirmReadsByFew = config.confirmReadsByFew ?? false;
    this.electionTicks = electionTicks;
    this.heartbeatTicks = heartbeatTicks;
    this.#random = config.random;
    const maxSizePerMsgBytes = config.maxSizePerMsgBytes ?? Number.MAX_SAFE_INTEGER;
    this.limits = {
      maxSizePerMsgBytes,
      maxCommittedSizePerReadyBytes: config.maxCommittedSizePerReadyBytes ?? maxSizePerMsgBytes,
      maxUncommittedEntriesBytes: config.maxUncommittedEntriesBytes ?? Number.MAX_SAFE_INTEGER,
      maxPendingReads: config.maxPendingReads ?? DEFAULT_MAX_PENDING_READS,
    };
    this.heartbeatTimes = new HeartbeatTimes(electionTicks);
    // A restarted node must not take a late answer to its former self for one of its own.
    this.#lastReadRequest = this.#random(2 ** 30) * 2 ** 20;

    this.log = new RaftLog(storage, this.limits.maxCommittedSizePerReadyBytes);
    this.tracker = new Tracker({
      maxInflightMsgs: config.maxInflightMsgs ?? DEFAULT_MAX_INFLIGHT_MSGS,
      maxInflightBytes: config.maxInflightBytes ?? Number.MAX_SAFE_INTEGER,
    });
    const { hardState, confState } = storage.initialState();
    this.tracker.switchTo(restoreConfig(confState), this.log.lastIndex(), new Set());
    this.logger.info(() => `${this.name} switched to configuration ${describeConfig(this.tracker.config)}`);
    this.#loadHardState(hardState);
    if (config.applied !== undefined && config.applied > 0) this.log.appliedTo(config.applied, 0);
    this.becomeFollower(this.term, NONE);
    this.logger.info(
      () =>
        `newRaft ${this.name} [peers: [${this.tracker.voterIds()}], term: ${this.term}, commit: ${this.log.committed}, ` +
        `applied: ${this.log.applied}, lastindex: ${this.log.lastIndex()}, lastterm: ${this.log.lastTerm()}]`,
    );
  }

  #loadHardState({ term, vote, commit }: HardState): void {
    // A hard state may be older than the snapshot beside it, which is committed as such.
    invariant(commit <= this.log.lastIndex(), 'the stored commit index lies past the log', () => ({
      commit,
      ...this.log.facts(),
    }));
    this.log.commitTo(commit);
    // A write that was torn by a crash may have left entries of a term that the hard state does not know yet.
    const lastTerm = this.log.lastIndex() >= this.log.firstIndex() ? this.log.lastTerm() : 0;
    this.term = Math.max(term, lastTerm);
    this.vote = lastTerm > term ? NONE : vote;
  }

  /** The id as log lines and scripts write it. */
  get name(): string {
    return this.id.toString(16);
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  softState(): SoftState {
    return { leader: this.leader, role: this.role };
  }

  /** May this node campaign? */
  promotable(): boolean {
    return (
      this.tracker.member(this.id) !== undefined && !this.tracker.isLearner(this.id) && !this.log.hasUnstableSnapshot()
    );
  }

  tick(): void {
    this.ticks++;
    if (this.role === 'leader') {
      tickLeader(this);
      return;
    }
    this.electionElapsed++;
    if (this.electionElapsed >= this.randomizedElectionTicks && this.promotable()) {
      this.electionElapsed = 0;
      startElection(this, 'timeout');
    }
  }

  /** A message from whoever: puts terms right, then acts as the role says (Raft paper, section 5.1). */
  step(message: Message): StepRefused | undefined {
    const { type, term } = message;
    if (message.committed !== undefined) learnCommitted(this, message.committed);
    if (term > this.term) {
      if ((type === MessageType.Vote || type === MessageType.PreVote) && this.#inLeaseAgainst(message))
        return undefined;
      if (type === MessageType.PreVote || (type === MessageType.PreVoteResp && !message.reject)) {
        // Neither changes our term: the one asks what would be, the other grants what we asked with a future term.
      } else {
        this.logger.info(
          () =>
            `${this.name} [term: ${this.term}] received a message with higher term from ${message.from} [term: ${term}]`,
        );
        const fromLeader = type === MessageType.App || type === MessageType.Heartbeat || type === MessageType.Snap;
        this.becomeFollower(term, fromLeader ? message.from : NONE);
      }
    } else if (term !== 0 && term < this.term) {
      this.#answerStale(message);
      return undefined;
    }

    switch (type) {
      case MessageType.Vote:
      case MessageType.PreVote:
        answerVote(this, message);
        return undefined;
      case MessageType.StorageAppendResp:
        if (message.index !== 0) this.log.unstable.stableTo(message.logTerm, message.index);
        if (message.snapshot !== undefined) this.#appliedSnapshot(message.snapshot);
        return undefined;
      case MessageType.StorageApplyResp:
        this.appliedEntries(message.entries);
        return undefined;
      default:
    }
    switch (this.role) {
      case 'leader':
        return stepLeader(this, message);
      case 'follower':
        return stepFollower(this, message);
      default:
        return stepCandidate(this, message);
    }
  }

  /**
   * With CheckQuorum a node that heard of a leader within an election timeout does not even look at requests
   * for votes (Raft thesis, section 4.2.3), unless the leader itself asked for the election.
   */
  #inLeaseAgainst(message: Message): boolean {
    if (!this.checkQuorum || message.context === CAMPAIGN_TRANSFER) return false;
    if (this.electionElapsed >= this.electionTicks) return false;
    // After a restart in lease mode we may have promised a lease that we no longer know of.
    const mayHavePromised = this.readOnlyOption === 'lease-based' && this.ticks < this.electionTicks && this.term > 0;
    if (this.leader === NONE && !mayHavePromised) return false;
    this.logger.info(
      () =>
        `${this.name} [term: ${this.term}, vote: ${this.vote}] ignored a vote request from ${message.from}: lease is not ` +
        `expired (remaining ticks: ${this.electionTicks - this.electionElapsed})`,
    );
    return true;
  }

  #answerStale(message: Message): void {
    const { type } = message;
    if ((this.checkQuorum || this.preVote) && (type === MessageType.Heartbeat || type === MessageType.App)) {
      // The sender leads an older term. Its followers still refuse us their votes for its sake, or we never
      // campaign in earnest, so nothing but this answer makes it step down and frees us (etcd#8243, etcd#8501).
      this.send(newMessage(MessageType.AppResp, message.from));
    } else if (type === MessageType.PreVote) {
      // It must learn the term, or it asks for ever (etcd#8501).
      const refusal = newMessage(MessageType.PreVoteResp, message.from);
      refusal.term = this.term;
      refusal.reject = true;
      this.send(refusal);
    } else if (type === MessageType.StorageAppendResp && message.snapshot !== undefined) {
      // The entries written then may have been overwritten since, in a later term: so they are not taken as
      // stable. A snapshot is committed, in whatever term it was written.
      this.#appliedSnapshot(message.snapshot);
    } else {
      this.logger.info(
        () =>
          `${this.name} [term: ${this.term}] ignored a message with lower term from ${message.from} [term: ${message.term}]`,
      );
    }
  }

  #appliedSnapshot({ metadata: { index } }: Snapshot): void {
    this.log.unstable.stableSnapshotTo(index);
    this.appliedTo(index, 0);
  }

  appliedEntries(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.appliedTo(last.index, totalEntryBytes(entries));
    // Entries of earlier terms count too, although they never were added: hence no less than zero.
    this.uncommittedBytes = Math.max(0, this.uncommittedBytes - payloadBytes(entries));
  }

  appliedTo(index: number, bytes: number): void {
    this.log.appliedTo(Math.max(index, this.log.applied), bytes);
    leaveJointWhenDue(this);
  }

  /**
   * Queues a message. Answers that speak of our term, vote or log wait until that is durable; a leader's own
   * appends and heartbeats do not (Raft thesis, section 10.2.1).
   */
  send(message: MutableMessage): void {
    // What is sent on for another keeps its sender.
    if (message.from === NONE) message.from = this.id;
    const { type } = message;
    switch (type) {
      case MessageType.Vote:
      case MessageType.PreVote:
        invariant(message.term !== 0, 'a campaign without a term', () => ({ type }));
        this.messages.push(message);
        return;
      case MessageType.VoteResp:
      case MessageType.PreVoteResp:
        this.messagesAfterAppend.push(message);
        return;
      case MessageType.AppResp:
        message.term = this.term;
        this.messagesAfterAppend.push(message);
        return;
      case MessageType.Prop:
      case MessageType.ReadIndex:
        // For whoever leads when it arrives, so it belongs to no term.
        this.messages.push(message);
        return;
      default:
        message.term = this.term;
        invariant(message.to !== this.id, 'a message to itself that speaks of nothing durable', () => ({ type }));
        this.messages.push(message);
    }
  }

  becomeFollower(term: number, leader: number): void {
    this.#reset(term);
    this.leader = leader;
    this.role = 'follower';
    this.logger.info(() => `${this.name} became follower at term ${this.term}`);
  }

  /** Asks whether it would win: changes neither term nor vote. */
  becomePreCandidate(): void {
    invariant(this.role !== 'leader', 'a leader does not campaign', () => ({ id: this.id, term: this.term }));
    this.tracker.resetVotes();
    this.leader = NONE;
    this.role = 'pre-candidate';
    this.logger.info(() => `${this.name} became pre-candidate at term ${this.term}`);
  }

  becomeCandidate(): void {
    invariant(this.role !== 'leader', 'a leader does not campaign', () => ({ id: this.id, term: this.term }));
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.role = 'candidate';
    this.logger.info(() => `${this.name} became candidate at term ${this.term}`);
  }

  becomeLeader(): void {
    invariant(this.role === 'candidate', 'only a candidate becomes leader', () => ({ role: this.role }));
    this.#reset(this.term);
    this.leader = this.id;
    this.role = 'leader';
    const own = this.tracker.member(this.id);
    if (own !== undefined) {
      own.becomeReplicate();
      own.recentActive = true;
    }
    // There may be a membership change somewhere in our log that is not applied yet.
    this.pendingConfIndex = this.log.lastIndex();
    const dropped = appendEntries(this, [{ term: 0, index: 0, type: EntryType.Normal, data: NO_DATA }]);
    invariant(dropped === undefined, 'the first entry of a term was refused', () => ({ dropped }));
    this.logger.info(() => `${this.name} became leader at term ${this.term}`);
  }

  #reset(term: number): void {
    if (term !== this.term) {
      invariant(term > this.term && Number.isSafeInteger(term), 'a term never goes back', () => ({
        term,
        was: this.term,
      }));
      this.term = term;
      this.vote = NONE;
    }
    this.leader = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.setElectionTimeout(this.electionTicks + this.#random(this.electionTicks));
    this.leadTransferee = NONE;
    this.leaseForfeited = false;
    this.heartbeatTimes.clear();
    this.tracker.resetVotes();
    const lastIndex = this.log.lastIndex();
    this.tracker.restart(lastIndex);
    const own = this.tracker.member(this.id);
    if (own !== undefined) own.match = lastIndex;
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.readOnly.clear();
    this.askedReads.clear();
  }

  /** Also for tests and scripts, which cannot wait for chance. */
  setElectionTimeout(ticks: number): void {
    this.randomizedElectionTicks = ticks;
  }

  /** A number for a read of this node, unlike any that this node gave before, also before a restart. */
  nextReadRequest(): number {
    this.#lastReadRequest++;
    return this.#lastReadRequest;
  }
}

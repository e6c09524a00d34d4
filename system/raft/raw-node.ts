import { invariant } from '../assert.ts';
import type { ConfChange } from './confchange/change.ts';
import { encodeConfChange } from './confchange/codec.ts';
import type { Config, ReadOnlyOption } from './config.ts';
import { startElection } from './election.ts';
import { type Entry, EntryType } from './entry.ts';
import { forgetLeader } from './follower.ts';
import { noticeCommit, reportSnapshot, reportUnreachable } from './leader.ts';
import { applyConfChange } from './membership.ts';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  isLocalMessage,
  isResponse,
  type Message,
  MessageType,
  newMessage,
  READ_BY_LEASE,
} from './message.ts';
import { Raft } from './raft.ts';
import type { Ready } from './ready.ts';
import type { ProposalDropped, StepRefused } from './refusal.ts';
import { type ConfState, type HardState, NONE, type Snapshot, type SoftState } from './state.ts';
import { type BasicStatus, progressStatus, type Status } from './status.ts';

/**
 * One node of one Raft group: ticks, messages and requests in, `Ready` out. Nothing happens outside these
 * calls: no clock, no I/O, no randomness but `config.random`. See `Ready` for what the caller owes.
 */
export class RawNode {
  /** The state behind it, for tests and scripts. */
  readonly raft: Raft;
  readonly #async: boolean;
  #lastSoftState: SoftState;
  #lastHardState: HardState;
  /** Synchronous mode: what `advance` reports to the core. */
  #stepsOnAdvance: Message[] = [];

  /** @param config also says where the node's durable state is: a restart is the same as a start */
  constructor(config: Config) {
    this.raft = new Raft(config);
    this.#async = config.asyncStorageWrites ?? false;
    this.#lastSoftState = this.raft.softState();
    this.#lastHardState = this.raft.hardState();
  }

  /** One unit of time has passed; what a tick is in milliseconds is the caller's to say. */
  tick(): void {
    this.raft.tick();
  }

  /** Start an election now, as if no leader had been heard of. Nothing happens on a node that may not lead. */
  campaign(): void {
    startElection(this.raft, 'timeout');
  }

  /**
   * Proposes entries, all of them or none, in this order and next to each other. Give all of a turn's in one
   * call: each call makes one append message a peer. Taking a proposal is no promise that it commits.
   * @returns why not, when it was dropped
   */
  propose(data: readonly Uint8Array[]): ProposalDropped | undefined {
    const entries = new Array<Entry>(data.length);
    for (let i = 0; i < data.length; i++) entries[i] = { term: 0, index: 0, type: EntryType.Normal, data: data[i]! };
    return this.#propose(entries);
  }

  /**
   * Proposes a membership change. One that may not be made now (another is not applied yet, or it does not fit
   * the configuration) enters the log as an empty entry.
   */
  proposeConfChange(change: ConfChange): ProposalDropped | undefined {
    const { type, data } = encodeConfChange(change);
    return this.#propose([{ term: 0, index: 0, type, data }]);
  }

  #propose(entries: readonly Entry[]): ProposalDropped | undefined {
    const message = newMessage(MessageType.Prop, NONE);
    message.entries = entries;
    message.from = this.raft.id;
    return this.raft.step(message) as ProposalDropped | undefined;
  }

  /**
   * Makes a committed change effective, as its entry is applied (never earlier, and never twice). Not called
   * for one that the application refuses.
   * @returns the configuration from here on, to be kept with snapshots
   */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.raft, change);
  }

  /** Takes a message from a peer, or a response of a storage write of this node. */
  step(message: Message): StepRefused | undefined {
    const { type, from } = message;
    if (from === APPEND_THREAD || from === APPLY_THREAD) {
      invariant(this.#async, 'a storage response in synchronous mode', () => ({ type }));
      return this.raft.step(message);
    }
    if (isLocalMessage(type)) return 'local-message';
    if (isResponse(type) && this.raft.tracker.member(from) === undefined) return 'unknown-peer';
    return this.raft.step(message);
  }

  hasReady(): boolean {
    const { raft } = this;
    return (
      raft.messages.length > 0 ||
      raft.messagesAfterAppend.length > 0 ||
      raft.readStates.length > 0 ||
      raft.log.unstable.hasNextEntries() ||
      raft.log.unstable.nextSnapshot() !== undefined ||
      raft.log.hasNextCommitted(!this.#async) ||
      this.#softStateChanged() ||
      this.#hardStateChanged()
    );
  }

  #softStateChanged(): boolean {
    return this.raft.leader !== this.#lastSoftState.leader || this.raft.role !== this.#lastSoftState.role;
  }

  #hardStateChanged(): boolean {
    const { term, vote, commit } = this.#lastHardState;
    return this.raft.term !== term || this.raft.vote !== vote || this.raft.log.committed !== commit;
  }

  /** Takes over what there is to do: the caller now owes all of it. */
  ready(): Ready {
    const { raft } = this;
    const { unstable } = raft.log;
    invariant(this.#stepsOnAdvance.length === 0, 'a Ready before the last one was advanced', () => ({ id: raft.id }));
    const softState = this.#softStateChanged() ? raft.softState() : undefined;
    const hardState = this.#hardStateChanged() ? raft.hardState() : undefined;
    const entries = unstable.nextEntries();
    const snapshot = unstable.nextSnapshot();
    const committedEntries = raft.log.nextCommitted(!this.#async);
    const { messages, readStates, messagesAfterAppend } = raft;
    const mustSync =
      entries.length > 0 ||
      (hardState !== undefined &&
        (hardState.term !== this.#lastHardState.term || hardState.vote !== this.#lastHardState.vote));

    raft.messages = [];
    raft.messagesAfterAppend = [];
    raft.readStates = [];
    if (softState !== undefined) this.#lastSoftState = softState;
    if (hardState !== undefined) this.#lastHardState = hardState;

    // The log's own acknowledgement of the write comes after this node's answers to itself, so that they still
    // find the entries in memory.
    if (this.#async) {
      if (hardState !== undefined || entries.length > 0 || snapshot !== undefined || messagesAfterAppend.length > 0) {
        const done = this.#appendDone(snapshot);
        if (done !== undefined) messagesAfterAppend.push(done);
        messages.push(this.#storageAppend(hardState, entries, snapshot, messagesAfterAppend));
      }
      if (committedEntries.length > 0) messages.push(this.#storageApply(committedEntries));
    } else {
      for (const message of messagesAfterAppend) {
        if (message.to === raft.id) this.#stepsOnAdvance.push(message);
        else messages.push(message);
      }
      const done = this.#appendDone(snapshot);
      if (done !== undefined) this.#stepsOnAdvance.push(done);
      if (committedEntries.length > 0) this.#stepsOnAdvance.push(this.#applyDone(committedEntries));
    }
    unstable.acceptInProgress();
    if (committedEntries.length > 0) raft.log.acceptApplying(committedEntries, !this.#async);
    return { softState, hardState, readStates, entries, snapshot, committedEntries, messages, mustSync };
  }

  #storageAppend(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    snapshot: Snapshot | undefined,
    responses: readonly Message[],
  ): Message {
    const message = newMessage(MessageType.StorageAppend, APPEND_THREAD);
    message.from = this.raft.id;
    message.entries = entries;
    if (hardState !== undefined) {
      message.term = hardState.term;
      message.vote = hardState.vote;
      message.commit = hardState.commit;
    }
    message.snapshot = snapshot;
    message.responses = responses;
    return message;
  }

  /**
   * Says, when it comes back, that the log was durable up to its present end at some time in this term. By then
   * entries may have been overwritten and written again in another term with the same index; so the term makes it
   * void when ours has changed, and index and term of the entry must still be what they are now.
   */
  #appendDone(snapshot: Snapshot | undefined): Message | undefined {
    const { log, id, term } = this.raft;
    // Also when nothing new is written: it may be that an earlier acknowledgement was void for its term, and
    // this one covers those entries too, since writes are done in order.
    const unstableEntries = log.unstable.length > 0;
    if (!unstableEntries && snapshot === undefined) return undefined;
    const message = newMessage(MessageType.StorageAppendResp, id);
    message.from = APPEND_THREAD;
    message.term = term;
    if (unstableEntries) {
      message.index = log.lastIndex();
      message.logTerm = log.lastTerm();
    }
    message.snapshot = snapshot;
    return message;
  }

  #storageApply(entries: readonly Entry[]): Message {
    const message = newMessage(MessageType.StorageApply, APPLY_THREAD);
    message.from = this.raft.id;
    message.entries = entries;
    message.responses = [this.#applyDone(entries)];
    return message;
  }

  #applyDone(entries: readonly Entry[]): Message {
    const message = newMessage(MessageType.StorageApplyResp, this.raft.id);
    message.from = APPLY_THREAD;
    message.entries = entries;
    return message;
  }

  /** Synchronous mode only: the last Ready is done. */
  advance(): void {
    invariant(!this.#async, 'advance in asynchronous mode', () => ({ id: this.raft.id }));
    const steps = this.#stepsOnAdvance;
    this.#stepsOnAdvance = [];
    for (const message of steps) this.raft.step(message);
  }

  /**
   * Asks for a linearizable read; a `ReadState` with these bytes comes out of some later Ready, or never (the
   * leader changed, a message was lost): ask again then, with the same bytes or others.
   * @param option `lease-based` counts only on a node so configured, and only while the leader holds a lease
   * @returns false when it was dropped at once: no leader is known, or too many reads wait
   */
  readIndex(context: Uint8Array, option: ReadOnlyOption = this.raft.readOnlyOption): boolean {
    const { raft } = this;
    if (raft.askedReads.size >= raft.limits.maxPendingReads) return false;
    const message = newMessage(MessageType.ReadIndex, NONE);
    message.from = raft.id;
    message.context = raft.nextReadRequest();
    if (option === 'lease-based') message.index = READ_BY_LEASE;
    if (raft.role === 'candidate' || raft.role === 'pre-candidate') return false;
    // Before the step: a leader may answer within it.
    raft.askedReads.set(message.context, context);
    const refused = raft.step(message);
    if (refused !== undefined) raft.askedReads.delete(message.context);
    return refused === undefined;
  }

  /** Asks that `transferee` lead. It need not come true; see `BasicStatus.leadTransferee`. */
  transferLeader(transferee: number): void {
    const message = newMessage(MessageType.TransferLeader, NONE);
    message.from = transferee;
    this.raft.step(message);
  }

  /** A follower forgets its leader, and so votes for others at once, without waiting for its lease to end. */
  forgetLeader(): void {
    forgetLeader(this.raft);
  }

  /** With `deferCommitNotices`: sees to it that every member is told that the entry at `index` is committed. */
  noticeCommit(index: number): void {
    noticeCommit(this.raft, index);
  }

  /** A message to this peer may have been lost. */
  reportUnreachable(id: number): void {
    reportUnreachable(this.raft, id);
  }

  /** The snapshot sent to this peer arrived there, or did not. Without this the peer gets no more messages. */
  reportSnapshot(id: number, outcome: 'finished' | 'failed'): void {
    reportSnapshot(this.raft, id, outcome);
  }

  basicStatus(): BasicStatus {
    const { raft } = this;
    return {
      id: raft.id,
      hardState: this.#hardStateChanged() ? raft.hardState() : this.#lastHardState,
      softState: this.#softStateChanged() ? raft.softState() : this.#lastSoftState,
      applied: raft.log.applied,
      lastIndex: raft.log.lastIndex(),
      leadTransferee: raft.leadTransferee,
    };
  }

  status(): Status {
    const { raft } = this;
    const members = raft.role === 'leader' ? raft.tracker.members : [];
    return {
      ...this.basicStatus(),
      config: raft.tracker.config,
      progress: members.map((member) => progressStatus(raft.tracker, member)),
    };
  }
}

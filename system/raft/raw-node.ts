import type { ConfChange } from './confchange/change.ts';
import type { Config } from './config.ts';
import type { Message } from './message.ts';
import type { Ready } from './ready.ts';
import type { ProposalDropped, StepRefused } from './refusal.ts';
import type { ConfState } from './state.ts';
import type { BasicStatus, Status } from './status.ts';

/**
 * One node of one Raft group: ticks, messages and requests in, `Ready` out. Nothing happens outside these
 * calls: no clock, no I/O, no randomness but `config.random`. See `Ready` for what the caller owes.
 */
export class RawNode {
  constructor(_config: Config) {
    throw new Error('not yet');
  }

  /** One unit of time has passed; what a tick is in milliseconds is the caller's to say. */
  tick(): void {
    throw new Error('not yet');
  }

  /** Start an election now, as if no leader had been heard of. Nothing happens on a node that may not lead. */
  campaign(): void {
    throw new Error('not yet');
  }

  /**
   * Proposes entries, all of them or none, in this order and next to each other. Give all of a turn's in one
   * call: each call makes one append message a peer. Taking a proposal is no promise that it commits.
   * @returns why not, when it was dropped
   */
  propose(_data: readonly Uint8Array[]): ProposalDropped | undefined {
    throw new Error('not yet');
  }

  /**
   * Proposes a membership change. One that may not be made now (another is not applied yet, or it does not fit
   * the configuration) enters the log as an empty entry.
   */
  proposeConfChange(_change: ConfChange): ProposalDropped | undefined {
    throw new Error('not yet');
  }

  /**
   * Makes a committed change effective, as its entry is applied (never earlier, and never twice).
   * @returns the configuration from here on, to be kept with snapshots
   */
  applyConfChange(_change: ConfChange): ConfState {
    throw new Error('not yet');
  }

  /** Takes a message from a peer, or a response of a storage write of this node. */
  step(_message: Message): StepRefused | undefined {
    throw new Error('not yet');
  }

  hasReady(): boolean {
    throw new Error('not yet');
  }

  /** Takes over what there is to do: the caller now owes all of it. */
  ready(): Ready {
    throw new Error('not yet');
  }

  /** Synchronous mode only: the last Ready is done. */
  advance(): void {
    throw new Error('not yet');
  }

  /**
   * Asks for a linearizable read; a `ReadState` with these bytes comes out of some later Ready, or never (the
   * leader changed, a message was lost): ask again then, with the same bytes or others.
   * @returns false when it was dropped at once: no leader is known, or too many reads wait
   */
  readIndex(_context: Uint8Array): boolean {
    throw new Error('not yet');
  }

  /** Asks that `transferee` lead. It need not come true; see `BasicStatus.leadTransferee`. */
  transferLeader(_transferee: number): void {
    throw new Error('not yet');
  }

  /** A follower forgets its leader, and so votes for others at once, without waiting for its lease to end. */
  forgetLeader(): void {
    throw new Error('not yet');
  }

  /** A message to this peer may have been lost. */
  reportUnreachable(_id: number): void {
    throw new Error('not yet');
  }

  /** The snapshot sent to this peer arrived there, or did not. Without this the peer gets no more messages. */
  reportSnapshot(_id: number, _outcome: 'finished' | 'failed'): void {
    throw new Error('not yet');
  }

  basicStatus(): BasicStatus {
    throw new Error('not yet');
  }

  status(): Status {
    throw new Error('not yet');
  }
}

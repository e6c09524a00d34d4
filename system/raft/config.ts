import type { Logger } from './logger.ts';
import type { Storage } from './storage.ts';

/**
 * `safe`: a read waits for a quorum to confirm the leader once more. `lease-based`: a leader that heard from a
 * quorum within an election timeout answers at once, which trusts that clocks run at about the same rate;
 * needs `checkQuorum`.
 */
export type ReadOnlyOption = 'safe' | 'lease-based';

export interface Config {
  /** This node; a positive safe integer, never used again by another node. */
  readonly id: number;
  /**
   * A follower that hears no leader campaigns after a random number of ticks in
   * [electionTicks, 2 × electionTicks − 1]. Must be larger than heartbeatTicks; ten times is usual.
   */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly storage: Storage;
  /** A uniformly distributed integer in [0, bound). The core's only source of randomness. */
  readonly random: (bound: number) => number;
  /** The last index applied, when the state machine is durable on its own: nothing up to it is handed out again. */
  readonly applied?: number;
  /** The contract of `Ready`: default false. */
  readonly asyncStorageWrites?: boolean;
  /** Bound of the entries in one append message; at least one entry is sent all the same. Default: none. */
  readonly maxSizePerMsgBytes?: number;
  /** Bound of the committed entries that are handed out and not yet reported as applied. Default: maxSizePerMsgBytes. */
  readonly maxCommittedSizePerReadyBytes?: number;
  /** Bound of the leader's uncommitted payloads; proposals beyond it are dropped. Default: none. */
  readonly maxUncommittedEntriesBytes?: number;
  /** Bound of append messages on their way to one follower. Default 256. */
  readonly maxInflightMsgs?: number;
  /** Bound of the payload bytes in them. Default: none. */
  readonly maxInflightBytes?: number;
  /** Bound of reads waiting for their index on one node. Default 65,536. */
  readonly maxPendingReads?: number;
  /** A leader that does not hear from a quorum within an election timeout steps down; votes respect its lease. */
  readonly checkQuorum?: boolean;
  /** Ask for votes without raising the term first (Raft thesis, section 9.6). */
  readonly preVote?: boolean;
  /** Default `safe`. */
  readonly readOnlyOption?: ReadOnlyOption;
  /** A follower drops proposals instead of sending them on to the leader. */
  readonly disableProposalForwarding?: boolean;
  /** Take membership changes that do not fit the present configuration into the log, to be judged when applied. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that applies its own removal or demotion steps down at once. */
  readonly stepDownOnRemoval?: boolean;
  /**
   * A leader tells a follower of a commit with its next append or heartbeat, or when `RawNode.noticeCommit` says so,
   * instead of by a message of its own. At once all the same: what the follower itself proposed, and anything while a
   * membership change may be among the entries (a removed member is told nothing later). Default false, as in etcd.
   */
  readonly deferCommitNotices?: boolean;
  /**
   * Reads are confirmed by asking no more members than make a quorum, those that answered last, and whoever wants to
   * read; the next heartbeat asks everybody. Default false: everybody at once, as in etcd.
   */
  readonly confirmReadsByFew?: boolean;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** "No node": no leader known, no vote cast. Ids are positive safe integers. */
export const NONE = 0;

/** What must survive a crash beside the log (Raft paper, figure 2) and the commit index, which saves a replay. */
export interface HardState {
  readonly term: number;
  readonly vote: number;
  readonly commit: number;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: NONE, commit: 0 };

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** Useful to know and never stored. */
export interface SoftState {
  /** NONE when unknown. */
  readonly leader: number;
  readonly role: Role;
}

/** Membership as of some index: what a snapshot carries and what a node starts with. Ids ascend. */
export interface ConfState {
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  /** The old majority while the configuration is joint; otherwise empty. */
  readonly votersOutgoing: readonly number[];
  /** Voters of the old majority that become learners when the joint configuration is left. */
  readonly learnersNext: readonly number[];
  /** The joint configuration is left by the leader itself as soon as it may. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export interface SnapshotMetadata {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

/** The state machine as of an index. `data` is opaque to the core; a name of a file will do. */
export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data: Uint8Array;
}

/**
 * A read that may be served: once everything up to `index` is applied, the local state is at least as new as
 * any write that was acknowledged before the read was asked for (Raft thesis, section 6.4).
 */
export interface ReadState {
  readonly index: number;
  /** The caller's own bytes, as given to `readIndex`. */
  readonly context: Uint8Array;
}

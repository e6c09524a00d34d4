/** What happens to one node. The numbers go into the log and never change. */
export const ConfChangeType = { AddNode: 0, RemoveNode: 1, UpdateNode: 2, AddLearnerNode: 3 } as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

/**
 * How a V2 change goes through a joint configuration (Raft thesis, section 4.3).
 * Auto: directly when one voter changes, else joint, left by the leader itself.
 * JointImplicit: always joint, left by the leader itself.
 * JointExplicit: always joint, left by a further, empty, V2 change.
 */
export const ConfChangeTransition = { Auto: 0, JointImplicit: 1, JointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly nodeId: number;
}

/** One node at a time, in an entry that the oldest nodes understand. */
interface ConfChangeV1 extends ConfChangeSingle {
  readonly version: 1;
  /** The caller's own bytes: a peer's address, a request's id. */
  readonly context: Uint8Array;
}

/** Any number of nodes at once. No change and no transition: leaves a joint configuration. */
export interface ConfChangeV2 {
  readonly version: 2;
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

export type ConfChange = ConfChangeV1 | ConfChangeV2;

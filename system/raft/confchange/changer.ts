import type { ConfState } from '../state.ts';
import { type ConfChangeSingle, ConfChangeType } from './change.ts';

/** A configuration that follows from another. */
export interface Changed {
  readonly config: ConfState;
  /** Members that were removed and added again on the way. */
  readonly renewed: ReadonlySet<number>;
}

/** Why a change does not fit a configuration, in words. */
export type Unfit = { readonly unfit: string };

interface Draft {
  readonly incoming: Set<number>;
  readonly outgoing: Set<number>;
  readonly learners: Set<number>;
  readonly learnersNext: Set<number>;
  readonly renewed: Set<number>;
}

/** Changes at most one voter, and any learners, without a joint configuration (Raft thesis, section 4.1). */
export function changeSimply(config: ConfState, changes: readonly ConfChangeSingle[]): Changed | Unfit {
  if (isJoint(config)) return { unfit: "can't apply simple config change in joint config" };
  const draft = draftOf(config);
  const unfit = apply(draft, changes);
  if (unfit !== undefined) return unfit;
  const before = new Set(config.voters);
  let changed = 0;
  for (const id of draft.incoming) if (!before.has(id)) changed++;
  for (const id of before) if (!draft.incoming.has(id)) changed++;
  if (changed > 1) return { unfit: 'more than one voter changed without entering joint config' };
  return finish(draft, false);
}

/** Enters a joint configuration: from here on both the old and the new majority must agree. */
export function enterJoint(
  config: ConfState,
  autoLeave: boolean,
  changes: readonly ConfChangeSingle[],
): Changed | Unfit {
  if (isJoint(config)) return { unfit: 'config is already joint' };
  if (config.voters.length === 0) return { unfit: "can't make a zero-voter config joint" };
  const draft = draftOf(config);
  for (const id of config.voters) draft.outgoing.add(id);
  return apply(draft, changes) ?? finish(draft, autoLeave);
}

/** Leaves it for the new configuration; voters that were demoted become learners now. */
export function leaveJoint(config: ConfState): Changed | Unfit {
  if (!isJoint(config)) return { unfit: "can't leave a non-joint config" };
  const draft = draftOf(config);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.outgoing.clear();
  return finish(draft, false);
}

function isJoint(config: ConfState): boolean {
  return config.votersOutgoing.length > 0;
}

function draftOf(config: ConfState): Draft {
  return {
    incoming: new Set(config.voters),
    outgoing: new Set(config.votersOutgoing),
    learners: new Set(config.learners),
    learnersNext: new Set(config.learnersNext),
    renewed: new Set(),
  };
}

function apply(draft: Draft, changes: readonly ConfChangeSingle[]): Unfit | undefined {
  const gone = new Set<number>();
  const arrived = (id: number) => {
    if (gone.has(id)) draft.renewed.add(id);
  };
  for (const { type, nodeId: id } of changes) {
    // An application that refuses a change puts a 0 in place of the id.
    if (id === 0) continue;
    if (type === ConfChangeType.AddNode) {
      arrived(id);
      draft.incoming.add(id);
      draft.learners.delete(id);
      draft.learnersNext.delete(id);
    } else if (type === ConfChangeType.AddLearnerNode) {
      arrived(id);
      draft.incoming.delete(id);
      // A node may not be voter and learner at once: one that still votes in the old half has to wait.
      (draft.outgoing.has(id) ? draft.learnersNext : draft.learners).add(id);
    } else if (type === ConfChangeType.RemoveNode) {
      draft.incoming.delete(id);
      draft.learners.delete(id);
      draft.learnersNext.delete(id);
      if (!draft.outgoing.has(id)) gone.add(id);
    }
  }
  return draft.incoming.size === 0 ? { unfit: 'removed all voters' } : undefined;
}

function finish(draft: Draft, autoLeave: boolean): Changed {
  const sorted = (ids: ReadonlySet<number>) => [...ids].sort((a, b) => a - b);
  return {
    config: {
      voters: sorted(draft.incoming),
      votersOutgoing: sorted(draft.outgoing),
      learners: sorted(draft.learners),
      learnersNext: sorted(draft.learnersNext),
      autoLeave,
    },
    renewed: draft.renewed,
  };
}

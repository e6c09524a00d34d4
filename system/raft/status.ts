import type { ConfState, HardState, SoftState } from './state.ts';
import type { Progress } from './tracker/progress.ts';
import type { ProgressState } from './tracker/progress-state.ts';
import type { Tracker } from './tracker/tracker.ts';

/** Cheap enough to be asked for in every turn. */
export interface BasicStatus {
  readonly id: number;
  readonly hardState: HardState;
  readonly softState: SoftState;
  readonly applied: number;
  readonly lastIndex: number;
  /** NONE when no transfer of leadership is under way. */
  readonly leadTransferee: number;
}

/** What a leader knows of one node, itself included. */
export interface ProgressStatus {
  readonly id: number;
  readonly learner: boolean;
  readonly state: ProgressState;
  readonly match: number;
  readonly next: number;
  readonly recentActive: boolean;
  readonly paused: boolean;
  readonly pendingSnapshot: number;
  readonly inflights: number;
  readonly inflightsFull: boolean;
}

export interface Status extends BasicStatus {
  readonly config: ConfState;
  /** In order of id; empty unless this node leads. */
  readonly progress: readonly ProgressStatus[];
}

export function progressStatus(tracker: Tracker, member: Progress): ProgressStatus {
  const { id, state, match, next, recentActive, paused, pendingSnapshot, inflights } = member;
  return {
    id,
    learner: tracker.isLearner(id),
    state,
    match,
    next,
    recentActive,
    paused,
    pendingSnapshot,
    inflights: inflights.count,
    inflightsFull: inflights.full,
  };
}

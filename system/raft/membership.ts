import { invariant } from '../assert.ts';
import { maybeCommit } from './commit.ts';
import { type ConfChange, ConfChangeTransition } from './confchange/change.ts';
import { type Changed, changeSimply, enterJoint, leaveJoint, type Unfit } from './confchange/changer.ts';
import { encodeConfChange, LEAVE_JOINT } from './confchange/codec.ts';
import { checkConfig, describeConfig } from './confchange/config.ts';
import { MessageType, newMessage } from './message.ts';
import type { Raft } from './raft.ts';
import { confirmReads } from './reads.ts';
import { broadcastAppend, sendAppend } from './replication.ts';
import { type ConfState, NONE } from './state.ts';

/** A committed change takes effect. One that does not fit must not have got into the log. */
export function applyConfChange(raft: Raft, change: ConfChange): ConfState {
  const { config } = raft.tracker;
  const changed = changeOf(config, change);
  if ('unfit' in changed) {
    invariant(false, 'a committed membership change does not fit', () => ({ ...changed, change, config }));
    return config;
  }
  return switchToConfig(raft, changed.config, changed.renewed);
}

function changeOf(config: ConfState, change: ConfChange): Changed | Unfit {
  if (change.version === 1) return changeSimply(config, [change]);
  const { transition, changes } = change;
  if (transition === ConfChangeTransition.Auto) {
    if (changes.length === 0) return leaveJoint(config);
    if (changes.length === 1) return changeSimply(config, changes);
  }
  return enterJoint(config, transition !== ConfChangeTransition.JointExplicit, changes);
}

/** Makes a configuration active, with what follows for a leader. */
export function switchToConfig(raft: Raft, config: ConfState, renewed: ReadonlySet<number>): ConfState {
  checkConfig(config);
  raft.tracker.switchTo(config, raft.log.lastIndex(), renewed);
  raft.logger.info(() => `${raft.name} switched to configuration ${describeConfig(config)}`);
  if (raft.role !== 'leader') return config;
  if (raft.tracker.member(raft.id) === undefined || raft.tracker.isLearner(raft.id)) {
    // It is no longer one of those who decide. Without the option it leads until somebody else campaigns.
    if (raft.stepDownOnRemoval) raft.becomeFollower(raft.term, NONE);
    return config;
  }
  // A smaller quorum may have committed more, and confirmed more; a new member is sent something at once.
  confirmReads(raft);
  if (maybeCommit(raft)) broadcastAppend(raft);
  else for (const member of raft.tracker.members) if (member.id !== raft.id) sendAppend(raft, member, false);
  if (raft.leadTransferee !== NONE && !raft.tracker.isVoter(raft.leadTransferee)) raft.leadTransferee = NONE;
  return config;
}

/**
 * A leader leaves a joint configuration by itself when asked to, once the change that entered it is applied.
 * Tried again with every applied entry, since the proposal may be dropped (a transfer under way) or lost with a
 * leadership; only this keeps a group from being stuck between two configurations (etcd#12136).
 */
export function leaveJointWhenDue(raft: Raft): void {
  if (raft.role !== 'leader' || !raft.tracker.config.autoLeave || raft.log.applied < raft.pendingConfIndex) return;
  const { type, data } = encodeConfChange(LEAVE_JOINT);
  const proposal = newMessage(MessageType.Prop, NONE);
  proposal.entries = [{ term: 0, index: 0, type, data }];
  const refused = raft.step(proposal);
  raft.logger.info(() => {
    const config = describeConfig(raft.tracker.config);
    return refused === undefined
      ? `initiating automatic transition out of joint configuration ${config}`
      : `not initiating automatic transition out of joint configuration ${config}: ${refused}`;
  });
}

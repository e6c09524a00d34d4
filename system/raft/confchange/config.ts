import { invariant } from '../../assert.ts';
import type { ConfState } from '../state.ts';

/** A configuration from outside (a snapshot, the storage) with its ids in order. Broken ones are an invariant. */
export function restoreConfig(confState: ConfState): ConfState {
  const sorted = (ids: readonly number[]) => [...new Set(ids)].sort((a, b) => a - b);
  const config: ConfState = {
    voters: sorted(confState.voters),
    votersOutgoing: sorted(confState.votersOutgoing),
    learners: sorted(confState.learners),
    learnersNext: sorted(confState.learnersNext),
    autoLeave: confState.autoLeave,
  };
  checkConfig(config);
  return config;
}

/** No node is voter and learner at once; only a joint configuration has demotions to come or leaves itself. */
export function checkConfig(config: ConfState): void {
  const facts = () => ({ config });
  const joint = config.votersOutgoing.length > 0;
  invariant(joint || (config.learnersNext.length === 0 && !config.autoLeave), 'half a joint configuration', facts);
  for (const id of config.learnersNext) {
    invariant(config.votersOutgoing.includes(id), 'a node is to be demoted that does not vote', facts);
  }
  for (const id of config.learners) {
    invariant(!config.voters.includes(id) && !config.votersOutgoing.includes(id), 'a learner that votes', facts);
  }
}

/** As in the log: `voters=(1 2 3)&&(1 2) learners=(4) learners_next=(2) autoleave`. */
export function describeConfig(config: ConfState): string {
  const list = (ids: readonly number[]) => `(${ids.join(' ')})`;
  let text = `voters=${list(config.voters)}`;
  if (config.votersOutgoing.length > 0) text += `&&${list(config.votersOutgoing)}`;
  if (config.learners.length > 0) text += ` learners=${list(config.learners)}`;
  if (config.learnersNext.length > 0) text += ` learners_next=${list(config.learnersNext)}`;
  if (config.autoLeave) text += ' autoleave';
  return text;
}

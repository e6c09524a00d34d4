import { majorityIndex, type VoteResult } from './majority.ts';

/** Both majorities of a joint configuration must agree (Raft thesis, section 4.3). Sorts both in place. */
export function jointIndex(incoming: number[], outgoing: number[]): number {
  return Math.min(majorityIndex(incoming), majorityIndex(outgoing));
}

/** Lost as soon as either half is lost, won when both are. */
export function jointVote(incoming: VoteResult, outgoing: VoteResult): VoteResult {
  if (incoming === outgoing) return incoming;
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}

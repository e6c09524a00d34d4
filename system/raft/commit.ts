import type { Raft } from './raft.ts';
import { releasePostponedReads } from './reads.ts';

/**
 * Commits what a quorum holds, if it ends in an entry of this term: entries of earlier terms are committed only
 * together with one of this term (Raft paper, section 5.4.2 and figure 8).
 */
export function maybeCommit(raft: Raft): boolean {
  const index = raft.tracker.quorumMatch();
  if (index <= raft.log.committed || !raft.log.matches(index, raft.term)) return false;
  raft.log.commitTo(index);
  releasePostponedReads(raft);
  return true;
}

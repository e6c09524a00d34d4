export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * The largest index that a majority has acknowledged (Raft paper, section 5.3).
 * @param acked one value for each voter, in any order, 0 where nothing is known; is sorted in place
 * @returns Infinity without voters, so that an empty half of a joint quorum never holds the other back
 */
export function majorityIndex(acked: number[]): number {
  const voters = acked.length;
  if (voters === 0) return Number.POSITIVE_INFINITY;
  // Insertion sort, ascending: groups are tiny and this runs for every acknowledgement.
  for (let i = 1; i < voters; i++) {
    const value = acked[i]!;
    let j = i - 1;
    for (; j >= 0 && acked[j]! > value; j--) acked[j + 1] = acked[j]!;
    acked[j + 1] = value;
  }
  return acked[voters - (voters >> 1) - 1]!;
}

/** Where a vote stands. An empty electorate has won: it never holds the other half of a joint quorum back. */
export function majorityVote(voters: number, granted: number, refused: number): VoteResult {
  if (voters === 0) return 'won';
  const quorum = (voters >> 1) + 1;
  if (granted >= quorum) return 'won';
  return voters - refused >= quorum ? 'pending' : 'lost';
}

import { jointIndex, jointVote } from '../quorum/joint.ts';
import { majorityVote } from '../quorum/majority.ts';
import type { Directive } from './datadriven.ts';

/** `committed` and `vote`, with `cfg=(ids)`, maybe `cfgj=(ids)` or `cfgj=zero`, and `idx=(…)` or `votes=(…)`. */
export function runQuorumDirective({ command, args }: Directive): string {
  const valuesOf = (key: string) => args.find((arg) => arg.key === key)?.values ?? [];
  const ids = valuesOf('cfg').map(Number);
  const joint = valuesOf('cfgj');
  const outgoing = joint[0] === 'zero' ? [] : joint.map(Number);
  const values = valuesOf(command === 'vote' ? 'votes' : 'idx');
  // Values belong to the voters in order of their first mention.
  const voters = [...new Set([...ids, ...outgoing])];
  if (values.length !== voters.length) {
    return `error: mismatched input (explicit or _) for voters ${voters}: ${values}`;
  }
  const given = new Map(voters.map((id, i) => [id, values[i]!]));
  if (command === 'committed') {
    const acked = (half: readonly number[]) => half.map((id) => (given.get(id) === '_' ? 0 : Number(given.get(id))));
    const index = jointIndex(acked(ids), acked(outgoing));
    return index === Number.POSITIVE_INFINITY ? '∞' : String(index);
  }
  if (command !== 'vote') return `unknown command: ${command}`;
  const half = (of: readonly number[]) => {
    const count = (answer: string) => of.filter((id) => given.get(id) === answer).length;
    return majorityVote(of.length, count('y'), count('n'));
  };
  return { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' }[jointVote(half(ids), half(outgoing))];
}

import { type ConfChangeSingle, ConfChangeType } from '../confchange/change.ts';

const LETTERS: ReadonlyMap<string, ConfChangeType> = new Map([
  ['v', ConfChangeType.AddNode],
  ['l', ConfChangeType.AddLearnerNode],
  ['r', ConfChangeType.RemoveNode],
  ['u', ConfChangeType.UpdateNode],
]);

/** `v1 l2 r3 u4`: add a voter, add a learner, remove, update. */
export function parseChanges(input: readonly string[]): readonly ConfChangeSingle[] {
  const words = input.join(' ').split(/\s+/).filter(Boolean);
  return words.map((word) => {
    const type = LETTERS.get(word[0]!);
    const nodeId = Number(word.slice(1));
    if (type === undefined || !Number.isSafeInteger(nodeId)) throw new Error(`unknown input: ${word}`);
    return { type, nodeId };
  });
}

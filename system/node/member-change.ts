import { invariant } from '../assert.ts';
import {
  type ConfChange,
  ConfChangeTransition,
  ConfChangeType,
  type Entry,
  EntryType,
  encodeConfChange,
} from '../raft/index.ts';
import type { Origin } from './envelope.ts';
import { encodeContext } from './membership.ts';

export interface MemberChange {
  readonly kind: 'add' | 'add-learner' | 'promote' | 'remove';
  readonly id: number;
  /** For those that are added. */
  readonly url?: string;
}

const types = {
  add: ConfChangeType.AddNode,
  'add-learner': ConfChangeType.AddLearnerNode,
  promote: ConfChangeType.AddNode,
  remove: ConfChangeType.RemoveNode,
} as const;

/** As the core proposes it: several at once through a joint configuration. @param origin of the proposal, for its proposer */
export function confChangeOf(changes: readonly MemberChange[], { node, incarnation, sequence }: Origin): ConfChange {
  const urls = changes.flatMap(({ id, url }) => (url === undefined ? [] : [[id, url] as const]));
  return {
    version: 2,
    transition: ConfChangeTransition.Auto,
    changes: changes.map(({ kind, id }) => ({ type: types[kind], nodeId: id })),
    context: encodeContext({ proposal: [node, incarnation, sequence], urls }),
  };
}

/** The entries with which a new cluster begins, the same on each of its first members: one for each of them. */
export function bootstrapEntries(cluster: readonly string[]): readonly Entry[] {
  return cluster.map((url, at) => {
    const id = at + 1;
    const context = encodeContext({ urls: [[id, url]] });
    const { type, data } = encodeConfChange({ version: 1, type: ConfChangeType.AddNode, nodeId: id, context });
    invariant(type === EntryType.ConfChange, 'a V1 change is encoded as one');
    return { term: 1, index: id, type, data };
  });
}

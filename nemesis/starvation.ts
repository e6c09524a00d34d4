import { type FaultKind, onEach, power, settingOf } from './fault-kind.ts';
import { nodeTargetsWith } from './node-targets.ts';
import type { Starvation } from './world.ts';

/**
 * Nodes that have too little of something, by what it is. One may end for want of it; it is started again when there is
 * enough.
 */
export const starvations: { readonly [kind: string]: FaultKind } = {
  'starve-cpu': starving({ of: 'cpu' }),
  'starve-memory': starving({ of: 'memory' }),
  'starve-descriptors': starving({ of: 'descriptors' }),
};

function starving(starvation: Starvation): FaultKind {
  return {
    domain: 'resources',
    variants: nodeTargetsWith(() => ({ type: 'starvation', starvation })),
    start: (world, chosen) =>
      onEach(chosen.nodes, async (node) => power(world, 'starve')(node, settingOf(chosen, 'starvation').starvation)),
    end: async (world, { nodes }) => [
      ...(await onEach(nodes, async (node) => power(world, 'starve')(node, undefined))),
      ...(await onEach(nodes, (node) => world.start(node))),
    ],
  };
}

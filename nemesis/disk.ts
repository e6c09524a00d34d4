import { oneOf, type Random } from './choice.ts';
import { type FaultKind, onEach, power, settingOf } from './fault-kind.ts';
import { nodeTargetsWith } from './node-targets.ts';
import type { DiskFault } from './world.ts';

/** From a busy disk to one slower than an election timeout. */
const delaysMs = [20, 200, 1500] as const;
/** How many writes or syncs go well before the one that does not: from the very next to one under full load. */
const soonMax = 30;

/**
 * Disks that do not do their duty, by what is wrong with them. Raft survives each of these on any number of nodes:
 * what a node has acknowledged stays on its disk, and a node that cannot make durable what it has not acknowledged
 * yet refuses, waits or ends. A disk that lies about its syncs is survived only while it keeps its power: when it loses
 * it, what others count on is gone, and a node that has forgotten what it acknowledged votes for a leader without it.
 */
export const disks: { readonly [kind: string]: FaultKind } = {
  /** ENOSPC until it ends: a node refuses writes, and takes them again when there is room. */
  'disk-full': failing(() => ({ type: 'full' })),
  /** EIO from one sync: what the kernel kept is unknown (fsyncgate), so the node ends by design, and is started again. */
  'disk-error': failing((random) => ({ type: 'sync-error', after: 1 + random(soonMax) })),
  'disk-slow': failing((random) => ({ type: 'slow', delayMs: oneOf(delaysMs, random) })),
  /** No sync returns before it ends: a leader must not count on its own disk, nor stay leader by it. */
  'disk-hung': failing(() => ({ type: 'hung' })),
  /** A process that ends in the middle of a write or sync: nothing comes after what a kill from outside can hit. */
  'disk-crash': failing((random) => ({
    type: 'crash',
    at: oneOf(['write', 'sync'], random),
    after: 1 + random(soonMax),
  })),
  /** Always alone, so that no power is lost while it is on; what it has left undone is done when it ends. */
  'disk-lying': alone(failing(() => ({ type: 'lying' }))),
};

function failing(fault: (random: Random) => DiskFault): FaultKind {
  return {
    domain: 'disk',
    variants: nodeTargetsWith((random) => ({ type: 'disk', disk: fault(random) })),
    start: (world, chosen) =>
      onEach(chosen.nodes, async (node) => power(world, 'setDisk')(node, settingOf(chosen, 'disk').disk)),
    end: async (world, { nodes }) => [
      ...(await onEach(nodes, async (node) => power(world, 'setDisk')(node, undefined))),
      ...(await onEach(nodes, (node) => world.start(node))),
    ],
  };
}

/** The same, and no other fault is on while it is. */
function alone({ variants, start, end }: FaultKind): FaultKind {
  return { variants, start, end };
}

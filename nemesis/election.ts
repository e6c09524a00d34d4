import { without } from './node-targets.ts';
import type { NodeId, World } from './world.ts';

/** How long an election may take that a fault brings about, and the next one. */
export const electionMaxMs = 6000;
const lookEveryMs = 100;

/** Waits, bounded, until the others have elected one of themselves. */
export async function anotherLeader(world: World, cutOff: readonly NodeId[]): Promise<void> {
  for (let waitedMs = 0; waitedMs < electionMaxMs; waitedMs += lookEveryMs) {
    if (without(await world.primaries(), cutOff).length > 0) return;
    await world.sleep(lookEveryMs);
  }
}

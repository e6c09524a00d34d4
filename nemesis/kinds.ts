import { clock } from './clock.ts';
import { corruption, reformat } from './damage.ts';
import { disks } from './disk.ts';
import { disturbances } from './disturbance.ts';
import { elections } from './elections.ts';
import { type FaultKind, onEach } from './fault-kind.ts';
import { kill, powerLoss } from './kill.ts';
import { members } from './membership.ts';
import { moments } from './moments.ts';
import { nodeTargets } from './node-targets.ts';
import { partition } from './partition.ts';
import { snapshots } from './snapshots.ts';
import { starvations } from './starvation.ts';
import { transfer } from './transfer.ts';

/** Processes that stop and go on later, none the wiser. */
const pause: FaultKind = {
  domain: 'running',
  variants: nodeTargets,
  start: (world, { nodes }) => onEach(nodes, (node) => world.pause(node)),
  end: (world, { nodes }) => onEach(nodes, (node) => world.resume(node)),
};

/** Every kind of fault there is, by the name that `--nemesis` takes. */
export const kinds: { readonly [kind: string]: FaultKind } = {
  partition,
  elections,
  moments,
  pause,
  kill,
  clock,
  'power-loss': powerLoss,
  ...disturbances,
  ...disks,
  ...starvations,
  corruption,
  reformat,
  transfer,
  snapshots,
  members,
};

/** What a run does unless it is told otherwise. */
export const defaultKinds: readonly string[] = ['partition', 'pause', 'kill', 'clock'];

/** The names of all kinds. */
export const faultKinds: readonly string[] = Object.keys(kinds);

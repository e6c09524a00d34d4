import { clock } from './clock.ts';
import { disturbances } from './disturbance.ts';
import { type FaultKind, onEach } from './fault-kind.ts';
import { nodeTargets } from './node-targets.ts';
import { partition } from './partition.ts';

/** Processes that stop and go on later, none the wiser. */
const pause: FaultKind = {
  variants: nodeTargets,
  start: (world, { nodes }) => onEach(nodes, (node) => world.pause(node)),
  end: (world, { nodes }) => onEach(nodes, (node) => world.resume(node)),
};

/** Processes that end at once, with whatever was not yet durable, and are started again. */
const kill: FaultKind = {
  variants: nodeTargets,
  start: (world, { nodes }) => onEach(nodes, (node) => world.kill(node)),
  end: (world, { nodes }) => onEach(nodes, (node) => world.start(node)),
};

/** Every kind of fault there is, by the name that `--nemesis` takes. */
export const kinds: { readonly [kind: string]: FaultKind } = {
  partition,
  pause,
  kill,
  clock,
  ...disturbances,
};

/** What a run does unless it is told otherwise. */
export const defaultKinds: readonly string[] = ['partition', 'pause', 'kill', 'clock'];

/** The names of all kinds. */
export const faultKinds: readonly string[] = Object.keys(kinds);

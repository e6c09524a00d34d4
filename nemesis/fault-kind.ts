import type { Random } from './choice.ts';
import type { Effect, Link, NodeId, Setting, World } from './world.ts';

/** What a variant chooses from. */
export interface Situation {
  readonly nodes: readonly NodeId[];
  /** The nodes that believe to be leader at this moment; may be none. */
  readonly primaries: readonly NodeId[];
  readonly random: Random;
}

/** Whom a fault hits, and how: plain data, so that it can be recorded and done again. */
export interface Chosen {
  readonly nodes: readonly NodeId[];
  readonly links?: readonly Link[];
  readonly setting?: Setting;
}

/** An effect, and on which node where it is on one. */
export type NodeEffect = Effect & { readonly node?: NodeId };

/** What several faults at a time must not share. */
export type Domain = 'links' | 'traffic' | 'running' | 'life' | 'clock' | 'disk' | 'resources';

export interface FaultKind {
  /**
   * What it takes hold of: two faults may be on at a time when they take hold of different things. Undefined: of
   * everything, so it is always alone, as one whose end needs a store that works.
   */
  readonly domain?: Domain;
  /** By name; each chooses its targets, or undefined when the cluster is too small for it. Pure. */
  readonly variants: { readonly [variant: string]: (situation: Situation) => Chosen | undefined };
  /** Does it, and looks whether it took effect. */
  start(world: World, chosen: Chosen): Promise<readonly NodeEffect[]>;
  /** Ends it, and looks whether that took effect. */
  end(world: World, chosen: Chosen): Promise<readonly NodeEffect[]>;
}

/**
 * What a fault's setting says, for a kind that always has one of that type.
 * @throws Error when it has none: a script that someone wrote may lack it
 */
export function settingOf<T extends Setting['type']>({ setting }: Chosen, type: T): Extract<Setting, { type: T }> {
  if (setting?.type !== type) throw new Error(`the fault does not say which ${type}`);
  return setting as Extract<Setting, { type: T }>;
}

type Method = (...words: never[]) => unknown;
type OptionalPower = {
  [K in keyof World]-?: undefined extends World[K] ? (NonNullable<World[K]> extends Method ? K : never) : never;
}[keyof World];

/**
 * What only some worlds can do.
 * @throws Error in a world that cannot
 */
export function power<K extends OptionalPower>(world: World, name: K): NonNullable<World[K]> {
  const method = world[name];
  if (method === undefined) throw new Error(`this world cannot ${name}`);
  return method.bind(world) as NonNullable<World[K]>;
}

/** Does the same to several nodes at once. */
export async function onEach(
  nodes: readonly NodeId[],
  act: (node: NodeId) => Promise<Effect>,
): Promise<readonly NodeEffect[]> {
  return Promise.all(nodes.map(async (node) => ({ ...(await attempt(() => act(node))), node })));
}

/** A world that fails to do a fault has not done it. */
export async function attempt(act: () => Promise<Effect>): Promise<Effect> {
  try {
    return await act();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { effect: 'ineffective', mechanism: 'none', proof: { reason } };
  }
}

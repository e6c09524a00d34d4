import type { NodeId, World } from '../../nemesis/world.ts';

export interface ClusterOptions {
  /** How many nodes; they are named `1` … */
  readonly nodes: number;
  /** The run folder: `nodes/<n>/{node.log,audit.ndjson,exits.ndjson,data/}` are written below it. */
  readonly folder: string;
  /** The compiled `system/main.js` to run: a mutant's is in a copy of `dist`. */
  readonly main: string;
  /** Client ports are this, this + 1, …; without it any free ones. */
  readonly portFirst?: number;
  /** Further flags for every node, as `main.js` takes them. */
  readonly flags?: readonly string[];
  /** A seeded integer in [0, bound). */
  readonly random: (bound: number) => number;
}

/** The real world: one operating-system process a node. */
export interface Cluster extends World {
  /** The fault mechanisms chosen on this machine, by fault kind, for `test.json`. */
  readonly mechanisms: { readonly [kind: string]: string };
  /** Where the node serves clients, for instance `http://127.0.0.1:20411`; ask again for each connection. */
  address(node: NodeId): string;
  /**
   * Ends every node, proxy and helper and waits until they are gone. Calling it again waits for the same end.
   * Data folders are left to the caller, who keeps them on failure.
   */
  stop(): Promise<void>;
}

/** Something that a user can mend kept the cluster from starting: a taken port, a node that does not answer. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
}

/**
 * Starts all nodes, each behind its proxy, and resolves when every one serves clients.
 * @throws {ClusterError} with one clear line; nothing is left running then
 */
export async function startCluster(_options: ClusterOptions): Promise<Cluster> {
  throw new ClusterError('not built yet');
}

import type { NodeId } from '../../nemesis/world.ts';

/** Which node is which member of the store: one that was removed and comes back is another, under a new id. */
export class Members {
  /** Of all that ever were, by id from 1 on. */
  readonly #nodes: NodeId[];

  constructor(nodes: readonly NodeId[]) {
    this.#nodes = [...nodes];
  }

  /** Of the member that it is, or was last. */
  idOf(node: NodeId): number {
    return this.#nodes.lastIndexOf(node) + 1;
  }

  /** Undefined for an id that no member ever had. */
  nodeOf(id: number): NodeId | undefined {
    return this.#nodes[id - 1];
  }

  /** @returns an id that was never used before, which is the node's now */
  rename(node: NodeId): number {
    return this.#nodes.push(node);
  }

  /** For a node's command line: at the place of each id, up to its own, stands where that member is or was. */
  arguments(node: NodeId, founders: number, urlOf: (node: NodeId) => string): readonly string[] {
    const id = this.idOf(node);
    const urls = this.#nodes.slice(0, Math.max(id, founders)).map(urlOf);
    return ['--id', String(id), '--cluster', urls.join(','), ...(id > founders ? ['--join'] : [])];
  }
}

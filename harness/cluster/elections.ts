import type { NodeId } from '../../nemesis/world.ts';

/** Who waits for an election, and is told of it before anything else happens. */
export class Elections {
  readonly #waiting = new Set<(leader: NodeId) => void>();

  tell(leader: NodeId): void {
    for (const told of [...this.#waiting]) told(leader);
  }

  /**
   * @param act called at once, with the leader's name
   * @returns the leader, or undefined when nobody is elected in that time
   */
  next(withinMs: number, act: (leader: NodeId) => void): Promise<NodeId | undefined> {
    return new Promise((resolve) => {
      const finish = (leader: NodeId | undefined): void => {
        this.#waiting.delete(told);
        clearTimeout(timer);
        resolve(leader);
      };
      const told = (leader: NodeId): void => {
        act(leader);
        finish(leader);
      };
      const timer = setTimeout(() => finish(undefined), withinMs);
      this.#waiting.add(told);
    });
  }
}

import type { Effect, Link, NodeId, World } from './world.ts';

/**
 * Several faults at a time in one world. Each gets a view of its own: what it cuts adds to what the others have cut, and
 * a node that several faults keep down or paused comes back with the last of them.
 */
export class Composition {
  readonly #world: World;
  readonly #cut = new Map<number, readonly Link[]>();
  readonly #down = new Holds();
  readonly #paused = new Holds();
  /** A cut proves itself by what comes over its links: another fault must not change them meanwhile. */
  #lastCut: { readonly by: number; readonly done: Promise<unknown> } | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** The world as one fault sees it. @param fault its id */
  viewOf(fault: number): World {
    const world = this.#world;
    const mechanism = 'composition';
    const kept = (by: Holds, node: NodeId): Effect => ({
      effect: 'moot',
      mechanism,
      proof: { keptBy: by.holders(node).join(' ') },
    });
    const own: Partial<World> = {
      cut: (links) => {
        this.#cut.set(fault, links);
        return this.#inTurn(fault, () => world.cut(union([...this.#cut.values()])));
      },
      kill: (node) => {
        this.#down.hold(node, fault);
        return world.kill(node);
      },
      ...(world.losePower !== undefined && {
        losePower: (node: NodeId) => {
          this.#down.hold(node, fault);
          return world.losePower!(node);
        },
      }),
      start: async (node) => (this.#down.release(node, fault) ? world.start(node) : kept(this.#down, node)),
      pause: (node) => {
        this.#paused.hold(node, fault);
        return world.pause(node);
      },
      resume: async (node) => (this.#paused.release(node, fault) ? world.resume(node) : kept(this.#paused, node)),
    };
    return new Proxy(world, {
      get(target, name) {
        const value: unknown = Reflect.get(own, name) ?? Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** Acts at once when no other fault does: a reaction must not be late, least of all for the one before it. */
  #inTurn(by: number, act: () => Promise<Effect>): Promise<Effect> {
    const last = this.#lastCut;
    const done = last === undefined || last.by === by ? act() : last.done.then(act, act);
    const turn = { by, done };
    this.#lastCut = turn;
    const over = (): void => {
      if (this.#lastCut === turn) this.#lastCut = undefined;
    };
    done.then(over, over);
    return done;
  }
}

/** Who keeps which nodes as they are. */
class Holds {
  readonly #holders = new Map<NodeId, Set<number>>();

  hold(node: NodeId, fault: number): void {
    const holders = this.#holders.get(node) ?? new Set();
    this.#holders.set(node, holders.add(fault));
  }

  /** @returns whether nobody else holds it */
  release(node: NodeId, fault: number): boolean {
    const holders = this.#holders.get(node);
    holders?.delete(fault);
    return holders === undefined || holders.size === 0;
  }

  holders(node: NodeId): readonly number[] {
    return [...(this.#holders.get(node) ?? [])];
  }
}

function union(cuts: readonly (readonly Link[])[]): readonly Link[] {
  return [...new Map(cuts.flat().map((link) => [`${link.from}>${link.to}`, link])).values()];
}

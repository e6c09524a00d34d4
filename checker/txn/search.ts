import { type Graph, LINKS } from './graph.ts';

/** A path: `kinds[i]` is the edge from `vertices[i]` to `vertices[i + 1]`; the goal itself is not in it. */
export interface Path {
  readonly vertices: number[];
  readonly kinds: number[];
}

/** Shortest paths in one graph. The links of a junction cost nothing: they are part of the edge that led there. */
export class Search {
  /** Edges looked at so far. */
  work = 0;
  readonly #graph: Graph;
  readonly #seen: Int32Array;
  readonly #parent: Int32Array;
  readonly #kind: Uint8Array;
  #round = 0;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#seen = new Int32Array(graph.size);
    this.#parent = new Int32Array(graph.size);
    this.#kind = new Uint8Array(graph.size);
  }

  /**
   * The shortest path from a vertex to one of the goals (of at least one edge, should it be a goal itself), over
   * edges of some kinds and vertices that may be used. `undefined`: there is none. `"bound"`: not decided within
   * `workMax` edges.
   */
  path(
    from: number,
    isGoal: (v: number) => boolean,
    kinds: number,
    mayUse: (v: number) => boolean,
    workMax: number,
  ): (Path & { readonly goal: number }) | 'bound' | undefined {
    const { start, target, kind } = this.#graph;
    const round = ++this.#round;
    const bound = this.work + workMax;
    let level = [from];
    while (level.length > 0) {
      const following: number[] = [];
      // A link's target joins the level that is being worked through.
      for (let i = 0; i < level.length; i++) {
        const v = level[i]!;
        for (let e = start[v]!; e < start[v + 1]!; e++) {
          if ((kind[e]! & kinds) === 0) continue;
          this.work++;
          const w = target[e]!;
          if (isGoal(w)) return this.#trace(from, v, kind[e]!, w);
          if (this.#seen[w] === round || w === from || !mayUse(w)) continue;
          this.#seen[w] = round;
          this.#parent[w] = v;
          this.#kind[w] = kind[e]!;
          if ((kind[e]! & LINKS) === 0) following.push(w);
          else level.push(w);
        }
        if (this.work > bound) return 'bound';
      }
      level = following;
    }
    return undefined;
  }

  #trace(from: number, last: number, lastKind: number, goal: number): Path & { readonly goal: number } {
    const vertices = [last];
    const kinds = [lastKind];
    for (let v = last; v !== from; ) {
      kinds.push(this.#kind[v]!);
      v = this.#parent[v]!;
      vertices.push(v);
    }
    return { vertices: vertices.reverse(), kinds: kinds.reverse(), goal };
  }
}

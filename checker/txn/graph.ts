/** Kinds of edges, as bits, so that a search can be told which ones it may use. */
export const WW = 1;
export const WR = 2;
export const RW = 4;
/** An anti-dependency of a predicate read. */
export const RWP = 8;
export const PROCESS = 16;
export const REALTIME = 32;
/**
 * The rest of the way of an `RW` or a `REALTIME` edge through junctions: vertices that are no transactions, and
 * stand for the quadratically many edges between everything before them and everything after.
 */
export const RW_LINK = 64;
export const REALTIME_LINK = 128;

export const LINKS = RW_LINK | REALTIME_LINK;
export const ANTI = RW | RWP;

/** A directed graph with labelled edges, in compressed rows: the edges of `v` are `start[v]` to `start[v + 1]`. */
export interface Graph {
  readonly size: number;
  readonly start: Int32Array;
  readonly target: Int32Array;
  readonly kind: Uint8Array;
}

/** Edges are kept in pieces of this many: no copies as they grow, and none of them all but empty. */
const PIECE = 1 << 16;

/** Collects edges. Vertices 0 to `transactions - 1` are transactions; junctions come after them. */
export class GraphBuilder {
  size: number;
  edges = 0;
  readonly #from: Int32Array[] = [];
  readonly #to: Int32Array[] = [];
  readonly #kind: Uint8Array[] = [];

  constructor(transactions: number) {
    this.size = transactions;
  }

  junction(): number {
    return this.size++;
  }

  /** Adds an edge; a transaction never depends on itself. */
  edge(from: number, to: number, kind: number): void {
    if (from === to) return;
    const [piece, at] = [this.edges >>> 16, this.edges & (PIECE - 1)];
    if (at === 0) {
      this.#from.push(new Int32Array(PIECE));
      this.#to.push(new Int32Array(PIECE));
      this.#kind.push(new Uint8Array(PIECE));
    }
    this.#from[piece]![at] = from;
    this.#to[piece]![at] = to;
    this.#kind[piece]![at] = kind;
    this.edges++;
  }

  build(): Graph {
    const start = new Int32Array(this.size + 1);
    this.#each((from) => {
      start[from + 1]!++;
    });
    for (let v = 0; v < this.size; v++) start[v + 1]! += start[v]!;
    const target = new Int32Array(this.edges);
    const kind = new Uint8Array(this.edges);
    // `start` moves on as rows are filled: at the end each entry is where the next row begins.
    this.#each((from, to, label) => {
      const at = start[from]!++;
      target[at] = to;
      kind[at] = label;
    });
    start.copyWithin(1, 0, this.size);
    start[0] = 0;
    return { size: this.size, start, target, kind };
  }

  #each(visit: (from: number, to: number, kind: number) => void): void {
    for (let piece = 0, left = this.edges; left > 0; piece++, left -= PIECE) {
      const [from, to, kind] = [this.#from[piece]!, this.#to[piece]!, this.#kind[piece]!];
      const count = Math.min(left, PIECE);
      for (let at = 0; at < count; at++) visit(from[at]!, to[at]!, kind[at]!);
    }
  }
}

/** Strongly connected components: a number for each vertex; an edge between components goes to a lower number. */
export interface Components {
  readonly of: Int32Array;
  readonly count: number;
}

/**
 * Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972) without recursion, over edges of some
 * kinds; in the space of Pearce ("A space-efficient algorithm for finding strongly connected components", 2016), as
 * fresh memory costs more than the search.
 */
export function components(graph: Graph, kinds: number): Components {
  const { size, start, target, kind } = graph;
  // 0: not seen yet; above: the lowest number that it reaches; below: its component, when that is known.
  const low = new Int32Array(size);
  const next = new Int32Array(size);
  // From the front the path to where the search is; from the back what is done, but not yet of a component.
  const stack = new Int32Array(size);
  let seen = 0;
  let count = 0;
  let done = size;
  for (let root = 0; root < size; root++) {
    if (low[root] !== 0) continue;
    let depth = 0;
    stack[0] = root;
    low[root] = ++seen;
    next[root] = start[root]!;
    // The number given to a vertex when it was first seen equals its low until something lower is found, so a
    // vertex is the head of a component when nothing lowered it; `lowered` is kept in the sign of `next`.
    while (depth >= 0) {
      const v = stack[depth]!;
      let e = next[v]!;
      const lowered = e < 0;
      if (lowered) e = ~e;
      const end = start[v + 1]!;
      let lowest = low[v]!;
      let fell = lowered;
      let child = -1;
      for (; e < end; e++) {
        if ((kind[e]! & kinds) === 0) continue;
        const w = target[e]!;
        const lowW = low[w]!;
        if (lowW === 0) {
          child = w;
          break;
        }
        if (lowW > 0 && lowW < lowest) {
          lowest = lowW;
          fell = true;
        }
      }
      low[v] = lowest;
      // The edge to a child is looked at again when the child is done: then its low counts.
      next[v] = fell ? ~e : e;
      if (child >= 0) {
        low[child] = ++seen;
        next[child] = start[child]!;
        stack[++depth] = child;
        continue;
      }
      depth--;
      if (fell) stack[--done] = v;
      else {
        // What was done since the head was met reaches nothing before it.
        while (done < size && low[stack[done]!]! >= lowest) low[stack[done++]!] = ~count;
        low[v] = ~count;
        count++;
      }
    }
  }
  for (let v = 0; v < size; v++) low[v] = ~low[v]!;
  return { of: low, count };
}

/** The vertices of each component that has more than one, in ascending order of component. */
export function cyclicComponents({ of, count }: Components): Int32Array[] {
  if (count === of.length) return [];
  const sizes = new Int32Array(count);
  for (const c of of) sizes[c]!++;
  const slots = new Int32Array(count).fill(-1);
  const cyclic: Int32Array[] = [];
  for (let c = 0; c < count; c++) {
    if (sizes[c]! < 2) continue;
    slots[c] = cyclic.length;
    cyclic.push(new Int32Array(sizes[c]!));
  }
  if (cyclic.length === 0) return cyclic;
  const filled = new Int32Array(cyclic.length);
  for (let v = 0; v < of.length; v++) {
    const slot = slots[of[v]!]!;
    if (slot >= 0) cyclic[slot]![filled[slot]!++] = v;
  }
  return cyclic;
}

/** Cuts parts of a graph out of it, in time proportional to the part. */
export class Cutter {
  readonly #graph: Graph;
  readonly #local: Int32Array;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#local = new Int32Array(graph.size).fill(-1);
  }

  /** The graph of these vertices and the edges among them; vertex `i` is `vertices[i]`. */
  cut(vertices: Int32Array): Graph {
    const { start, target, kind } = this.#graph;
    const local = this.#local;
    for (let i = 0; i < vertices.length; i++) local[vertices[i]!] = i;
    let edges = 0;
    for (const v of vertices) {
      for (let e = start[v]!; e < start[v + 1]!; e++) if (local[target[e]!]! >= 0) edges++;
    }
    const cut = {
      size: vertices.length,
      start: new Int32Array(vertices.length + 1),
      target: new Int32Array(edges),
      kind: new Uint8Array(edges),
    };
    let at = 0;
    for (let i = 0; i < vertices.length; i++) {
      const v = vertices[i]!;
      for (let e = start[v]!; e < start[v + 1]!; e++) {
        const to = local[target[e]!]!;
        if (to < 0) continue;
        cut.target[at] = to;
        cut.kind[at++] = kind[e]!;
      }
      cut.start[i + 1] = at;
    }
    for (const v of vertices) local[v] = -1;
    return cut;
  }
}

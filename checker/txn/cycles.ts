import {
  ANTI,
  type Components,
  Cutter,
  components,
  cyclicComponents,
  type Graph,
  PROCESS,
  REALTIME,
  REALTIME_LINK,
  RW,
  RW_LINK,
  RWP,
  WR,
  WW,
} from './graph.ts';
import { impliedAnomalies } from './lattice.ts';
import { type Path, Search } from './search.ts';

/** A closed walk through transactions: `kinds[i]` leads from `transactions[i]` to the next, the last to the first. */
export interface Cycle {
  readonly kind: string;
  readonly transactions: readonly number[];
  readonly kinds: readonly number[];
}

/** What a component of the graph holds: a cycle of each kind that no other kind found there implies. */
export interface Cycles {
  readonly cycles: readonly Cycle[];
  /** Kinds that may be there as well: the search for them reached its bound. */
  readonly undecided: readonly string[];
}

/** How often a shorter witness is looked for, and how many edges that may cost. */
const WITNESS_TRIES_MAX = 16;
const WITNESS_WORK_MAX = 1_000_000;
/** A search for a cycle with exactly one anti-dependency may look at this many edges for each edge of the graph. */
const SINGLE_WORK_PER_EDGE_MAX = 32;
const SINGLE_WORK_MIN = 1_000_000;
/** Two rounds: most searches end at once, so the rest waits until these are through. */
const SINGLE_FIRST_WORK_MAX = 256;

/** Names a cycle by its edges (Adya's thesis for the letters, Elle for nonadjacent and the suffixes). */
function nameCycle(kinds: readonly number[]): string {
  const all = kinds.reduce((a, b) => a | b, 0);
  const anti = kinds.filter((kind) => kind & ANTI).length;
  const adjacent = kinds.some((kind, i) => kind & ANTI && kinds[(i + 1) % kinds.length]! & ANTI);
  const item = all & RWP ? '' : '-item';
  const suffix = all & REALTIME ? '-realtime' : all & PROCESS ? '-process' : '';
  if (anti === 0) return `${all & WR ? 'G1c' : 'G0'}${suffix}`;
  if (anti === 1) return `G-single${item}${suffix}`;
  return `${adjacent ? 'G2' : 'G-nonadjacent'}${item}${suffix}`;
}

/**
 * Every kind of cycle in a dependency graph, component by component. Whether there is a cycle of a class is decided
 * by strongly connected components alone, so it is never missed; only the name of one with exactly one
 * anti-dependency takes a search, which has a bound.
 *
 * @param precedes whether one transaction completed before another was invoked
 */
export function findCycles(
  graph: Graph,
  transactions: number,
  precedes: (before: number, after: number) => boolean,
): Cycles[] {
  const found = cyclicComponents(components(graph, 0xff));
  if (found.length === 0) return [];
  const cutter = new Cutter(graph);
  return found.map((vertices) => new Classifier(cutter.cut(vertices), vertices, transactions, precedes).run());
}

class Classifier {
  readonly #graph: Graph;
  readonly #vertices: Int32Array;
  readonly #transactions: number;
  readonly #precedes: (before: number, after: number) => boolean;
  readonly #search: Search;
  readonly #cycles: Cycle[] = [];
  readonly #covered = new Set<string>();
  readonly #undecided = new Set<string>();

  constructor(
    graph: Graph,
    vertices: Int32Array,
    transactions: number,
    precedes: (before: number, after: number) => boolean,
  ) {
    this.#graph = graph;
    this.#vertices = vertices;
    this.#transactions = transactions;
    this.#precedes = precedes;
    this.#search = new Search(graph);
  }

  run(): Cycles {
    let present = 0;
    for (const kind of this.#graph.kind) present |= kind;
    const variants: [suffix: string, extra: number][] = [['', 0]];
    if (present & PROCESS) variants.push(['-process', PROCESS]);
    if (present & REALTIME) variants.push(['-realtime', REALTIME | REALTIME_LINK]);
    // The widest graph comes first: when it has no cycle the narrower ones have none.
    const widest = variants.at(-1)![1];
    const mayFlow = components(this.#graph, WW | WR | widest).count < this.#graph.size;
    for (const [suffix, extra] of variants) {
      if (mayFlow) this.#flow(suffix, extra);
      for (const anti of [RW, RW | RWP]) {
        if (present & anti && (anti === RW || present & RWP)) this.#overtaken(suffix, extra, anti);
      }
    }
    // A wider kind may have been found before one that implies it, while that one was undecided.
    const implied = (cycle: Cycle): boolean =>
      this.#cycles.some((other) => other.kind !== cycle.kind && impliedAnomalies(other.kind).has(cycle.kind));
    return {
      cycles: this.#cycles.filter((cycle) => !implied(cycle)),
      undecided: [...this.#undecided].filter((kind) => !this.#covered.has(kind)),
    };
  }

  /** Cycles without anti-dependencies. */
  #flow(suffix: string, extra: number): void {
    const open = (kind: string): boolean => !this.#covered.has(kind + suffix);
    if (!open('G0') && !open('G1c')) return;
    const flow = components(this.#graph, WW | WR | extra);
    if (flow.count === this.#graph.size) return;
    const writes = components(this.#graph, WW | extra);
    if (writes.count < this.#graph.size && open('G0')) this.#add(this.#cycleIn(writes, WW | extra));
    else if (open('G1c')) this.#add(this.#cycleIn(flow, WW | WR | extra));
  }

  /** Cycles with anti-dependencies of some kinds. */
  #overtaken(suffix: string, extra: number, anti: number): void {
    const item = anti === RW ? '-item' : '';
    const [single, nonadjacent, any] = [
      `G-single${item}${suffix}`,
      `G-nonadjacent${item}${suffix}`,
      `G2${item}${suffix}`,
    ];
    const open = (kind: string): boolean => !this.#covered.has(kind);
    const base = WW | WR | extra;
    // The shortest ones there can be are found in one pass, and settle all three.
    if (open(single)) this.#add(this.#pair(base, anti));
    if (!open(single) && !open(nonadjacent) && !open(any)) return;
    const whole = base | anti | RW_LINK;
    const all = components(this.#graph, whole);
    if (!this.#hasEdge(this.#graph, all, anti)) return;
    if (open(single) || open(nonadjacent)) this.#apart(single, nonadjacent, base, anti);
    if (open(any)) this.#add(this.#throughIn(this.#graph, this.#search, all, whole, anti));
  }

  /** Two transactions, one of which overtook the other and yet comes before it. */
  #pair(base: number, anti: number): Path | undefined {
    const { size, start, target, kind } = this.#graph;
    for (let u = 0; u < size; u++) {
      for (let e = start[u]!; e < start[u + 1]!; e++) {
        const v = target[e]!;
        if ((kind[e]! & anti) === 0 || !this.#isTransaction(v)) continue;
        if (base & REALTIME && this.#precedes(this.#vertices[v]!, this.#vertices[u]!)) {
          return { vertices: [u, v], kinds: [kind[e]!, REALTIME] };
        }
        const back = this.#kindOf(v, u, base);
        if (back !== 0) return { vertices: [u, v], kinds: [kind[e]!, back] };
      }
    }
    return undefined;
  }

  /** Cycles in which no two anti-dependencies are adjacent: with one of them, or with more. */
  #apart(single: string, nonadjacent: string, base: number, anti: number): void {
    const states = alternating(this.#graph, base, anti);
    const apart = components(states, 0xff);
    if (!this.#hasEdge(states, apart, anti)) return;
    if (!this.#covered.has(single)) {
      const found = this.#single(apart, base, anti);
      if (found === 'bound') this.#undecided.add(single);
      else if (found) this.#add(found);
    }
    if (!this.#covered.has(nonadjacent)) {
      const walk = this.#throughIn(states, new Search(states), apart, 0xff, anti);
      if (walk) this.#add({ vertices: walk.vertices.map((state) => state >> 1), kinds: walk.kinds });
    }
  }

  /**
   * A cycle with exactly one anti-dependency from `u` to `v`: a way without any from `v` back to `u`. Only edges
   * that lie on a cycle without adjacent ones can be it, and a search need not leave the vertices between `v` and
   * `u` in a topological order. All readers that one writer overtook are goals of one search.
   */
  #single(apart: Components, base: number, anti: number): Path | 'bound' | undefined {
    const { start, target, kind } = this.#graph;
    const kinds = base | RW_LINK;
    const order = components(this.#graph, kinds).of;
    const readers = new Map<number, number[]>();
    for (let u = 0; u < this.#graph.size; u++) {
      for (let e = start[u]!; e < start[u + 1]!; e++) {
        const v = target[e]!;
        if ((kind[e]! & anti) === 0 || apart.of[2 * u] !== apart.of[2 * v + 1] || order[v]! < order[u]!) continue;
        const list = readers.get(v);
        if (list) list.push(u);
        else readers.set(v, [u]);
      }
    }
    const goals = new Uint8Array(this.#graph.size);
    const first = this.#search.work;
    const workMax = Math.max(SINGLE_WORK_MIN, SINGLE_WORK_PER_EDGE_MAX * target.length);
    let best: Path | undefined;
    let tries = 0;
    for (const limit of [SINGLE_FIRST_WORK_MAX, workMax]) {
      for (const [v, list] of readers) {
        if (this.#search.work - first > workMax) return best ?? 'bound';
        let lowest = order[list[0]!]!;
        for (const u of list) {
          goals[u] = 1;
          if (order[u]! < lowest) lowest = order[u]!;
        }
        const back = this.#search.path(
          v,
          (w) => goals[w] === 1,
          kinds,
          (w) => order[w]! >= lowest,
          limit,
        );
        for (const u of list) goals[u] = 0;
        if (back === 'bound') continue;
        readers.delete(v);
        if (back === undefined) continue;
        const edge = this.#kindOf(back.goal, v, anti);
        const cycle = { vertices: [back.goal, ...back.vertices], kinds: [edge, ...back.kinds] };
        if (!best || cycle.kinds.length < best.kinds.length) best = cycle;
        if (best.kinds.length <= 2 || ++tries === WITNESS_TRIES_MAX) return best;
      }
      if (best) return best;
    }
    return readers.size === 0 ? undefined : 'bound';
  }

  #kindOf(u: number, v: number, among: number): number {
    const { start, target, kind } = this.#graph;
    for (let e = start[u]!; e < start[u + 1]!; e++) if (target[e] === v && kind[e]! & among) return kind[e]!;
    return 0;
  }

  /** Whether an edge of these kinds lies inside a component, so that a cycle goes through it. */
  #hasEdge(graph: Graph, { of }: Components, kinds: number): boolean {
    const { size, start, target, kind } = graph;
    for (let v = 0; v < size; v++) {
      for (let e = start[v]!; e < start[v + 1]!; e++) if (kind[e]! & kinds && of[v] === of[target[e]!]) return true;
    }
    return false;
  }

  /** A short cycle in a component that has more than one vertex. */
  #cycleIn(parts: Components, kinds: number): Path | undefined {
    const within = (c: number) => (v: number) => parts.of[v] === c;
    let best: Path | undefined;
    for (const v of candidates(cyclicComponents(parts))) {
      const cycle = this.#search.path(v, (w) => w === v, kinds, within(parts.of[v]!), WITNESS_WORK_MAX);
      if (cycle !== 'bound' && cycle && (!best || cycle.kinds.length < best.kinds.length)) best = cycle;
    }
    return best;
  }

  /** A short closed walk inside a component through an edge of some kinds. */
  #throughIn(graph: Graph, search: Search, { of }: Components, kinds: number, through: number): Path | undefined {
    const { size, start, target, kind } = graph;
    let best: Path | undefined;
    let tries = 0;
    for (let u = 0; u < size && tries < WITNESS_TRIES_MAX; u++) {
      for (let e = start[u]!; e < start[u + 1]! && tries < WITNESS_TRIES_MAX; e++) {
        const v = target[e]!;
        if ((kind[e]! & through) === 0 || of[u] !== of[v]) continue;
        // The first one counts whatever it costs: it is known to be there.
        const workMax = best ? WITNESS_WORK_MAX : Number.MAX_SAFE_INTEGER;
        const back = search.path(
          v,
          (w) => w === u,
          kinds,
          (w) => of[w] === of[u],
          workMax,
        );
        tries++;
        if (back === 'bound' || !back) continue;
        if (back.kinds.length === 1) return { vertices: [u, ...back.vertices], kinds: [kind[e]!, ...back.kinds] };
        if (!best || back.kinds.length + 1 < best.kinds.length) {
          best = { vertices: [u, ...back.vertices], kinds: [kind[e]!, ...back.kinds] };
        }
      }
    }
    return best;
  }

  #isTransaction(v: number): boolean {
    return this.#vertices[v]! < this.#transactions;
  }

  /** Leaves out the junctions: the edge that led to one goes on to the transaction at its end. */
  #add(path: Path | undefined): void {
    if (!path) return;
    const length = path.vertices.length;
    const begin = path.vertices.findIndex((v) => this.#isTransaction(v));
    const transactions: number[] = [];
    const kinds: number[] = [];
    for (let i = 0; i < length; i++) {
      const at = (begin + i) % length;
      if (!this.#isTransaction(path.vertices[at]!)) continue;
      transactions.push(this.#vertices[path.vertices[at]!]!);
      kinds.push(path.kinds[at]!);
    }
    const kind = nameCycle(kinds);
    this.#cycles.push({ kind, transactions, kinds });
    for (const implied of impliedAnomalies(kind)) this.#covered.add(implied);
  }
}

/** A few vertices to start from: those of the smallest components. */
function* candidates(parts: Int32Array[]): Generator<number> {
  let left = WITNESS_TRIES_MAX;
  for (const part of parts.sort((a, b) => a.length - b.length)) {
    for (const v of part) {
      yield v;
      if (--left === 0) return;
    }
  }
}

/**
 * The graph whose closed walks are those without adjacent anti-dependencies: vertex `2v` is `v` after any other
 * edge, `2v + 1` is `v` after an anti-dependency. Cycles in snapshot isolation are the same question (Cerone &
 * Gotsman, "Analysing snapshot isolation", 2018).
 */
function alternating(graph: Graph, base: number, anti: number): Graph {
  const { size, start, target, kind } = graph;
  const starts = new Int32Array(2 * size + 1);
  const build = (emit: (to: number, kind: number) => void): void => {
    let count = 0;
    const put = (to: number, label: number): void => {
      emit(to, label);
      count++;
    };
    for (let v = 0; v < size; v++) {
      for (let e = start[v]!; e < start[v + 1]!; e++) {
        if (kind[e]! & anti) put(2 * target[e]! + 1, kind[e]!);
        else if (kind[e]! & base) put(2 * target[e]!, kind[e]!);
      }
      starts[2 * v + 1] = count;
      for (let e = start[v]!; e < start[v + 1]!; e++) {
        if (kind[e]! & RW_LINK) put(2 * target[e]! + 1, kind[e]!);
        else if (kind[e]! & base) put(2 * target[e]!, kind[e]!);
      }
      starts[2 * v + 2] = count;
    }
  };
  build(() => {});
  const targets = new Int32Array(starts[2 * size]!);
  const kinds = new Uint8Array(targets.length);
  let at = 0;
  build((to, label) => {
    targets[at] = to;
    kinds[at++] = label;
  });
  return { size: 2 * size, start: starts, target: targets, kind: kinds };
}

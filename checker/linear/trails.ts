const NOT = -1;

/** The linearizations of a search, as a tree of (parent, call) that grows towards the root. */
export class Trails {
  #parent = new Int32Array(1024);
  #call = new Int32Array(1024);
  length = 0;

  add(parent: number, call: number): number {
    if (this.length === this.#parent.length) {
      const parents = new Int32Array(this.length * 2);
      parents.set(this.#parent);
      this.#parent = parents;
      const calls = new Int32Array(this.length * 2);
      calls.set(this.#call);
      this.#call = calls;
    }
    this.#parent[this.length] = parent;
    this.#call[this.length] = call;
    return this.length++;
  }

  order(trail: number): number[] {
    const order: number[] = [];
    for (let at = trail; at !== NOT; at = this.#parent[at]!) order.push(this.#call[at]!);
    return order.reverse();
  }

  /** Keeps only what leads to these; gives the new names of all. */
  compact(ends: Int32Array, count: number): void {
    const names = new Int32Array(this.length).fill(NOT);
    for (let i = 0; i < count; i++) {
      for (let at = ends[i]!; at !== NOT && names[at] === NOT; at = this.#parent[at]!) names[at] = 0;
    }
    let kept = 0;
    for (let at = 0; at < this.length; at++) {
      if (names[at] === NOT) continue;
      names[at] = kept;
      const parent = this.#parent[at]!;
      this.#parent[kept] = parent === NOT ? NOT : names[parent]!;
      this.#call[kept] = this.#call[at]!;
      kept++;
    }
    this.length = kept;
    for (let i = 0; i < count; i++) if (ends[i] !== NOT) ends[i] = names[ends[i]!]!;
  }
}

import type { ByteString } from './byte-string.ts';

/**
 * An ordered map from byte strings, of which a consistent view can be taken in constant time while it goes on
 * changing: a B+ tree whose nodes are copied on the first write after a view shared them (as copy-on-write file
 * systems do, Rodeh 2008). Each node remembers who may change it; taking a view gives the tree a new identity, so
 * that all present nodes belong to nobody and stay as they are.
 */
export class PersistentTree<V> {
  private root: Node<V> = { owner: undefined, leaf: true, keys: [], values: [] };
  private owner: object = {};
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(key: ByteString): V | undefined {
    let node = this.root;
    while (!node.leaf) node = node.children[childFor(node.keys, key)]!;
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  /** @returns the value that was there before */
  set(key: ByteString, value: V): V | undefined {
    const root = this.own(this.root);
    const before = this.setIn(root, key, value);
    if (before === undefined) this.count++;
    this.root = root;
    if (root.keys.length > NODE_KEYS_MAX) {
      const right = splitOff(root, this.owner, true);
      this.root = { owner: this.owner, leaf: false, keys: [root.keys[0]!, right.keys[0]!], children: [root, right] };
    }
    return before;
  }

  /** @returns the value that was there */
  delete(key: ByteString): V | undefined {
    if (this.get(key) === undefined) return undefined;
    const root = this.own(this.root);
    const before = this.deleteIn(root, key);
    this.count--;
    this.root = !root.leaf && root.children.length === 1 ? root.children[0]! : root;
    return before;
  }

  /** What the tree holds now, unmoved by what is done to it later. */
  view(): TreeView<V> {
    this.owner = {};
    return new TreeView(this.root, this.count);
  }

  /** A cursor before the first key at or after `from`. It must not be used after the tree changed. */
  cursor(from: ByteString): TreeCursor<V> {
    return new TreeCursor(this.root, from);
  }

  private own<N extends Node<V>>(node: N): N {
    if (node.owner === this.owner) return node;
    return node.leaf
      ? { ...node, owner: this.owner, keys: node.keys.slice(), values: node.values.slice() }
      : { ...node, owner: this.owner, keys: node.keys.slice(), children: node.children.slice() };
  }

  private setIn(node: Node<V>, key: ByteString, value: V): V | undefined {
    if (node.leaf) {
      const at = lowerBound(node.keys, key);
      if (node.keys[at] === key) {
        const before = node.values[at];
        node.values[at] = value;
        return before;
      }
      insertAt(node.keys, at, key);
      insertAt(node.values, at, value);
      return undefined;
    }
    const at = childFor(node.keys, key);
    const child = this.own(node.children[at]!);
    node.children[at] = child;
    const before = this.setIn(child, key, value);
    if (child.keys.length > NODE_KEYS_MAX) {
      const right = splitOff(child, this.owner, at === node.children.length - 1);
      insertAt(node.keys, at + 1, right.keys[0]!);
      insertAt(node.children, at + 1, right);
    }
    return before;
  }

  private deleteIn(node: Node<V>, key: ByteString): V | undefined {
    if (node.leaf) {
      const at = lowerBound(node.keys, key);
      const before = node.values[at];
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      return before;
    }
    const at = childFor(node.keys, key);
    const child = this.own(node.children[at]!);
    node.children[at] = child;
    const before = this.deleteIn(child, key);
    if (child.keys.length < NODE_KEYS_MIN) this.mergeAround(node, at);
    return before;
  }

  /** Joins a small child with a neighbour when both fit into one node with room to grow. */
  private mergeAround(node: Branch<V>, at: number): void {
    const left = at > 0 ? at - 1 : at;
    const first = node.children[left]!;
    const second = node.children[left + 1];
    if (second === undefined || first.keys.length + second.keys.length > NODE_KEYS_MAX - NODE_KEYS_MIN) return;
    const joined = this.own(first);
    // A branch's first key is only a bound; below a parent, the parent's key for it is the true one.
    if (joined.leaf && second.leaf) {
      joined.keys.push(...second.keys);
      joined.values.push(...second.values);
    } else if (!joined.leaf && !second.leaf) {
      joined.keys.push(node.keys[left + 1]!, ...second.keys.slice(1));
      joined.children.push(...second.children);
    }
    node.children[left] = joined;
    node.children.splice(left + 1, 1);
    node.keys.splice(left + 1, 1);
  }
}

/** Reads an ordered map as it was when the view was taken. */
export class TreeView<V> {
  readonly size: number;
  private readonly root: Node<V>;
  constructor(root: Node<V>, size: number) {
    this.root = root;
    this.size = size;
  }
  cursor(from: ByteString): TreeCursor<V> {
    return new TreeCursor(this.root, from);
  }
}

/** Walks keys in order. `next` first. */
export class TreeCursor<V> {
  key: ByteString = '';
  value: V | undefined;
  private readonly branches: Branch<V>[] = [];
  private readonly places: number[] = [];
  private leaf: Leaf<V>;
  private at: number;

  constructor(root: Node<V>, from: ByteString) {
    let node = root;
    while (!node.leaf) {
      const place = childFor(node.keys, from);
      this.branches.push(node);
      this.places.push(place);
      node = node.children[place]!;
    }
    this.leaf = node;
    this.at = lowerBound(node.keys, from) - 1;
  }

  /** Moves to the next key; false at the end. */
  next(): boolean {
    this.at++;
    while (this.at >= this.leaf.keys.length) if (!this.nextLeaf()) return false;
    this.key = this.leaf.keys[this.at]!;
    this.value = this.leaf.values[this.at]!;
    return true;
  }

  private nextLeaf(): boolean {
    let depth = this.branches.length - 1;
    while (depth >= 0 && this.places[depth]! + 1 >= this.branches[depth]!.children.length) depth--;
    if (depth < 0) return false;
    this.places[depth]!++;
    let node = this.branches[depth]!.children[this.places[depth]!]!;
    while (!node.leaf) {
      depth++;
      this.branches[depth] = node;
      this.places[depth] = 0;
      node = node.children[0]!;
    }
    this.leaf = node;
    this.at = 0;
    return true;
  }
}

/** Wide enough for a shallow tree, narrow enough that copying a node costs well under a microsecond. */
const NODE_KEYS_MAX = 64;
const NODE_KEYS_MIN = 16;

interface Leaf<V> {
  readonly owner: object | undefined;
  readonly leaf: true;
  readonly keys: ByteString[];
  readonly values: V[];
}

interface Branch<V> {
  readonly owner: object | undefined;
  readonly leaf: false;
  /** keys[i] is at most the least key under children[i]; keys[0] bounds nothing. */
  readonly keys: ByteString[];
  readonly children: Node<V>[];
}

type Node<V> = Leaf<V> | Branch<V>;

/** The first place whose key is not below. */
function lowerBound(keys: readonly ByteString[], key: ByteString): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child under which the key is, or belongs. */
function childFor(keys: readonly ByteString[], key: ByteString): number {
  let low = 1;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Moves the upper part into a new node. The last node of a level is left full, which is what ascending keys want. */
function splitOff<V>(node: Node<V>, owner: object, last: boolean): Node<V> {
  const at = last ? node.keys.length - 2 : node.keys.length >>> 1;
  const keys = node.keys.splice(at);
  return node.leaf
    ? { owner, leaf: true, keys, values: node.values.splice(at) }
    : { owner, leaf: false, keys, children: node.children.splice(at) };
}

/** `splice` would make an array for nothing. */
function insertAt<T>(array: T[], at: number, item: T): void {
  array.push(item);
  for (let to = array.length - 1; to > at; to--) array[to] = array[to - 1]!;
  array[at] = item;
}

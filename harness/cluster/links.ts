import type { Link, NodeId } from '../../nemesis/world.ts';

/** What became of the peer frames of one directed link since the cluster started. */
export interface LinkCounts {
  readonly passed: number;
  /** Discarded because the link was cut. */
  readonly dropped: number;
}

interface LinkState {
  passed: number;
  dropped: number;
  cut: boolean;
}

/**
 * The state of every directed link between nodes, shared by all proxies: what is cut, and how many frames were
 * passed and dropped. The counts are the proof that a cut took effect.
 */
export class LinkTable {
  readonly #states = new Map<string, LinkState>();
  readonly #countWatchers = new Set<() => void>();
  readonly #cutWatchers = new Set<() => void>();

  /** Cuts exactly these links, instead of whatever was cut before. */
  cut(links: readonly Link[]): void {
    for (const state of this.#states.values()) state.cut = false;
    for (const { from, to } of links) this.#state(from, to).cut = true;
    for (const watcher of this.#cutWatchers) watcher();
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#state(from, to).cut;
  }

  counts(from: NodeId, to: NodeId): LinkCounts {
    const { passed, dropped } = this.#state(from, to);
    return { passed, dropped };
  }

  /** Counts a frame; whether it may go on. */
  admit(from: NodeId, to: NodeId): boolean {
    const state = this.#state(from, to);
    if (state.cut) state.dropped++;
    else state.passed++;
    for (const watcher of this.#countWatchers) watcher();
    return !state.cut;
  }

  /** Calls back after every frame that was counted, until the returned function is called. */
  watchCounts(callback: () => void): () => void {
    this.#countWatchers.add(callback);
    return () => void this.#countWatchers.delete(callback);
  }

  /** Calls back when other links are cut than before, until the returned function is called. */
  watchCuts(callback: () => void): () => void {
    this.#cutWatchers.add(callback);
    return () => void this.#cutWatchers.delete(callback);
  }

  #state(from: NodeId, to: NodeId): LinkState {
    const name = `${from}>${to}`;
    let state = this.#states.get(name);
    if (state === undefined) {
      state = { passed: 0, dropped: 0, cut: false };
      this.#states.set(name, state);
    }
    return state;
  }
}

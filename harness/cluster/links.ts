import type { Disturbance, Link, NodeId } from '../../nemesis/world.ts';

/** What became of the peer frames of one directed link since the cluster started. */
export interface LinkCounts {
  readonly passed: number;
  /** Discarded because the link was cut. */
  readonly dropped: number;
  /** What a disturbance did. Overtaken: written after a frame that had come later. */
  readonly delayed: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly overtaken: number;
}

/** What a disturbance has in store for one frame. */
interface Fate {
  readonly copies: 0 | 1 | 2;
  readonly delayMs: number;
  /** It waits for longer than those that come after it. */
  readonly overtaken: boolean;
}

type LinkState = { -readonly [name in keyof LinkCounts]: number } & {
  cut: boolean;
  disturbance: Disturbance | undefined;
};

/**
 * The state of every directed link between nodes, shared by all proxies: what is cut or disturbed, and what became of
 * the frames. The counts are the proof that a fault took effect.
 */
export class LinkTable {
  readonly #states = new Map<string, LinkState>();
  readonly #countWatchers = new Set<() => void>();
  readonly #cutWatchers = new Set<() => void>();
  readonly #random: (bound: number) => number;

  /** @param random an integer in [0, bound), for the fates of frames */
  constructor(random: (bound: number) => number) {
    this.#random = random;
  }

  /** Cuts exactly these links, instead of whatever was cut before. */
  cut(links: readonly Link[]): void {
    for (const state of this.#states.values()) state.cut = false;
    for (const { from, to } of links) this.#state(from, to).cut = true;
    for (const watcher of this.#cutWatchers) watcher();
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#state(from, to).cut;
  }

  /** Disturbs exactly these links, instead of whatever was disturbed before. */
  disturb(links: readonly Link[], disturbance: Disturbance): void {
    for (const state of this.#states.values()) state.disturbance = undefined;
    for (const { from, to } of links) this.#state(from, to).disturbance = disturbance;
  }

  /**
   * Draws what becomes of a frame. @param stream it is a part of a stream that is of no use with pieces missing,
   * repeated or out of order: it may only be late
   */
  fate(from: NodeId, to: NodeId, stream: boolean): Fate | undefined {
    const { disturbance } = this.#state(from, to);
    if (disturbance === undefined) return undefined;
    const { delayMs, jitterMs, lossPercent, duplicatePercent, reorderPercent } = disturbance;
    const happens = (percent: number): boolean => !stream && this.#random(100) < percent;
    const copies = happens(lossPercent) ? 0 : happens(duplicatePercent) ? 2 : 1;
    return { copies, delayMs: delayMs + this.#random(jitterMs + 1), overtaken: happens(reorderPercent) };
  }

  counts(from: NodeId, to: NodeId): LinkCounts {
    const { cut: _cut, disturbance: _disturbance, ...counts } = this.#state(from, to);
    return counts;
  }

  /** Counts a frame; whether it may go on. */
  admit(from: NodeId, to: NodeId): boolean {
    const { cut } = this.#state(from, to);
    this.count(from, to, cut ? 'dropped' : 'passed');
    return !cut;
  }

  count(from: NodeId, to: NodeId, what: keyof LinkCounts): void {
    this.#state(from, to)[what]++;
    for (const watcher of this.#countWatchers) watcher();
  }

  /** Looks after every frame that was counted; gives up after a bound. @returns how long it took, in milliseconds */
  until(holds: () => boolean, timeoutMs: number): Promise<number> {
    const startedAt = performance.now();
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#countWatchers.delete(look);
        clearTimeout(timer);
        resolve(performance.now() - startedAt);
      };
      const look = (): void => {
        if (holds()) finish();
      };
      const timer = setTimeout(finish, timeoutMs);
      this.#countWatchers.add(look);
      look();
    });
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
      const counts = { passed: 0, dropped: 0, delayed: 0, lost: 0, duplicated: 0, overtaken: 0 };
      state = { ...counts, cut: false, disturbance: undefined };
      this.#states.set(name, state);
    }
    return state;
  }
}

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
  /** When it has carried what it was given to carry, at the rate that it has. */
  freeAtMs: number;
};

/** Of frames that are late; beyond it the sender is made to wait. */
const waitingBytesMax = 8 * 1024 * 1024;
/** On a slow link: as much as it carries in so long, as what sends into it has a buffer, too. */
const slowWaitingSMax = 2;

/**
 * The state of every directed link between nodes, shared by all proxies: what is cut or disturbed, and what became of
 * the frames. The counts are the proof that a fault took effect.
 */
export class LinkTable {
  readonly #states = new Map<string, LinkState>();
  readonly #countWatchers = new Set<() => void>();
  readonly #cutWatchers = new Set<() => void>();
  readonly #disturbanceWatchers = new Set<() => void>();
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
    for (const state of this.#states.values()) {
      state.disturbance = undefined;
      state.freeAtMs = 0;
    }
    for (const { from, to } of links) this.#state(from, to).disturbance = disturbance;
    for (const watcher of this.#disturbanceWatchers) watcher();
  }

  /** How much may wait for a link to carry it. */
  waitingBytesMax(from: NodeId, to: NodeId): number {
    const { bytesPerS = 0 } = this.#state(from, to).disturbance ?? {};
    return bytesPerS === 0 ? waitingBytesMax : bytesPerS * slowWaitingSMax;
  }

  /**
   * Draws what becomes of a frame of so many bytes. @param stream it is a part of a stream that is of no use with pieces
   * missing, repeated or out of order: it may only be late
   */
  fate(from: NodeId, to: NodeId, stream: boolean, bytes: number): Fate | undefined {
    const state = this.#state(from, to);
    const { disturbance } = state;
    if (disturbance === undefined) return undefined;
    const { delayMs, jitterMs, lossPercent, duplicatePercent, reorderPercent } = disturbance;
    const happens = (percent: number): boolean => !stream && this.#random(100) < percent;
    const copies = happens(lossPercent) ? 0 : happens(duplicatePercent) ? 2 : 1;
    const lateMs = delayMs + this.#random(jitterMs + 1);
    return { copies, delayMs: lateMs + carryMs(state, bytes), overtaken: happens(reorderPercent) };
  }

  counts(from: NodeId, to: NodeId): LinkCounts {
    const { cut: _cut, disturbance: _disturbance, freeAtMs: _freeAtMs, ...counts } = this.#state(from, to);
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

  /** Calls back when links are disturbed otherwise than before, until the returned function is called. */
  watchDisturbances(callback: () => void): () => void {
    this.#disturbanceWatchers.add(callback);
    return () => void this.#disturbanceWatchers.delete(callback);
  }

  #state(from: NodeId, to: NodeId): LinkState {
    const name = `${from}>${to}`;
    let state = this.#states.get(name);
    if (state === undefined) {
      const counts = { passed: 0, dropped: 0, delayed: 0, lost: 0, duplicated: 0, overtaken: 0 };
      state = { ...counts, cut: false, disturbance: undefined, freeAtMs: 0 };
      this.#states.set(name, state);
    }
    return state;
  }
}

/** How long it takes until a link of that rate has carried so many bytes, after all that it was given before. */
function carryMs(state: LinkState, bytes: number): number {
  const { bytesPerS = 0 } = state.disturbance ?? {};
  if (bytesPerS === 0) return 0;
  const now = performance.now();
  state.freeAtMs = Math.max(state.freeAtMs, now) + (bytes * 1000) / bytesPerS;
  return state.freeAtMs - now;
}

import type { Random } from './choice.ts';
import { trueClock } from './clock.ts';
import type { ClockFault, Effect, Link, NodeId, World } from './world.ts';

export const nodesOf = (count: number): readonly NodeId[] => Array.from({ length: count }, (_, at) => String(at + 1));

/** A small generator of its own (mulberry32): what a run is seeded with is not this room's. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

const effectMs = 40;

/** For tests of nemeses: a world of flags, whose time passes from one sleeper's waking to the next's. */
export class FlagWorld implements World {
  readonly nodes: readonly NodeId[];
  readonly random: Random = () => 0;
  readonly down = new Set<NodeId>();
  readonly paused = new Set<NodeId>();
  readonly clocks = new Map<NodeId, ClockFault>();
  links: readonly Link[] = [];
  nowMs = 0;
  readonly #endMs: number;
  readonly #sleepers: { readonly atMs: number; readonly wake: () => void; readonly end: (error: Error) => void }[] = [];

  constructor(nodes: number, endMs: number) {
    this.nodes = nodesOf(nodes);
    this.#endMs = endMs;
  }

  /** Resolves when its time is over. */
  async run(): Promise<void> {
    while (this.nowMs < this.#endMs) {
      // Whoever was woken goes on to its next sleep.
      await new Promise((resolve) => setImmediate(resolve));
      const [first, ...others] = this.#sleepers.sort((a, b) => a.atMs - b.atMs);
      this.nowMs = Math.min(first?.atMs ?? this.#endMs, this.#endMs);
      if (this.nowMs < this.#endMs) this.#sleepers.splice(0, this.#sleepers.length, ...others);
      if (this.nowMs < this.#endMs) first!.wake();
    }
    for (const { end } of this.#sleepers.splice(0)) end(endOfRun());
  }

  async primaries(): Promise<readonly NodeId[]> {
    return this.down.has('1') ? [] : ['1'];
  }

  async cut(links: readonly Link[]): Promise<Effect> {
    const changes = this.links.length + links.length > 0;
    this.links = links;
    return this.effect(changes);
  }

  async start(node: NodeId): Promise<Effect> {
    return this.effect(this.down.delete(node));
  }

  async kill(node: NodeId): Promise<Effect> {
    return this.effect(!this.down.has(node) && this.down.add(node) !== undefined);
  }

  async pause(node: NodeId): Promise<Effect> {
    this.paused.add(node);
    return this.effect(true);
  }

  async resume(node: NodeId): Promise<Effect> {
    return this.effect(this.paused.delete(node));
  }

  async setClock(node: NodeId, fault: ClockFault): Promise<Effect> {
    const bent = this.clocks.has(node);
    if (fault === trueClock) this.clocks.delete(node);
    else this.clocks.set(node, fault);
    return this.effect(bent || fault !== trueClock);
  }

  sleep(ms: number): Promise<void> {
    if (this.nowMs >= this.#endMs) return Promise.reject(endOfRun());
    return new Promise((wake, end) => void this.#sleepers.push({ atMs: this.nowMs + ms, wake, end }));
  }

  isWhole(): boolean {
    return this.links.length + this.down.size + this.paused.size + this.clocks.size === 0;
  }

  /** Doing anything takes a while, too. */
  protected async effect(worked: boolean): Promise<Effect> {
    await this.sleep(effectMs).catch(() => {});
    return { effect: worked ? 'proven' : 'moot', mechanism: 'flags', proof: {} };
  }
}

function endOfRun(): Error {
  return new DOMException('the run has ended', 'AbortError');
}

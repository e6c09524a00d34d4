import type { Origin } from './envelope.ts';

/** Incarnations of one node that are remembered; a duplicate would have to be older than so many restarts to pass. */
const incarnationsMax = 8;

/** As it stands in snapshots: node, and its incarnations with the last sequence of each, the newest last. */
export type ForwardedState = readonly (readonly [node: number, lasts: readonly (readonly [number, number])[]])[];

/**
 * Which forwarded proposals have been applied: replicated state, the same on every node at the same index. Only rising
 * sequences of an incarnation are admitted, so a duplicate is refused, and so is a proposal that was overtaken: its
 * proposer learns from the overtaker that it can never take effect, and can say so for certain.
 */
export class Forwarded {
  #lasts = new Map<number, Map<number, number>>();

  /** @returns false when the proposal must not take effect */
  admit(origin: Origin): boolean {
    let incarnations = this.#lasts.get(origin.node);
    if (incarnations === undefined) {
      incarnations = new Map();
      this.#lasts.set(origin.node, incarnations);
    }
    const last = incarnations.get(origin.incarnation);
    if (last !== undefined && origin.sequence <= last) return false;
    if (last === undefined && incarnations.size === incarnationsMax) {
      const oldest: number = incarnations.keys().next().value!;
      incarnations.delete(oldest);
    }
    incarnations.set(origin.incarnation, origin.sequence);
    return true;
  }

  /** 0 when nothing of the incarnation has been applied. */
  last(node: number, incarnation: number): number {
    return this.#lasts.get(node)?.get(incarnation) ?? 0;
  }

  forget(node: number): void {
    this.#lasts.delete(node);
  }

  toState(): ForwardedState {
    return [...this.#lasts].map(([node, lasts]) => [node, [...lasts]] as const);
  }

  restore(state: ForwardedState): void {
    this.#lasts = new Map(state.map(([node, lasts]) => [node, new Map(lasts)]));
  }
}

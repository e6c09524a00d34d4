import type { Happening, Moment, NodeId } from '../../nemesis/world.ts';

type Facts = { readonly [name: string]: unknown };

/** A record of a node's log that tells of a moment: which, and who has a part in it, by the ids of the store. */
const tellers: { readonly [event: string]: (self: number, facts: Facts) => Told | undefined } = {
  leader: (self, { leader }) => (leader === self ? { moment: 'elected', node: self } : undefined),
  'first-append': (self, { leader, term }) => ({ moment: 'first-append', node: leader, peer: self, term }),
  'snapshot-begun': (self) => ({ moment: 'snapshot-taken', node: self }),
  'snapshot-sending': (self, { to }) => ({ moment: 'snapshot-sent', node: self, peer: to }),
  'snapshot-received': (self, { from }) => ({ moment: 'snapshot-received', node: self, peer: from }),
  'configuration-entered': (self) => ({ moment: 'configuration-entered', node: self }),
};

/** Those that nodes log. */
export const loggedMoments: ReadonlySet<Moment> = new Set([
  'elected',
  'first-append',
  'snapshot-taken',
  'snapshot-sent',
  'snapshot-received',
  'configuration-entered',
]);

/** A moment, and who has a part in it, by the ids of the store. */
export interface Told {
  readonly moment: Moment;
  readonly node: unknown;
  readonly peer?: unknown;
  /** Of a moment that a term has once, when many nodes tell of it: whoever is first. */
  readonly term?: unknown;
}

/** Calls back after that many milliseconds, unless it is cancelled before. */
type Timer = (ms: number, expired: () => void) => { cancel(): void };

interface Waiting {
  readonly moment: Moment;
  readonly came: (happening: Happening) => void;
}

/** Who waits for a moment, and is told of it before anything else happens. */
export class Moments {
  readonly #after: Timer;
  readonly #nodeOf: (id: number) => NodeId | undefined;
  readonly #waiting = new Set<Waiting>();
  /** The newest term of which a moment was told that a term has once. */
  #lastTerm = 0;

  /** @param nodeOf whose id of the store that is */
  constructor(after: Timer, nodeOf: (id: number) => NodeId | undefined) {
    this.#after = after;
    this.#nodeOf = nodeOf;
  }

  /** Takes what a node logs. */
  logged(id: number, event: string, facts: Facts): void {
    const told = tellers[event]?.(id, facts);
    if (told === undefined) return;
    if (typeof told.term === 'number') {
      if (told.term <= this.#lastTerm) return;
      this.#lastTerm = told.term;
    }
    this.came(told);
  }

  isWaitedFor(moment: Moment): boolean {
    for (const waiting of this.#waiting) if (waiting.moment === moment) return true;
    return false;
  }

  /** Takes one that somebody saw. @returns whether anybody waited for it */
  came(told: Told): boolean {
    const node = this.#named(told.node);
    if (node === undefined) return false;
    let isTold = false;
    const peer = this.#named(told.peer);
    for (const waiting of [...this.#waiting]) {
      if (waiting.moment !== told.moment) continue;
      this.#waiting.delete(waiting);
      waiting.came({ node, ...(peer !== undefined && { peer }) });
      isTold = true;
    }
    return isTold;
  }

  /** @returns undefined when there is none in that time */
  next(moment: Moment, withinMs: number): Promise<Happening | undefined> {
    return new Promise((resolve) => {
      const timer = this.#after(withinMs, () => {
        this.#waiting.delete(waiting);
        resolve(undefined);
      });
      const waiting: Waiting = {
        moment,
        came(happening) {
          timer.cancel();
          resolve(happening);
        },
      };
      this.#waiting.add(waiting);
    });
  }

  #named(id: unknown): NodeId | undefined {
    return typeof id === 'number' ? this.#nodeOf(id) : undefined;
  }
}

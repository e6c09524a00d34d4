import type { Clock } from '../ports.ts';
import { type BasicStatus, NONE } from '../raft/index.ts';

/**
 * Reads by lease (Raft thesis, section 6.4.1): who answered a read round refuses its vote to others for an election
 * time-out. Half of that is used: good while no two clocks differ in rate by a factor of two.
 */
export class Lease {
  readonly #clock: Clock;
  /** How long a confirmation is good for. */
  readonly lengthMs: number;
  readonly #startedMs: number;
  /** This node had a log before: it may have promised its vote's lease to a leader. */
  readonly #restarted: boolean;
  #untilMs = 0;
  #term = 0;
  /** In this term leadership was offered to another, who may take it at any time: no leases any more. */
  #offeredTerm = 0;

  constructor(clock: Clock, electionMs: number, restarted: boolean) {
    this.#clock = clock;
    this.lengthMs = electionMs / 2;
    this.#startedMs = clock.monotonicMs();
    this.#restarted = restarted;
  }

  /** May this node answer reads now, asking nobody? */
  holds({ softState, hardState, leadTransferee }: BasicStatus): boolean {
    return (
      softState.role === 'leader' &&
      leadTransferee === NONE &&
      this.#term === hardState.term &&
      this.#offeredTerm !== hardState.term &&
      this.#clock.monotonicMs() < this.#untilMs
    );
  }

  /** A quorum has confirmed a round that began then. */
  renew({ softState, hardState }: BasicStatus, roundStartedMs: number): void {
    if (softState.role !== 'leader') return;
    this.#term = hardState.term;
    this.#untilMs = roundStartedMs + this.lengthMs;
  }

  /** Another was asked to lead. */
  offered(term: number): void {
    this.#offeredTerm = term;
  }

  /**
   * Before its restart this node may have acknowledged a leader who serves reads by that; the core has forgotten it.
   * So it grants no vote until a lease from before the restart has run out.
   */
  mayBeOwed(): boolean {
    return this.#restarted && this.#clock.monotonicMs() - this.#startedMs < this.lengthMs * 2;
  }
}

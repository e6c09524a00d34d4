import { type BasicStatus, type Message, MessageType, NONE } from '../raft/index.ts';
import type { Audit } from './audit.ts';
import type { LogSink } from './core.ts';

/** Tells audit and log who leads, as far as this node knows. */
export class LeaderWatch {
  readonly #id: number;
  readonly #audit: Audit | undefined;
  readonly #log: LogSink;
  #leaderTermAudited = 0;
  /** The last term in which a leader's append came. */
  #appendTerm = 0;
  #lastLeader = NONE;
  /** Changes of leader seen. */
  changes = 0;

  constructor(id: number, audit: Audit | undefined, log: LogSink) {
    this.#id = id;
    this.#audit = audit;
    this.#log = log;
  }

  /** A record of the leadership must be written before anybody can hear from the new leader. */
  notice({ softState, hardState }: BasicStatus): void {
    if (softState.role === 'leader' && this.#leaderTermAudited !== hardState.term) {
      this.#leaderTermAudited = hardState.term;
      this.#audit?.leader(String(this.#id), hardState.term);
      this.#audit?.flush();
    }
    if (softState.leader !== this.#lastLeader) {
      this.#lastLeader = softState.leader;
      if (softState.leader !== NONE) this.changes++;
      this.#log('info', 'leader', { leader: softState.leader, term: hardState.term });
    }
  }

  /** A message has been stepped. @param termNow of this node, since then */
  received({ type, from, term }: Message, termNow: number): void {
    if (type !== MessageType.App || term <= this.#appendTerm || termNow !== term) return;
    this.#appendTerm = term;
    this.#log('info', 'first-append', { leader: from, term });
  }
}

import type { Limits } from './limits.ts';
import { Hasher, SetHash } from './state-hash.ts';

/** A client's session: a retry of its last operation is recognised and gets the same answer (Raft thesis, 6.3). */
export interface Session {
  readonly id: number;
  /** Log index of the last entry that used it. */
  readonly usedIndex: number;
  /** Of the last operation; 0 before the first. */
  readonly sequence: number;
  /** What it answered, encoded. */
  readonly answer: Uint8Array;
  readonly low: number;
  readonly high: number;
}

const SESSION_DOMAIN = 0x53;
/** What a session counts for beside its answer. */
const SESSION_OVERHEAD_BYTES = 32;
const NO_ANSWER = new Uint8Array(0);

/** All open sessions, least recently used first. Bounded; who goes is decided by log index alone. */
export class Sessions {
  readonly hash = new SetHash();
  /** In order of use: whoever is used moves to the end. */
  private readonly byId = new Map<number, Session>();
  private bytes = 0;
  private readonly limits: Limits;
  private readonly hasher = new Hasher();

  constructor(limits: Limits) {
    this.limits = limits;
  }

  get size(): number {
    return this.byId.size;
  }

  get(id: number): Session | undefined {
    return this.byId.get(id);
  }

  /** A new session; or the next state of a present one, which becomes the most recently used. */
  put(id: number, usedIndex: number, sequence: number, answer: Uint8Array = NO_ANSWER): void {
    this.remove(id);
    const hasher = this.hasher;
    hasher.start(SESSION_DOMAIN);
    hasher.number(id);
    hasher.number(usedIndex);
    hasher.number(sequence);
    hasher.bytes(answer);
    hasher.finish();
    this.byId.set(id, { id, usedIndex, sequence, answer, low: hasher.low, high: hasher.high });
    this.hash.add(hasher.low, hasher.high);
    this.bytes += answer.length + SESSION_OVERHEAD_BYTES;
    while (this.byId.size > this.limits.sessionsMax || this.bytes > this.limits.sessionBytesMax) {
      const oldest = this.byId.keys().next().value!;
      // The one in use stays, whatever its size.
      if (oldest === id) return;
      this.remove(oldest);
    }
  }

  /** @returns whether it was there */
  remove(id: number): boolean {
    const session = this.byId.get(id);
    if (session === undefined) return false;
    this.byId.delete(id);
    this.hash.remove(session.low, session.high);
    this.bytes -= session.answer.length + SESSION_OVERHEAD_BYTES;
    return true;
  }

  /** Least recently used first; unmoved by what happens later. */
  copy(): readonly Session[] {
    return [...this.byId.values()];
  }
}

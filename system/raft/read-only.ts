/** A read that waits on the leader. */
export interface PendingRead {
  /** Who asked: this node or a follower. */
  readonly from: number;
  /** The asker's own number for it. */
  readonly request: number;
}

interface ReadRound {
  readonly round: number;
  /** Everything acknowledged before the reads were asked for is at or below this. */
  readonly index: number;
  readonly reads: readonly PendingRead[];
}

/**
 * Reads that wait until a quorum has confirmed that this node still leads (ReadIndex, Raft thesis, section 6.4).
 * Each round is the fresh number of a heartbeat, never the asker's bytes: a late answer to an earlier round with
 * the same bytes would confirm what nobody had asked yet (etcd#20418). An answer to a later heartbeat confirms
 * the earlier rounds too.
 */
export class ReadOnly {
  readonly #rounds: ReadRound[] = [];
  /** Reads that came before the leader committed an entry of its own term. */
  #postponed: PendingRead[] = [];
  #size = 0;

  /** Reads that wait here. */
  get size(): number {
    return this.#size + this.#postponed.length;
  }

  get isOpen(): boolean {
    return this.#rounds.length > 0;
  }

  /** @param round of the heartbeat that is about to be sent for these reads; above all earlier ones */
  begin(round: number, index: number, reads: readonly PendingRead[]): void {
    this.#rounds.push({ round, index, reads });
    this.#size += reads.length;
  }

  postpone(read: PendingRead): void {
    this.#postponed.push(read);
  }

  takePostponed(): readonly PendingRead[] {
    const postponed = this.#postponed;
    this.#postponed = [];
    return postponed;
  }

  /** A quorum has confirmed this round: calls back for each read of it and of the earlier ones, in order. */
  confirm(round: number, answer: (read: PendingRead, index: number) => void): void {
    let confirmed = 0;
    while (confirmed < this.#rounds.length && this.#rounds[confirmed]!.round <= round) confirmed++;
    if (confirmed === 0) return;
    for (const { index, reads } of this.#rounds.splice(0, confirmed)) {
      this.#size -= reads.length;
      for (const read of reads) answer(read, index);
    }
  }

  /** Leadership ended: nobody will answer these. */
  clear(): void {
    this.#rounds.length = 0;
    this.#postponed = [];
    this.#size = 0;
  }
}

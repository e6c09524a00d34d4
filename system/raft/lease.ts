interface Sent {
  readonly round: number;
  readonly tick: number;
}

/**
 * When heartbeats left, in the leader's own ticks. A follower that answers one refuses its vote to others for an
 * election timeout from the moment it got it, which is after the moment it was sent; so a leader whose newest
 * heartbeats were answered by a quorum knows for how long nobody else can lead.
 */
export class HeartbeatTimes {
  readonly #keepTicks: number;
  /** The first round of each of the last ticks. */
  #sent: Sent[] = [];

  /** @param keepTicks how long an answer is of interest */
  constructor(keepTicks: number) {
    this.#keepTicks = keepTicks;
  }

  sent(round: number, tick: number): void {
    if (this.#sent.at(-1)?.tick === tick) return;
    this.#sent.push({ round, tick });
    while (this.#sent[0]!.tick < tick - this.#keepTicks) this.#sent.shift();
  }

  /** The tick at which this round's heartbeat left; never later than it did. Undefined when that is long ago. */
  tickOf(round: number): number | undefined {
    let tick: number | undefined;
    for (const sent of this.#sent) {
      if (sent.round > round) break;
      tick = sent.tick;
    }
    return tick;
  }

  clear(): void {
    this.#sent = [];
  }
}

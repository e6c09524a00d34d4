import type { Clock, Timer } from '../ports.ts';
import type { RawNode } from '../raft/index.ts';
import type { NodeConfig } from './config.ts';

/** A commit is told to followers with the next append, or after this. */
const commitNoticeMs = 5;

/** The node's timers: ticks of the core, and the bound of how long followers wait to hear of a commit. */
export class Ticks {
  readonly #clock: Clock;
  readonly #config: NodeConfig;
  readonly #raw: RawNode;
  /** Called after each. */
  readonly #ticked: () => void;
  #lastMs: number;
  #timer: Timer | undefined;
  #commitNotice: Timer | undefined;

  constructor(clock: Clock, config: NodeConfig, raw: RawNode, ticked: () => void) {
    this.#clock = clock;
    this.#config = config;
    this.#raw = raw;
    this.#ticked = ticked;
    this.#lastMs = clock.monotonicMs();
  }

  start(): void {
    const { tickMs, electionTicks } = this.#config;
    const delayMs = Math.max(1, this.#lastMs + tickMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(delayMs, () => {
      const elapsed = Math.floor((this.#clock.monotonicMs() - this.#lastMs) / tickMs);
      this.#lastMs += elapsed * tickMs;
      // After a pause: enough for every time-out to be noticed, not a tick for each that was missed.
      for (let ticks = Math.min(elapsed, electionTicks); ticks > 0; ticks--) this.#raw.tick();
      this.start();
      this.#ticked();
    });
  }

  /** This node, as leader, has committed up to `index`: followers hear of it in any case, within a bound. */
  committed(index: number): void {
    if (this.#commitNotice !== undefined) return;
    this.#commitNotice = this.#clock.setTimer(commitNoticeMs, () => {
      this.#commitNotice = undefined;
      const { softState, hardState } = this.#raw.basicStatus();
      if (softState.role !== 'leader') return;
      this.#raw.noticeCommit(index);
      if (hardState.commit > index) this.committed(hardState.commit);
      this.#ticked();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#commitNotice?.cancel();
  }
}

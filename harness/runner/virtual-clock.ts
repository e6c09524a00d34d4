import type { RunClock } from './clock.ts';

/** A clock that only tests turn: time passes from one alarm to the next, in no time. */
export class VirtualClock implements RunClock {
  #now = 0;
  #sequence = 0;
  #alarms: { readonly at: number; readonly sequence: number; readonly callback: () => void }[] = [];

  nowNs(): number {
    return this.#now;
  }

  after(delayNs: number, callback: () => void): { cancel(): void } {
    const alarm = { at: this.#now + delayNs, sequence: this.#sequence++, callback };
    this.#alarms.push(alarm);
    return {
      cancel: () => {
        this.#alarms = this.#alarms.filter((other) => other !== alarm);
      },
    };
  }

  /** Runs alarms, the soonest first, until there is none, or not before `endNs`. */
  run(endNs = Number.POSITIVE_INFINITY): void {
    for (;;) {
      this.#alarms.sort((a, b) => a.at - b.at || a.sequence - b.sequence);
      const [next, ...rest] = this.#alarms;
      if (next === undefined || next.at > endNs) return;
      this.#alarms = rest;
      this.#now = next.at;
      next.callback();
    }
  }
}

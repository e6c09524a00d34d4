/**
 * The run's time, given by the world: real, or virtual in a simulation. Nothing in the runner waits by any other
 * means, so that a simulated run never waits for real time.
 */
export interface RunClock {
  /** Integer nanoseconds since the start of the run; never goes back. */
  nowNs(): number;
  /** Calls back once, in a later turn, not before that much of the run's time has passed. */
  after(delayNs: number, callback: () => void): Alarm;
}

export interface Alarm {
  /** After this the callback is never called. Cancelling twice, or after it ran, does nothing. */
  cancel(): void;
}

/** This computer's monotonic clock, from now on. */
export function realClock(): RunClock {
  const origin = process.hrtime.bigint();
  return {
    nowNs: () => Number(process.hrtime.bigint() - origin),
    after(delayNs, callback) {
      // Timers have whole milliseconds and may be early by a fraction of one; a caller looks at the time itself.
      const timer = setTimeout(callback, Math.ceil(delayNs / 1e6));
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

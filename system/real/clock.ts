import type { Clock, Timer } from '../ports.ts';

/**
 * Node's clock. The globals are looked up at each call, never kept: a preload that bends `Date`, `performance` and
 * the timers takes effect here, and nowhere else does `system` ask what time it is.
 */
export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs, callback): Timer {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  endOfTurn(callback) {
    setImmediate(callback);
  },
};

/**
 * Loaded into a node with `--import`, before its own code: puts a bent clock behind `Date`, `performance.now`,
 * `process.hrtime`, `setTimeout` and `setInterval`, and takes faults from the harness (`control.ts`). These are what the
 * real Clock port is made of, and it alone makes timers in a node; `node:timers` and `AbortSignal.timeout` would not
 * be seen here. `SPLITBRAIN_CLOCK` holds the fault that is in force from the start: a machine's clock stays wrong when
 * a process on it is restarted.
 */
import { promisify } from 'node:util';
import type { ClockFault } from '../../../nemesis/world.ts';
import { BentClock, BentTimer } from './bent-clock.ts';
import { takeOrders } from './control.ts';

const environmentVariable = 'SPLITBRAIN_CLOCK';

const realNow = Date.now;
const realPerformanceNow = performance.now.bind(performance);
const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;

const clock = new BentClock({
  wallMs: realNow,
  monotonicMs: realPerformanceNow,
  setTimer(callback, delayMs) {
    const timer = realSetTimeout(callback, Math.ceil(delayMs));
    return { cancel: () => realClearTimeout(timer), ref: () => void timer.ref(), unref: () => void timer.unref() };
  },
});

bendDate();
bendMonotonic();
bendTimers();

const initial = process.env[environmentVariable];
if (initial !== undefined) clock.set(clockFault(JSON.parse(initial)));

takeOrders('clock', (order) => clock.set(clockFault(order)));

/** By hand: a schema library would be loaded by every node of every run. */
function clockFault(parsed: unknown): ClockFault {
  const { wallOffsetMs, wallRate, monotonicRate } = parsed as { readonly [name: string]: unknown };
  if (typeof wallOffsetMs !== 'number' || typeof wallRate !== 'number' || typeof monotonicRate !== 'number') {
    throw new TypeError(`not a clock fault: ${JSON.stringify(parsed)}`);
  }
  return { wallOffsetMs, wallRate, monotonicRate };
}

function bendDate(): void {
  const RealDate = Date;
  const now = (): number => Math.trunc(clock.wallMs());
  RealDate.now = now;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new RealDate(now()).toString(),
  });
  RealDate.prototype.constructor = globalThis.Date;
}

function bendMonotonic(): void {
  Object.defineProperty(performance, 'now', { value: () => clock.monotonicMs(), configurable: true, writable: true });
  const nanoseconds = (): bigint => BigInt(Math.trunc(clock.monotonicMs() * 1e6));
  const hrtime = (since?: readonly [number, number]): [number, number] => {
    const at = nanoseconds() - (since === undefined ? 0n : BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]));
    return [Number(at / 1_000_000_000n), Number(at % 1_000_000_000n)];
  };
  hrtime.bigint = nanoseconds;
  process.hrtime = hrtime;
}

function bendTimers(): void {
  type Callback = (...args: unknown[]) => void;
  const make =
    (repeats: boolean) =>
    (callback: Callback, delayMs?: number, ...args: unknown[]): BentTimer =>
      clock.timer(() => callback(...args), Number(delayMs), repeats).refresh();
  const clear = (timer: unknown): void => {
    if (timer instanceof BentTimer) timer.close();
    else realClearTimeout(timer as NodeJS.Timeout);
  };
  const setBentTimeout = Object.assign(make(false), {
    [promisify.custom]: <T>(delayMs?: number, value?: T) =>
      new Promise((resolve) => void make(false)(() => resolve(value), delayMs)),
  });
  Object.assign(globalThis, {
    setTimeout: setBentTimeout,
    setInterval: make(true),
    clearTimeout: clear,
    clearInterval: clear,
  });
}

import { performance } from 'node:perf_hooks';

/** Simulated code reached past its ports, to something that is not a function of the seed. */
export class Escape extends Error {
  constructor(call: string) {
    super(`escape from the simulation: ${call} was called; use the ports`);
    this.name = 'Escape';
  }
}

/** What gives a different answer each time, by the object that has it. */
const doors: readonly (readonly [owner: object, name: string, shown: string])[] = [
  [Date, 'now', 'Date.now'],
  [Math, 'random', 'Math.random'],
  [performance, 'now', 'performance.now'],
  [process, 'hrtime', 'process.hrtime'],
  [globalThis.crypto, 'getRandomValues', 'crypto.getRandomValues'],
  [globalThis.crypto, 'randomUUID', 'crypto.randomUUID'],
  [globalThis, 'setTimeout', 'setTimeout'],
  [globalThis, 'setInterval', 'setInterval'],
  [globalThis, 'setImmediate', 'setImmediate'],
  [globalThis, 'fetch', 'fetch'],
];

/**
 * Bars the doors that a simulated run must not use while `act` runs: real timers, clocks and random numbers.
 * The first use is remembered and thrown both where it happened and here, so that code which swallows exceptions
 * cannot hide it.
 * @throws Escape naming the call
 */
export async function guarded<T>(act: () => Promise<T>): Promise<T> {
  let first: Escape | undefined;
  const bar = (call: string) => (): never => {
    first ??= new Escape(call);
    throw first;
  };
  const RealDate = Date;
  const restores = doors.map(([owner, name, shown]) => {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, { value: bar(shown), configurable: true, writable: true });
    return () => {
      if (descriptor === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, descriptor);
    };
  });
  // `new Date(ms)` is arithmetic; `new Date()` and `Date()` ask what time it is.
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[]) => (args.length === 0 ? bar('new Date()')() : Reflect.construct(target, args)),
    apply: bar('Date()'),
  });
  try {
    return await act();
  } finally {
    globalThis.Date = RealDate;
    for (const restore of restores) restore();
    // biome-ignore lint/correctness/noUnsafeFinally: an escape outranks whatever else the run came to
    if (first !== undefined) throw first;
  }
}

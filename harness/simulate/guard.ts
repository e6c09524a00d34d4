import { syncBuiltinESMExports } from 'node:module';
import { doors } from './doors.ts';

/** Simulated code reached past its ports, to something that is not a function of the seed. */
export class Escape extends Error {
  constructor(call: string) {
    super(`escape from the simulation: ${call} was called; use the ports`);
    this.name = 'Escape';
  }
}

/**
 * Bars the doors that a simulated run must not use while `act` runs: real timers, clocks, random numbers, files and
 * the like. The first use is remembered and thrown both where it happened and here, so that code which swallows
 * exceptions cannot hide it.
 * @throws Escape naming the call
 */
export async function guarded<T>(act: () => Promise<T>): Promise<T> {
  let first: Escape | undefined;
  const bar = (call: string) => {
    return function barred(): never {
      first ??= new Escape(call);
      throw first;
    };
  };
  const RealDate = Date;
  const restores = doors.map(({ owner, name, shown }) => {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    const value = bar(shown);
    // `process.hrtime.bigint` and its like.
    for (const inner of Object.keys(descriptor?.value ?? {})) {
      Object.defineProperty(value, inner, { value: bar(`${shown}.${inner}`) });
    }
    Object.defineProperty(owner, name, { value, configurable: true, writable: true, enumerable: true });
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
  // Names that modules imported from Node's follow what is exported now.
  syncBuiltinESMExports();
  try {
    return await act();
  } finally {
    globalThis.Date = RealDate;
    for (const restore of restores) restore();
    syncBuiltinESMExports();
    // biome-ignore lint/correctness/noUnsafeFinally: an escape outranks whatever else the run came to
    if (first !== undefined) throw first;
  }
}

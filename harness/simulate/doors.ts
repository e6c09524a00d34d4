import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';

/** A function that answers otherwise each time: the object that has it, its name there, and how a reader knows it. */
export interface Door {
  readonly owner: object;
  readonly name: string;
  readonly shown: string;
}

const require = createRequire(import.meta.url);

const clocks: readonly Door[] = [
  { owner: Date, name: 'now', shown: 'Date.now' },
  { owner: performance, name: 'now', shown: 'performance.now' },
  { owner: process, name: 'hrtime', shown: 'process.hrtime' },
  { owner: process, name: 'uptime', shown: 'process.uptime' },
  { owner: process, name: 'cpuUsage', shown: 'process.cpuUsage' },
  { owner: process, name: 'memoryUsage', shown: 'process.memoryUsage' },
];

const chances: readonly Door[] = [
  { owner: Math, name: 'random', shown: 'Math.random' },
  { owner: globalThis.crypto, name: 'getRandomValues', shown: 'crypto.getRandomValues' },
  { owner: globalThis.crypto, name: 'randomUUID', shown: 'crypto.randomUUID' },
];

/** What comes back when another thread, or the collector, is ready. */
const waits: readonly Door[] = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'fetch', 'MessageChannel', 'BroadcastChannel'].map((name) => ({
    owner: globalThis,
    name,
    shown: name,
  })),
  ...['WeakRef', 'FinalizationRegistry'].map((name) => ({ owner: globalThis, name, shown: name })),
  { owner: AbortSignal, name: 'timeout', shown: 'AbortSignal.timeout' },
];

/** Modules of Node's in which every function is a way out: to files, wires, threads, other processes, time. */
const wholeModules = [
  'child_process',
  'dgram',
  'dns',
  'dns/promises',
  'fs',
  'fs/promises',
  'http',
  'http2',
  'https',
  'net',
  'os',
  'readline',
  'timers',
  'timers/promises',
  'tls',
  'worker_threads',
  'zlib',
];
/** Functions of `node:crypto` that draw, or call back from another thread. */
const cryptoDoors = /^(random|generate|getRandom|checkPrime|pbkdf2|scrypt|hkdf)/;

/** All ways out of a simulation. */
export const doors: readonly Door[] = [
  ...clocks,
  ...chances,
  ...waits,
  ...wholeModules.flatMap((name) => functionsOf(name)),
  ...functionsOf('crypto').filter(({ name }) => cryptoDoors.test(name)),
];

/** What the module exports that can be called, and is no class of errors or the like. */
function functionsOf(module: string): readonly Door[] {
  const owner: unknown = require(`node:${module}`);
  if (typeof owner !== 'object' || owner === null) throw new TypeError(`node:${module} is no module`);
  return Object.entries(Object.getOwnPropertyDescriptors(owner))
    .filter(([, { value, configurable, writable }]) => typeof value === 'function' && (configurable || writable))
    .filter(([name]) => /^[a-z]/.test(name))
    .map(([name]) => ({ owner, name, shown: `${module}.${name}` }));
}

import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setImmediate as breathe, setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { plant } from '../mutants/plant.ts';
import { EventLog } from './event-log.ts';
import { Escape, guarded } from './guard.ts';
import { planFor } from './plan.ts';
import { eventKind, harnessProcess, Scheduler } from './scheduler.ts';
import { simulate } from './simulation.ts';
import { loadSystem, ownSystem } from './system-module.ts';

const run = promisify(execFile);
/** 100 for the whole proof. */
const seeds = Number(process.env.SPLITBRAIN_DETERMINISM_SEEDS ?? 2);
t.setTimeout(60_000 + seeds * 10_000);

const options = { workload: 'register', timeLimitMs: 4000, ratePerS: 60, opTimeoutMs: 2000 };

async function node(args: readonly string[], environment: { readonly [name: string]: string } = {}): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: '', ...environment };
  const { stdout } = await run(process.execPath, args, { env, maxBuffer: 1 << 26 });
  return stdout;
}

t.test(
  'the same seeds give the same events in two processes, whatever their zone, locale and seed of hashes',
  async (t) => {
    const script = fileURLToPath(new URL('./one-seed.js', import.meta.url));
    const args = [script, '1', String(seeds), String(options.timeLimitMs)];
    const [one, other] = await Promise.all([
      node(args, { TZ: 'UTC', LANG: 'C' }),
      node(['--random-seed=7', '--no-opt', ...args], { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8' }),
    ]);
    t.equal(one, other);
    const hashes = one
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[1]);
    t.equal(hashes.length, seeds);
    t.equal(new Set(hashes).size, seeds, 'and different seeds give different events');
  },
);

t.test('an escape that was planted in the system is caught, by name', async (t) => {
  const folder = plant({
    name: 'escape',
    breaks: 'the node asks the real clock',
    source: 'this test',
    seenBy: ['linear'],
    edits: [
      {
        file: 'system/node/leader-watch.ts',
        find: `    if (softState.leader !== this.#lastLeader) {`,
        replace: `    try {
      Date.now();
    } catch {}
    if (softState.leader !== this.#lastLeader) {`,
      },
    ],
  });
  await t.rejects(
    loadSystem(folder).then((system) => simulate(planFor(options, 1), system)),
    {
      name: 'Escape',
      message: /Date\.now/,
    },
  );
});

const escapes: { readonly [call: string]: () => unknown } = {
  'Date.now': () => Date.now(),
  'new Date()': () => new Date(),
  'Math.random': () => Math.random(),
  'performance.now': () => performance.now(),
  'process.hrtime.bigint': () => process.hrtime.bigint(),
  setTimeout: () => setTimeout(() => {}, 0),
  'timers/promises.setTimeout': () => wait(1),
  'timers/promises.setImmediate': () => breathe(),
  'crypto.randomUUID': () => randomUUID(),
  'crypto.randomBytes': () => randomBytes(4),
  'fs.readdirSync': () => readdirSync('.'),
  'fs/promises.readdir': () => readdir('.'),
  'net.connect': () => connect(1),
  'AbortSignal.timeout': () => AbortSignal.timeout(1),
  WeakRef: () => new WeakRef({}),
};

t.test(
  'each way out of a simulation is barred while one is on, whoever swallows the error, and only then',
  async (t) => {
    for (const [call, reach] of Object.entries(escapes)) {
      await t.rejects(
        guarded(async () => {
          try {
            await reach();
          } catch {}
        }),
        new Escape(call),
        call,
      );
    }
    t.equal(await guarded(async () => new Date(0).getTime()), 0, 'arithmetic with dates is none');
    await breathe();
    t.match(randomUUID(), /-/, 'and the names that were imported work again');
  },
);

t.test('what an event puts off to microtasks or ticks happens before the next event', async (t) => {
  const scheduler = new Scheduler(new EventLog());
  const order: string[] = [];
  const event = (name: string, defer: (callback: () => void) => void) =>
    scheduler.schedule(0, eventKind.harness, harnessProcess, () => {
      order.push(name);
      defer(() => order.push(`${name} later`));
    });
  event('microtask', (callback) => queueMicrotask(callback));
  event('tick', (callback) => process.nextTick(callback));
  event('promise', (callback) => void Promise.resolve().then(callback));
  event('last', () => {});
  await scheduler.run(1);
  t.same(order, ['microtask', 'microtask later', 'tick', 'tick later', 'promise', 'promise later', 'last']);
});

t.test('a process and a simulation load the same modules, but for ports and main', async (t) => {
  const process = loadedFrom(join(ownSystem, 'main.js'));
  const simulated = loadedFrom(join(ownSystem, 'node', 'index.js'));
  const only = [...process].filter((file) => !simulated.has(file)).sort();
  t.same(
    [...simulated].filter((file) => !process.has(file)),
    [],
    'a simulation loads nothing that a process does not',
  );
  const allowed = /^(main\.js|real\/.*)$/;
  t.same(
    only.filter((file) => !allowed.test(file)),
    [],
  );
  t.ok(simulated.size > 50, `${simulated.size} modules in common`);
});

/** The modules of the compiled system that are loaded with one, as their import statements say. */
function loadedFrom(entry: string, seen = new Set<string>()): ReadonlySet<string> {
  const name = entry.slice(ownSystem.length + 1);
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const [, path = ''] of readFileSync(entry, 'utf8').matchAll(/(?:from|import\()\s*['"](\.[^'"]+)['"]/g)) {
    loadedFrom(join(entry, '..', path), seen);
  }
  return seen;
}

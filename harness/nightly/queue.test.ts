import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { codeVersion } from '../simulate/code-version.ts';
import { parseConfig } from './config.ts';
import type { Job } from './job.ts';
import { queueHands } from './queue-hands.ts';
import { Verbs } from './verbs.ts';

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const { NODE_OPTIONS: _, ...environment } = process.env;

function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version']);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A process of the test's own, with its output line by line; it is gone when the test is over. */
function start(t: Test, command: string, words: readonly string[]) {
  const child = spawn(command, words, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      for (const look of waiting) look();
    });
  }
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
  });
  const says = (pattern: RegExp) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!pattern.test(said)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { child, says, said: () => said };
}

const job = (number: number, timeLimitMs: number): Job => ({
  type: 'sim',
  id: `job-${number}`,
  cell: 'sim/register/none',
  workload: 'register',
  faults: [],
  seed: number,
  seeds: 1,
  timeLimitMs,
  mutant: null,
});

t.test(
  'a worker that dies loses no job, and none counts twice',
  { timeout: 120_000, skip: hasRedis() ? false : 'no redis-server' },
  async (t) => {
    const port = await freePort();
    const redis = start(t, 'redis-server', [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      t.testdir(),
    ]);
    await redis.says(/Ready to accept connections/);
    const url = `redis://127.0.0.1:${port}`;
    const verbs = await Verbs.start();
    const folder = t.testdir();
    const config = parseConfig('budget: 1m\nsim: { workloads: [register] }\nworkers: 4', '');
    const controller = new AbortController();
    const hands = await queueHands({
      url,
      night: 'n',
      code: codeVersion(),
      config,
      verbs,
      runsRoot: join(folder, 'night'),
      signal: controller.signal,
    });
    t.teardown(async () => {
      controller.abort();
      await hands.close();
      await verbs.close();
    });
    const worker = (name: string) =>
      start(t, process.execPath, [program, 'worker', '--queue', url, '--results', join(folder, name)]);
    const first = worker('first');
    const results = [1, 2, 3].map((number) => hands.perform(job(number, 10_000)));
    await first.says(/job-1/);
    first.child.kill('SIGKILL');
    const second = worker('second');
    for (const result of await Promise.all(results))
      t.match(result, { valid: 1, invalid: 0, unknown: 0, trouble: null });
    const done = (name: string) => second.said().match(new RegExp(`^${name}  1 valid`, 'gm'))?.length;
    t.same(['job-1', 'job-2', 'job-3'].map(done), [1, 1, 1], 'the second did all of them, once each');
    t.match(await hands.perform(job(1, 10_000)), { id: 'job-1', valid: 1 }, 'asked for again, it is known already');
    t.equal(done('job-1'), 1);
  },
);

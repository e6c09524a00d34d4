import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import t from 'tap';
import { exitCodes } from './exit.ts';

const main = join(import.meta.dirname, 'main.js');
/** tap adds itself to children through NODE_OPTIONS. */
const env = { NODE_OPTIONS: '' };
const leftBehindMaxMs = 5000;
const reachedMaxMs = 60_000;

function start(results: string, ...more: readonly string[]) {
  const words = ['test', '--nodes', '3', '--nemesis-interval', '1s', '--results', results, ...more];
  return execa('node', [main, ...words], { reject: false, env, timeout: 120_000 });
}

/** Processes that name the folder on their command line: nodes, the reaper. */
function processesOf(results: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(results));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function until(holds: () => boolean, maxMs: number): Promise<boolean> {
  const end = Date.now() + maxMs;
  while (!holds()) {
    if (Date.now() > end) return false;
    await sleep(50);
  }
  return true;
}

/** Waits for the middle of a pause, after something was written and read. */
function pausedAtWork(results: string): Promise<boolean> {
  const path = join(results, 'latest', 'history.ndjson');
  return until(() => {
    const history = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const worked = /"type":"ok","f":"write"/.test(history) && /"type":"ok","f":"read"/.test(history);
    return worked && history.lastIndexOf('pause-start') > history.lastIndexOf('pause-end');
  }, reachedMaxMs);
}

t.test('real processes, faults, a verdict', async (t) => {
  const results = t.testdir();
  const { exitCode, stdout } = await start(results, '--time-limit', '10', '--nemesis', 'pause,kill', '--json');
  const { valid, sections } = JSON.parse(stdout) as { valid: unknown; sections: Record<string, { valid: unknown }> };
  t.equal(valid, true, stdout);
  t.equal(exitCode, exitCodes.valid);
  t.same(Object.keys(sections).sort(), [
    'crash',
    'election',
    'faults',
    'hash',
    'linear',
    'liveness',
    'log',
    'operations',
  ]);
  t.same(processesOf(results), []);
  const again = await execa('node', [main, 'check', 'latest', '--results', results, '--json'], { reject: false, env });
  const rejudged = JSON.parse(again.stdout) as { sections: unknown };
  t.match(rejudged.sections, sections, 'judged again from the folder: the same');
});

t.test('Ctrl-C in the middle of a pause: healed, ended, checked, nothing left', async (t) => {
  const results = t.testdir();
  const child = start(results, '--nemesis', 'pause', '--time-limit', '60');
  t.ok(await pausedAtWork(results));
  child.kill('SIGINT');
  const { exitCode, stdout } = await child;
  t.equal(exitCode, exitCodes.unknown, stdout);
  t.match(stdout, /liveness +unknown/);
  t.match(stdout, /log +valid/);
  t.same(processesOf(results), []);
});

t.test('Ctrl-C twice stops at once, and leaves nothing either', async (t) => {
  const results = t.testdir();
  const child = start(results, '--nemesis', 'pause', '--time-limit', '60');
  t.ok(await pausedAtWork(results));
  child.kill('SIGINT');
  await sleep(10);
  child.kill('SIGINT');
  const { exitCode } = await child;
  t.equal(exitCode, exitCodes.failed);
  t.ok(await until(() => processesOf(results).length === 0, leftBehindMaxMs), 'the reaper ends what is left');
});

t.test('SIGKILL in the middle of a pause leaves nothing, and what was recorded can be checked', async (t) => {
  const results = t.testdir();
  const child = start(results, '--nemesis', 'pause', '--time-limit', '60');
  t.ok(await pausedAtWork(results));
  child.kill('SIGKILL');
  await child;
  t.ok(await until(() => processesOf(results).length === 0, leftBehindMaxMs));
  const { exitCode, stdout } = await execa('node', [main, 'check', 'latest', '--results', results], {
    reject: false,
    env,
  });
  t.equal(exitCode, exitCodes.unknown, stdout);
  t.match(stdout, /linear +valid/);
  t.match(stdout, /log +valid/);
});

t.test('a taken port is one line and exit code 255', async (t) => {
  const results = t.testdir();
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  t.teardown(() => server.close());
  const { exitCode, stderr } = await start(results, '--port', String(port - 1));
  t.equal(exitCode, exitCodes.failed);
  const told = stderr.split('\n').filter((line) => line.startsWith('splitbrain: '));
  t.equal(told.length, 1);
  t.match(told[0], new RegExp(`port ${port} .*is not free`));
  t.same(processesOf(results), []);
});

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { exitCodes } from './exit.ts';

t.setTimeout(180_000);

const main = join(import.meta.dirname, 'main.js');

async function splitbrain(...words: readonly string[]) {
  const env = { NODE_OPTIONS: '', NO_COLOR: '', SPLITBRAIN_DEBUG: '' };
  const { exitCode, stdout, stderr } = await execa('node', [main, ...words], { reject: false, env, timeout: 150_000 });
  return { exitCode, stdout: String(stdout), stderr: String(stderr) };
}

/** A copy of a run folder in which `test.json` says something else. */
function edited(from: string, to: string, edit: (test: Record<string, unknown>) => unknown): string {
  cpSync(from, to, { recursive: true });
  const path = join(to, 'test.json');
  writeFileSync(path, JSON.stringify(edit(JSON.parse(readFileSync(path, 'utf8')))));
  return to;
}

t.test('a failure of a planted bug', async (t) => {
  const results = t.testdir();
  const short = ['--run-time', '8s', '--workers', '1', '--results', results];
  const { stdout, exitCode } = await splitbrain(
    'sim',
    '--mutant',
    'serve-during-replay',
    '--seeds',
    '20',
    '--json',
    ...short,
  );
  t.equal(exitCode, exitCodes.invalid);
  const { folders } = JSON.parse(stdout.split('\n').at(-1) ?? '');
  const folder = String(folders[0]);
  const { nemesis } = JSON.parse(readFileSync(join(folder, 'test.json'), 'utf8')).options;

  /** As `test` writes it: no plan, no hash. */
  const asReal = (name: string, mutant: string | null) =>
    edited(folder, join(results, name), (test) => ({
      ...test,
      world: 'real',
      options: { target: 'kvstore', nemesis: [...nemesis, 'starve-cpu'], mutant },
    }));

  t.test('of real processes is carried into the simulator', async (t) => {
    const like = asReal('real', 'serve-during-replay');
    const found = await splitbrain('sim', '--like', like, '--seed', '100', '--seeds', '40', ...short);
    t.equal(found.exitCode, exitCodes.invalid, found.stderr);
    t.match(found.stderr, /left out: starve-cpu/);
    t.match(found.stdout, /linear:nonlinearizable.* came in 1 of \d+ seeds/);
    const kept = /run +(\S+)/.exec(found.stdout)?.[1] ?? '';
    const { options } = JSON.parse(readFileSync(join(kept, 'test.json'), 'utf8'));
    t.match(options, { mutant: 'serve-during-replay', nemesis });
  });

  t.test('is looked for in vain in a system without the bug', async (t) => {
    const { exitCode, stdout } = await splitbrain(
      'sim',
      '--like',
      asReal('mended', null),
      '--nemesis',
      'kill',
      '--seeds',
      '2',
      ...short,
    );
    t.equal(exitCode, exitCodes.valid);
    t.match(stdout, /came in 0 of 2 seeds/);
  });

  t.test('is found in no run in which nothing went wrong, or of another store', async (t) => {
    const etcd = edited(folder, join(results, 'etcd'), (test) => ({ ...test, options: { target: 'etcd' } }));
    t.match(await splitbrain('sim', '--like', etcd), { exitCode: exitCodes.usage, stderr: /a run of etcd/ });
    const valid = edited(folder, join(results, 'valid'), (test) => test);
    writeFileSync(join(valid, 'results.json'), '{"valid":true,"sections":{}}');
    t.match(await splitbrain('sim', '--like', valid), { exitCode: exitCodes.usage, stderr: /nothing went wrong/ });
  });

  t.test('is the same when replayed, and one line says when it is not', async (t) => {
    const same = await splitbrain('replay', folder);
    t.match(same, {
      exitCode: exitCodes.valid,
      stderr: '',
      stdout: /^identical {2}event hash [0-9a-f]{16}\n.*INVALID/,
    });
    const other = edited(folder, join(results, 'other'), (test) => ({
      ...test,
      options: { ...(test.options as object), eventHash: '0123456789abcdef' },
    }));
    const { exitCode, stdout, stderr } = await splitbrain('replay', other);
    t.equal(exitCode, exitCodes.invalid);
    t.match(
      stdout,
      /^DIFFERENT {2}event hash 0123456789abcdef then, [0-9a-f]{16} now \(INVALID: .*\): the code is that/,
    );
    t.notMatch(stdout, /\n./);
    t.equal(stderr, '');
    const often = await splitbrain('replay', folder, '-n', '3');
    t.match(often, { exitCode: exitCodes.usage, stderr: /a simulated one is always the same/ });
  });
});

t.test('a broken invariant stops the run, or is put on record and the run goes on to its end', async (t) => {
  const results = t.testdir();
  // Not one after which nodes refuse each other's appends for ever: such a run is given up.
  const bug = ['--mutant', 'rollback-on-step-down', '--nemesis', 'partition'];
  const words = ['sim', ...bug, '--seed', '2', '--seeds', '10', '--json'];
  const rest = ['--run-time', '8s', '--workers', '1', '--results', results];
  const runOf = async (...more: readonly string[]) => {
    const { stdout } = await splitbrain(...words, ...rest, ...more);
    return String(JSON.parse(stdout.split('\n').at(-1) ?? '').folders[0]);
  };
  const stopped = await runOf();
  const recorded = await runOf('--on-violation', 'record');
  const stepsOf = (run: string) => readFileSync(join(run, 'steps.ndjson'), 'utf8').trim().split('\n');
  const isWhole = (run: string) => readFileSync(join(run, 'history.ndjson'), 'utf8').includes('"value":"final"');
  t.equal(stepsOf(stopped).length, 1);
  t.notOk(isWhole(stopped));
  t.ok(isWhole(recorded));
  t.same(stepsOf(recorded)[0], stepsOf(stopped)[0], 'the same comes first');
  t.equal((await splitbrain('check', recorded)).exitCode, exitCodes.invalid);
});

t.test('Ctrl-C begins no further seed; what was not simulated is not called valid', async (t) => {
  const words = ['sim', '--seeds', '10000', '--run-time', '2s', '--workers', '1', '--json', '--results', t.testdir()];
  const child = execa('node', [main, ...words], { reject: false, timeout: 150_000 });
  child.stdout.once('data', () => child.kill('SIGINT'));
  const { exitCode, stdout, stderr } = await child;
  t.match(stderr, /interrupted: beginning no further seed/);
  t.equal(exitCode, exitCodes.unknown);
  t.match(JSON.parse(stdout.split('\n').at(-1) ?? ''), { invalid: 0, unknown: 0 });
});

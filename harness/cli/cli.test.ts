import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa, type Options } from 'execa';
import t, { type Test } from 'tap';
import { readResults } from '../../results/store/read.ts';
import { exitCodes, explain } from './exit.ts';
import { splitbrain as inProcess } from './splitbrain.ts';

const main = join(import.meta.dirname, 'main.js');

/** tap adds itself to children through NODE_OPTIONS. */
const clean = { NODE_OPTIONS: '', NO_COLOR: '', SPLITBRAIN_DEBUG: '' };

async function splitbrain(words: readonly string[], options: Options = {}) {
  const { exitCode, stdout, stderr } = await execa('node', [main, ...words], {
    reject: false,
    env: clean,
    timeout: 60_000,
    ...options,
  });
  return { exitCode, stdout: String(stdout), stderr: String(stderr) };
}

/** A short run against memory; gives its folder. */
async function shortRun(results: string): Promise<string> {
  const words = ['test', '--target', 'memory', '--time-limit', '1', '--seed', '7', '--json', '--results', results];
  const { stdout } = await splitbrain(words);
  return (JSON.parse(stdout) as { folder: string }).folder;
}

/** What main would say, its exit code, and what was printed before. */
async function mistakeOf(t: Test, words: readonly string[]) {
  const outputs = [t.capture(console, 'log'), t.capture(console, 'error')];
  const error = await inProcess(words).catch((error: unknown) => error);
  for (const { restore } of outputs) restore();
  return { ...explain(error), printed: outputs.flatMap((output) => output.args().flat()).join('\n') };
}

t.test('a mistake gets one clear line and exit code 254', async (t) => {
  const results = t.testdir();
  const before = process.cwd();
  t.teardown(() => process.chdir(before));
  process.chdir(results);
  const table: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /say what to do/],
    [['frobnicate'], /Unknown argument: frobnicate/],
    [['test', '--bogus', '1'], /Unknown argument: bogus/],
    [['test', 'extra'], /Unknown argument: extra/],
    [['test', '--nodes', 'five'], /--nodes five: must be a whole number from 1 to/],
    [['test', '--nodes', '0'], /--nodes 0: /],
    [['test', '--nodes'], /Not enough arguments following: nodes/],
    [['test', '--seed', '1e3'], /--seed 1e3: /],
    [['test', '--seed', '1', '--seed', '2'], /--seed was given 2 times/],
    [['test', '--time-limit', '5y'], /--time-limit 5y: must be a time/],
    [['test', '--rate', '-1'], /--rate -1: /],
    [['test', '--concurrency', '3m'], /--concurrency 3m: /],
    [['test', '--workload', 'nope'], /--workload nope: there is no such workload; known: register/],
    [['test', '--nemesis', 'kill,rain'], /--nemesis rain: there is no such nemesis; known: partition/],
    [['test', '--target', 'nope'], /--target nope: there is no such target; known: kvstore/],
    [['test', '--target', 'memory', '--nemesis', 'kill'], /memory has nothing to break/],
    [['check', 'nowhere'], /no run "nowhere"/],
    [['check', 'nowhere', '--model', 'nope'], /--model nope: there is no such model; known: register/],
    [['check', main, '--model', 'list-append', '--consistency-model', 'x'], /no consistency model "x"; known are 1SR/],
    [['shrink', 'nowhere', '--model', 'kv'], /--model is for history files/],
    [['shrink', main, '--workers', '2'], /--workers is for runs/],
    [['shrink', '-'], /--out FILE says where/],
    [['report', 'nowhere'], /no run "nowhere"/],
  ];
  for (const [words, told] of table) {
    const name = words.join(' ') || 'nothing at all';
    const { line, code, printed } = await mistakeOf(t, words);
    t.equal(code, exitCodes.usage, name);
    t.match(line, told, name);
    t.notMatch(line, '\n', `${name}: one line`);
    t.equal(printed, '', name);
  }
  // How the process ends is the same for all: one of each way that a mistake is found.
  const found = [['frobnicate'], ['test', '--nodes'], ['test', '--nodes', '0'], ['check', 'nowhere']];
  for (const [words, told] of table.filter(([words]) => found.some((some) => some.join() === words.join()))) {
    const { exitCode, stdout, stderr } = await splitbrain(words, { cwd: results });
    const name = `${words.join(' ')}, as a process`;
    t.equal(exitCode, exitCodes.usage, name);
    t.match(stderr, told, name);
    t.equal(stderr.split('\n').length, 1, `${name}: one line`);
    t.equal(stdout, '', name);
  }
  t.notOk(existsSync(join(results, 'results')), 'nothing was written');
});

t.test('a history with a broken line names the file and the line', async (t) => {
  const dir = t.testdir({
    'broken.ndjson':
      '{"process":0,"type":"invoke","f":"read"}\n{"process":0,"type":\n{"process":0,"type":"ok","f":"read"}\n',
    'cut.ndjson': '{"process":0,"type":"invoke","f":"read"}\n{"process":0,"type":"ok","f":"read","value":null}\n{"proc',
  });
  const broken = await splitbrain(['check', 'broken.ndjson'], { cwd: dir });
  t.equal(broken.exitCode, exitCodes.usage);
  t.match(broken.stderr, /^splitbrain: broken\.ndjson: line 2: /);
  t.equal(broken.stderr.split('\n').length, 1);
  const cut = await splitbrain(['check', 'cut.ndjson'], { cwd: dir });
  t.match(cut.stderr, /cut\.ndjson: .*last line/, 'a cut last line is dropped with a warning');
  t.equal(cut.exitCode, exitCodes.valid);
  const standardInput = await splitbrain(['check', '-'], { cwd: dir, inputFile: join(dir, 'broken.ndjson') });
  t.match(standardInput.stderr, /^splitbrain: -: line 2: /, 'also from standard input');
});

t.test('a history is made small, and judged from the smaller file', async (t) => {
  const write = (process: number, value: number) =>
    ['invoke', 'ok'].map((type) => JSON.stringify({ process, type, f: 'write', value }));
  const read = (process: number, value: number) => [
    JSON.stringify({ process, type: 'invoke', f: 'read', value: null }),
    JSON.stringify({ process, type: 'ok', f: 'read', value }),
  ];
  const stale = [...write(0, 1), ...write(0, 3), ...read(1, 3), ...write(0, 2), ...read(1, 1)];
  const dir = t.testdir({ 'stale.ndjson': `${stale.join('\n')}\n`, 'fine.ndjson': `${write(0, 1).join('\n')}\n` });
  const shrunk = await splitbrain(['shrink', 'stale.ndjson', '--model', 'register', '--json'], { cwd: dir });
  t.equal(shrunk.exitCode, exitCodes.valid);
  t.match(JSON.parse(shrunk.stdout), { wanted: 'linear:nonlinearizable', from: 5, to: 3, file: 'stale.shrunk.ndjson' });
  const { again } = JSON.parse(shrunk.stdout) as { again: readonly string[] };
  const checked = await splitbrain(again.slice(2), { cwd: dir });
  t.equal(checked.exitCode, exitCodes.invalid, 'the command that is printed shows the anomaly');
  const out = await splitbrain(['shrink', '-', '--model', 'register', '--out', 'x'], {
    cwd: dir,
    inputFile: join(dir, 'stale.ndjson'),
  });
  t.match(out.stdout, /operations 5 -> 3\n.*history x\n/s);
  t.equal(readFileSync(join(dir, 'x'), 'utf8').split('\n').length, 7);
  const fine = await splitbrain(['shrink', 'fine.ndjson', '--model', 'register'], { cwd: dir });
  t.equal(fine.exitCode, exitCodes.usage);
  t.match(fine.stderr, /fine\.ndjson: as register it shows no anomaly that could be shrunk/);
  const other = await splitbrain(['shrink', 'stale.ndjson', '--model', 'register', '--anomaly', 'linear:x'], {
    cwd: dir,
  });
  t.match(other.stderr, /--anomaly linear:x: the history shows linear:nonlinearizable/);
});

t.test('a history of another tool is judged as any model', async (t) => {
  const dir = t.testdir({
    // Each of two transactions reads what the other is about to write.
    'skew.ndjson': [
      '{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1]]}',
      '{"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["append","x",1]]}',
      '{"process":0,"type":"ok","f":"txn","value":[["r","x",[]],["append","y",1]]}',
      '{"process":1,"type":"ok","f":"txn","value":[["r","y",[]],["append","x",1]]}',
      '{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["r","y",null]]}',
      '{"process":0,"type":"ok","f":"txn","value":[["r","x",[1]],["r","y",[1]]]}',
    ].join('\n'),
    'bank.json':
      '[{"process":0,"type":"invoke","f":"read"},{"process":0,"type":"ok","f":"read","value":{"a":-1,"b":11}}]',
    'set.edn': [
      '{:process 0, :type :invoke, :f :add, :value 1}',
      '{:process 0, :type :ok, :f :add, :value 1}',
      '{:process 0, :type :invoke, :f :read}',
      '{:process 0, :type :ok, :f :read, :value []}',
    ].join('\n'),
  });
  const check = (...words: readonly string[]) => splitbrain(['check', ...words], { cwd: dir });
  const skew = await check('skew.ndjson', '--model', 'list-append', '--consistency-model', 'serializable');
  t.equal(skew.exitCode, exitCodes.invalid);
  t.match(
    skew.stdout,
    /T1 < T2, because T1 read key x as \[\], without T2's append of 1/,
    'the cycle, with its reasons',
  );
  t.match(skew.stdout, /\nanomaly types +G2-item\nnot +repeatable-read\nalso not +serializable, /);
  const si = await check(
    'skew.ndjson',
    '--model',
    'list-append',
    '--consistency-models',
    'snapshot-isolation',
    '--json',
  );
  t.equal(si.exitCode, exitCodes.valid);
  t.match(JSON.parse(si.stdout), {
    valid: true,
    sections: { txn: { details: { consistencyModels: ['snapshot-isolation'], anomalyTypes: [] } } },
  });
  t.equal((await check('bank.json', '--model', 'bank')).exitCode, exitCodes.invalid);
  const overdrawn = ['--model', 'bank', '--allow-negative-balances', '--total-amount', '10', '--accounts', 'a,b'];
  t.equal((await check('bank.json', ...overdrawn)).exitCode, exitCodes.valid);
  t.match((await check('set.edn', '--model', 'set-full')).stdout, /lost-element: 1, added by operation 0/);

  const reported = await splitbrain(['report', 'skew.ndjson', '--model', 'list-append'], { cwd: dir });
  t.equal(reported.exitCode, exitCodes.invalid);
  t.match(reported.stdout, /results\/runs\/skew\/.*report\.html$/);
  const latest = join(dir, 'results/runs/latest');
  t.match(readFileSync(join(latest, 'anomaly.txt'), 'utf8'), /T1 < T2, because T1 read key x as \[\]/);
  const kept = readFileSync(join(latest, 'results.json'), 'utf8');
  t.equal((await check('skew')).exitCode, exitCodes.invalid);
  t.same(JSON.parse(readFileSync(join(latest, 'results.json'), 'utf8')), JSON.parse(kept), 'judged again, the same');
});

t.test('a run is judged, written down, and judged again from its folder', async (t) => {
  const results = t.testdir();
  const words = ['test', '--target', 'memory', '--time-limit', '1', '--seed', '7', '--results', results];
  const { exitCode, stdout, stderr } = await splitbrain(words);
  t.equal(exitCode, exitCodes.valid);
  t.match(stdout, /^valid {2}register on 5 nodes of memory, seed 7\n/);
  t.match(stdout, /\n {2}linear +valid +linearizable: /);
  t.match(stdout, /again +node .*main\.js test --target memory --time-limit 1 .*--seed 7/);
  t.match(stderr, /operations/, 'progress goes to standard error');
  t.notMatch(stdout + stderr, '\u001b[', 'no colours where there is no terminal');
  const report = /report +(.*)/.exec(stdout)?.[1] ?? '';
  t.match(readFileSync(report, 'utf8'), /^<!doctype html>/i);

  const latest = join(results, 'latest');
  t.match(JSON.parse(readFileSync(join(latest, 'test.json'), 'utf8')), {
    name: 'register',
    seed: 7,
    world: 'real',
    workload: 'register',
    options: { target: 'memory', workload: 'register', nodes: 5, concurrency: 10, rate: 300, seed: 7 },
    versions: { node: process.versions.node, splitbrain: /^\d/ },
  });
  const first = readResults(latest);
  const again = await splitbrain(['check', 'register', '--results', results, '--json']);
  t.equal(again.exitCode, exitCodes.valid);
  t.match(JSON.parse(again.stdout), first, 'with the same answer');
});

t.test('the verdict decides the exit code', async (t) => {
  const folder = await shortRun(t.testdir());
  const history = join(folder, 'history.ndjson');
  const lines = readFileSync(history, 'utf8').trimEnd().split('\n');
  const reads = lines.map((line) => JSON.parse(line)).filter(({ type, f }) => type === 'ok' && f === 'read');
  const stale = reads.at(-1);
  const changed = lines.map((line) =>
    JSON.parse(line).index === stale.index ? JSON.stringify({ ...stale, value: 999_999 }) : line,
  );
  writeFileSync(history, `${changed.join('\n')}\n`);
  const invalid = await splitbrain(['check', folder]);
  t.equal(invalid.exitCode, exitCodes.invalid, 'a value that nobody wrote');
  t.match(invalid.stdout, /^INVALID.*nonlinearizable on key "r\d+": /s);

  writeFileSync(history, '');
  const unknown = await splitbrain(['check', folder]);
  t.equal(unknown.exitCode, exitCodes.unknown, 'nothing was read');

  writeFileSync(history, `${lines.slice(0, 3).join('\n')}\n{broken\n${lines[3]}\n`);
  const broken = await splitbrain(['check', folder]);
  t.equal(broken.exitCode, exitCodes.usage);
  t.match(broken.stderr, /history\.ndjson: line 4: not a JSON object/);
});

t.test('killed in the middle, what was recorded is there and can be checked', async (t) => {
  const results = t.testdir();
  const words = ['test', '--target', 'memory', '--time-limit', '60', '--results', results];
  const child = execa('node', [main, ...words], { reject: false, env: clean });
  const history = join(results, 'latest', 'history.ndjson');
  const linesSoFar = () => (existsSync(history) ? readFileSync(history, 'utf8').split('\n').length : 0);
  while (linesSoFar() < 300) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGKILL');
  await child;
  const { exitCode, stdout } = await splitbrain(['check', 'latest', '--results', results]);
  t.match(stdout, /linear +valid/);
  t.equal(exitCode, exitCodes.unknown, 'but nobody saw whether it would have come together again');
  t.match(stdout, /liveness +unknown/);
});

t.test('Ctrl-C ends the operations, and what was recorded is checked', async (t) => {
  const results = t.testdir();
  const words = ['test', '--target', 'memory', '--time-limit', '60', '--results', results];
  const child = execa('node', [main, ...words], { reject: false, env: clean, timeout: 30_000 });
  const history = join(results, 'latest', 'history.ndjson');
  while (!existsSync(history) || readFileSync(history).length < 10_000) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGINT');
  const { exitCode, stdout, stderr } = await child;
  t.match(stderr, /interrupted: healing/);
  t.equal(exitCode, exitCodes.unknown);
  t.match(stdout, /linear +valid/);
  t.match(stdout, /liveness +unknown/);
});

/** util-linux, where an ordinary user may mount in a namespace of its own. */
const privateMounts = 'unshare';

t.test('a full disk is one line and exit code 255', async (t) => {
  const results = t.testdir();
  mkdirSync(join(results, 'small'));
  const script = `mount -t tmpfs -o size=64k none ${results}/small && exec node ${main} test --target memory --time-limit 20 --results ${results}/small`;
  const inside = ['-rm', 'sh', '-c', script];
  const { exitCode, stderr } = await execa(privateMounts, inside, { reject: false, env: clean });
  if (/unshare: |mount: /.test(String(stderr))) return t.comment(`skipped: ${String(stderr)}`);
  t.equal(exitCode, exitCodes.failed);
  const told = String(stderr)
    .split('\n')
    .filter((line) => line.startsWith('splitbrain: '));
  t.match(told, [/^splitbrain: no space left on the device: /]);
  t.notMatch(String(stderr), / {4}at /, 'no stack trace');
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { chooseMechanisms } from '../cluster/mechanisms.ts';
import { processStat } from '../cluster/proc.ts';
import { signalTree, treeOf } from './process-tree.ts';
import { ProcessWorld } from './process-world.ts';
import { findProgram, ProgramMissing } from './program.ts';
import type { SetUp } from './target.ts';
import { loadTarget, TargetModuleError } from './user-module.ts';

const main = join(import.meta.dirname, '../cli/main.js');
const example = 'harness/target/example/target.ts';

interface Verdict {
  readonly valid: unknown;
  readonly sections: { readonly [name: string]: { readonly valid: unknown; readonly summary: string } };
  readonly folder: string;
}

/** A short run; undefined, with a line, where the store is not on this machine. */
async function run(t: Test, ...words: readonly string[]): Promise<Verdict | undefined> {
  const all = [main, 'test', ...words, '--seed', '5', '--json', '--results', t.testdirName];
  const { stdout, stderr } = await execa('node', all, { reject: false, env: { NODE_OPTIONS: '' }, timeout: 120_000 });
  if (/is not on this machine/.test(stderr)) {
    t.comment(`skipped: ${stderr}`);
    return undefined;
  }
  t.match(stdout, /^\{/, 'it came to a verdict', { stderr });
  return JSON.parse(stdout) as Verdict;
}

/** What a failed assertion should tell: the report of a test runner cuts long values off. */
function trouble(verdict: Verdict | undefined): { readonly [section: string]: string } {
  const sections = Object.entries(verdict?.sections ?? {}).filter(([, { valid }]) => valid !== true);
  return Object.fromEntries(sections.map(([name, { valid, summary }]) => [name, `${valid}: ${summary}`]));
}

t.test('a module of the user is a target', async (t) => {
  t.testdir();
  const faults = ['--nemesis', 'kill,pause', '--nemesis-interval', '1s', '--time-limit', '6'];
  const good = await run(t, '--target', example, ...faults);
  t.equal(good?.valid, true, 'which is valid', trouble(good));
  t.match(good?.sections.crash?.summary, /no node ended by itself/);
  t.match(good?.sections.faults?.summary, /[1-9] kill, [1-9] pause/);
  const stale = await run(
    t,
    '--target',
    example,
    '--target-options',
    'cache=yes',
    '--time-limit',
    '4',
    '--nemesis',
    'none',
  );
  t.equal(stale?.sections.linear?.valid, false, 'and its own option makes reads old');
  const again = await execa('node', [main, 'check', stale?.folder ?? ''], { reject: false, env: { NODE_OPTIONS: '' } });
  t.equal(again.exitCode, 1, 'which can be judged again from the folder');
});

t.test('what is no target is refused in one line', async (t) => {
  const folder = t.testdir({
    'nothing.js': 'export const x = 1;',
    'syntax.ts': 'const x: number = 1;\nexport default {{ name };\n',
    'throws.mjs': 'throw new Error("no good");',
    'workload.ts': 'export default { name: "x", workloads: ["registr"], setUp() {} };',
    'set-up.ts': 'export default { name: "x", workloads: ["register"] };',
    'fault.ts': 'export default { name: "x", workloads: ["register"], faults: ["rain"], setUp() {} };',
    'helper.ts': 'export const name: string = "helped";',
    'system.ts':
      'import { name } from "./helper.ts";\nexport default { name, workloads: ["register"], async setUp() { return { nodes: ["1"] }; } };',
    'answers.ts':
      'export default { name: "x", workloads: ["register"], async setUp() { return { nodes: ["1"], client: () => ({ invoke(_: unknown, done: Function) { setImmediate(done, { type: "okay" }); }, close() {} }), async status() { return []; }, async tearDown() {} }; } };',
  });
  const table: readonly (readonly [string, RegExp])[] = [
    ['missing.ts', /there is no such file/],
    ['nothing.js', /no default export/],
    ['syntax.ts', /syntax\.ts: line 2: /],
    ['throws.mjs', /no good/],
    ['workload.ts', /its default export: workloads\.0: /],
    ['set-up.ts', /its default export: setUp: must be a function/],
    ['fault.ts', /its default export: faults\.0: /],
  ];
  for (const [file, message] of table) {
    await t.rejects(loadTarget(join(folder, file)), { name: 'TargetModuleError', message }, file);
  }
  const options: SetUp = {
    workload: 'register',
    nodes: 1,
    folder,
    opTimeoutMs: 1000,
    faults: [],
    options: {},
    random: () => 0,
    now: () => 0,
  };
  const system = await loadTarget(join(folder, 'system.ts'));
  t.equal(system.name, 'helped', 'what it imports is compiled, too');
  await t.rejects(system.setUp(options), { name: 'TargetModuleError', message: /what setUp gave: client: / });
  const answers = await (await loadTarget(join(folder, 'answers.ts'))).setUp(options);
  const outcome = await new Promise((resolve) =>
    answers.client('1').invoke({ f: 'read', process: 0, op: '0-0' }, resolve),
  );
  t.match(outcome, { type: 'info', error: /no outcome: type: / }, 'an answer that means nothing leaves it open');
  t.ok(new TargetModuleError('x') instanceof Error);
});

t.test('a server is ended, stopped and started with all of its children', async (t) => {
  const folder = t.testdir();
  const world = await ProcessWorld.create({
    nodes: ['1'],
    setUp: { folder, faults: [], random: () => 0, now: () => 0 },
    primaries: async () => ['1'],
  });
  t.teardown(() => world.stop());
  const server = world.add('1', {
    name: 'family',
    command: 'bash',
    arguments: ['-c', 'sleep 1000 & sleep 1000 & echo "hello $$"; wait'],
    ready: async () => treeOf(server.pid ?? 0).length === 3,
  });
  await world.startAll();
  const family = treeOf(server.pid ?? 0);
  const states = () => family.map((pid) => processStat(pid)?.state ?? '-').join('');
  t.match(await world.pause('1'), { effect: 'proven' });
  t.equal(states(), 'TTT');
  t.match(await world.pause('1'), { effect: 'moot' });
  t.match(await world.resume('1'), { effect: 'proven' });
  t.notMatch(states(), /T/);
  t.match(await world.kill('1'), { effect: 'proven', proof: { signals: 'SIGKILL' } });
  t.match(states(), /^[-Z]{3}$/);
  t.match(await world.kill('1'), { effect: 'moot' });
  t.match(await world.start('1'), { effect: 'proven' });
  t.not(server.pid, family[0]);
  t.match(await world.cut([]), { effect: 'moot' });
  await t.rejects(world.cut([{ from: '1', to: '1' }]), /without a network/);

  signalTree(server.pid ?? 0, 'SIGKILL');
  while (server.state === 'up') await new Promise((resolve) => setTimeout(resolve, 5));
  await world.stop();
  const records = readFileSync(join(folder, 'nodes/1/exits.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(
    records.map(({ type, ordered }) => (type === 'start' ? type : ordered)),
    ['start', true, 'start', false],
    'an end that nobody ordered is on record as such',
  );
  t.match(records.at(-1).lastLogLines.join(), /hello/);
});

t.test('a child that ended while its parent could not wait for it does not keep a pause from being one', async (t) => {
  const world = await ProcessWorld.create({
    nodes: ['1'],
    setUp: { folder: t.testdir(), faults: [], random: () => 0, now: () => 0 },
    primaries: async () => ['1'],
  });
  t.teardown(() => world.stop());
  const states = () => treeOf(server.pid ?? 0).map((pid) => processStat(pid)?.state ?? '-');
  // What takes the shell's place knows of no child.
  const server = world.add('1', {
    name: 'zombie',
    command: 'sh',
    arguments: ['-c', 'sleep 0 & exec sleep 1000'],
    ready: async () => states().includes('Z'),
  });
  await world.startAll();
  t.match(await world.pause('1'), { effect: 'proven', proof: { states: 'TZ' } });
  t.match(await world.resume('1'), { effect: 'proven' });
});

t.test('the disk of any server is broken by strace', async (t) => {
  const { disk } = await chooseMechanisms(['disk-hung'], ['strace']);
  if (disk !== 'strace') return t.comment('skipped: strace cannot be had');
  const folder = t.testdir();
  const world = await ProcessWorld.create({
    nodes: ['1'],
    setUp: { folder, faults: ['disk-hung'], random: () => 0, now: () => 0 },
    primaries: async () => ['1'],
  });
  t.teardown(() => world.stop());
  t.match(world.mechanisms, { 'disk-hung': 'strace' });
  const writer = `
    const fs = require('node:fs');
    const file = fs.openSync(${JSON.stringify(join(folder, 'file'))}, 'w');
    const write = () => fs.write(file, 'x', 0, () => fs.fdatasync(file, (error) => error ? process.exit(9) : setTimeout(write, 5)));
    write();`;
  world.add('1', {
    name: 'writer',
    command: process.execPath,
    arguments: ['-e', writer],
    endsOnFailedSync: ({ code }) => code === 9,
    ready: async () => true,
  });
  await world.startAll();
  for (const fault of [{ type: 'slow', delayMs: 30 }, { type: 'hung' }, { type: 'lying' }] as const) {
    t.match(await world.setDisk('1', fault), { effect: 'proven', mechanism: 'strace' }, fault.type);
    t.match(await world.pause('1'), { effect: 'moot' }, 'whether it is paused is hidden');
    t.match(await world.resume('1'), { effect: 'proven' });
    t.match(await world.setDisk('1', undefined), { effect: 'proven' });
  }
  t.match(await world.setDisk('1', { type: 'hung' }), { effect: 'proven' });
  t.match(await world.kill('1'), { effect: 'proven', proof: { signals: 'SIGKILL' } });
  t.match(await world.start('1'), { effect: 'moot', proof: { reason: 'its disk is hung' } });
  await world.setDisk('1', undefined);
  t.match(await world.start('1'), { effect: 'proven' });
  t.match(await world.setDisk('1', { type: 'sync-error', after: 3 }), { effect: 'proven', proof: { code: 9 } });
  t.match(await world.start('1'), { effect: 'proven' });
  t.match(await world.setDisk('1', { type: 'crash', at: 'sync', after: 3 }), { effect: 'proven' });
  await world.stop();
  const exits = readFileSync(join(folder, 'nodes/1/exits.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.ok(
    exits.every(({ type, ordered }) => type === 'start' || ordered),
    'the ends that it came to were ordered',
  );
});

t.test('a program that is missing is named with its package', async (t) => {
  t.throws(() => findProgram('no-such-program', 'some-package'), ProgramMissing);
  t.throws(() => findProgram('no-such-program', 'some-package'), /apt-get install some-package/);
});

const short = ['--time-limit', '6', '--nemesis-interval', '2s'];

t.test('etcd', async (t) => {
  t.testdir();
  for (const workload of ['register', 'append']) {
    const verdict = await run(t, '--target', 'etcd', '--workload', workload, '--nemesis', 'pause,kill', ...short);
    if (verdict !== undefined) t.equal(verdict.valid, true, workload, trouble(verdict));
  }
});

t.test('redis', async (t) => {
  t.testdir();
  const verdict = await run(t, '--target', 'redis', '--workload', 'set', '--nemesis', 'pause', ...short);
  if (verdict !== undefined) t.match(verdict.sections, { crash: { valid: true }, faults: { valid: true } });
});

t.test('postgres', async (t) => {
  t.testdir();
  const verdict = await run(t, '--target', 'postgres', '--workload', 'append', '--nemesis', 'pause', ...short);
  if (verdict !== undefined) t.equal(verdict.valid, true, 'is serializable', trouble(verdict));
});

t.test('a program that speaks Maelstrom', async (t) => {
  t.testdir();
  const program = (name: string) => ['--target', 'maelstrom-lin-kv', '--bin', `harness/target/example/${name}.mjs`];
  const unreliable = ['--nemesis', 'partition,duplicate,reorder', ...short];
  for (const workload of ['register', 'append']) {
    const verdict = await run(t, ...program('maelstrom'), '--workload', workload, ...unreliable);
    t.equal(verdict?.valid, true, workload, trouble(verdict));
  }
  const stale = await run(t, ...program('maelstrom-stale'), '--nemesis', 'none', '--time-limit', '4');
  t.equal(stale?.sections.linear?.valid, false, 'and one that remembers what it saw is found out');
});

import { appendFileSync, existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mergeSections, unknown } from '../../checker/verdict.ts';
import { runId, safeName } from './layout.ts';
import {
  findRun,
  readAudit,
  readFaults,
  readHistory,
  readNodes,
  readProcesses,
  readResults,
  readTest,
} from './read.ts';
import { type Fault, RunFolderError, type TestDescription } from './schema.ts';
import { createRun } from './write.ts';

const test: TestDescription = {
  name: 'register',
  seed: 7,
  started: '2026-11-22T16:00:00.000Z',
  world: 'real',
  nodes: ['1', '2'],
  options: { nodes: 2, nemesis: ['partition'] },
  versions: { splitbrain: '0.1.0' },
  mechanisms: {},
  commands: { again: 'splitbrain test --seed 7' },
};
const fault: Fault = {
  kind: 'pause',
  variant: 'one',
  id: 0,
  phase: 'start',
  time: 1,
  doneTime: 2,
  nodes: ['2'],
  effects: [{ effect: 'proven', mechanism: 'sigstop', proof: { state: 'T' }, node: '2' }],
};

t.test('a run folder is read back as it was written', async (t) => {
  const root = t.testdir();
  const run = createRun(root, test);
  const ops = [
    { index: 0, time: 5, process: 0, type: 'invoke', f: 'write', key: 'x', value: 1, op: '0-1', node: '1' },
    { index: 1, time: 9, process: 0, type: 'ok', f: 'write', key: 'x', value: 1 },
  ] as const;
  for (const op of ops) run.history.append(op);
  run.faults.append(fault);
  run.writeResults(mergeSections({ linear: unknown('nothing was read') }));
  writeFileSync(
    join(run.nodeFolder('1'), 'audit.ndjson'),
    '{"type":"start","node":"1","incarnation":"a","applied":0}\n',
  );
  writeFileSync(join(run.nodeFolder('10'), 'exits.ndjson'), '{"type":"start","time":-5,"pid":3}\n');
  run.nodeFolder('2');
  run.close();
  run.close();
  t.same(readTest(run.folder), test);
  t.same(readHistory(run.folder), { records: ops, cut: false });
  t.same(readFaults(run.folder), { records: [fault], cut: false });
  t.same(readResults(run.folder), mergeSections({ linear: unknown('nothing was read') }));
  t.same(readNodes(run.folder), ['1', '2', '10'], 'nodes in the order of their numbers');
  t.same(readAudit(run.folder, '1').records, [{ type: 'start', incarnation: 'a', applied: 0 }]);
  t.same(readProcesses(run.folder, '10'), [{ type: 'start', time: -5, pid: 3 }]);
  t.same(readProcesses(run.folder, '1'), [], 'a world without processes writes none');
});

t.test('every line is in the file before append returns', async (t) => {
  const run = createRun(t.testdir(), test);
  run.history.append({ index: 0, time: 0, process: 0, type: 'invoke', f: 'read' });
  t.equal(readFileSync(run.history.path, 'utf8').split('\n').length, 2, 'the file has it while the run goes on');
  run.close();
});

t.test('runs of one instant get folders of their own, and the links point to the last', async (t) => {
  const root = t.testdir();
  const folders = [1, 2, 3].map(() => {
    const run = createRun(root, test);
    run.close();
    return run.folder;
  });
  t.equal(new Set(folders).size, 3);
  const last = folders.at(-1) ?? '';
  t.equal(
    readlinkSync(join(root, 'register', 'latest')),
    '20261122T160000.000Z-7-3',
    'relative: the tree can be moved',
  );
  for (const name of ['latest', 'register', join('register', 'latest'), last]) t.equal(findRun(root, name), last);
  t.throws(() => findRun(root, 'nothing'), RunFolderError);
  t.throws(() => findRun(root, '..'), RunFolderError);
  t.same(readdirSync(root).sort(), ['latest', 'register'], 'no temporary file is left');
});

t.test('a history that was cut in the middle of a line is read up to it', async (t) => {
  const run = createRun(t.testdir(), test);
  run.history.append({ index: 0, time: 0, process: 0, type: 'invoke', f: 'read' });
  run.close();
  appendFileSync(run.history.path, '{"index":1,"ti');
  const { records, cut } = readHistory(run.folder);
  t.equal(records.length, 1);
  t.equal(cut, true);
});

t.test('a file that is not what it should be is named, with its line', async (t) => {
  const run = createRun(t.testdir(), test);
  run.close();
  appendFileSync(run.history.path, 'rubbish\n{"index":1,"process":0,"type":"invoke","f":"read"}\n');
  appendFileSync(run.faults.path, `${JSON.stringify(fault)}\n{"kind":7}\n`);
  t.throws(() => readHistory(run.folder), { name: 'RunFolderError', message: /history\.ndjson: line 1:/ });
  t.throws(() => readFaults(run.folder), { name: 'RunFolderError', message: /faults\.ndjson:2: kind:/ });
  t.throws(() => readResults(run.folder), { name: 'RunFolderError', message: /results\.json/ });
  writeFileSync(join(run.folder, 'test.json'), '{"name":"register"}');
  t.throws(() => readTest(run.folder), { name: 'RunFolderError', message: /test\.json: seed:/ });
});

t.test('a name cannot leave the folder that it is for', async (t) => {
  t.equal(safeName('..'), '_..');
  t.equal(safeName('.'), '_.');
  t.equal(safeName(''), '_');
  t.equal(safeName('../../etc/passwd'), '.._.._etc_passwd');
  t.equal(safeName('a'.repeat(1000)).length, 100);
  t.equal(runId(new Date(0), '../x'), '19700101T000000.000Z-.._x');
  const root = t.testdir();
  const run = createRun(join(root, 'runs'), { ...test, name: '../../out', seed: '../..' });
  run.nodeFolder('../../../node');
  run.close();
  t.same(readdirSync(root), ['runs']);
  t.notOk(existsSync(join(root, '..', 'out')));
});

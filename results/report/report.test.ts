import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Op, Value } from '../../checker/history/op.ts';
import { readHistory } from '../store/read.ts';
import { readModel, writeReport } from './build.ts';
import { columnsOf } from './columns.ts';
import { faultSpans } from './fault-span.ts';
import { describe, pairOperations, show } from './operation.ts';
import { decodePage, encodePage, never } from './page-data.ts';
import { pageOf } from './page-model.ts';
import { escapeText } from './picture/svg.ts';
import { hostileTexts, sampleKinds } from './sample/kinds.ts';
import { writeSampleRun } from './sample/run.ts';

t.test('each kind of run makes a report, and its folder what stands beside it', async (t) => {
  const root = t.testdir();
  for (const kind of sampleKinds) {
    const folder = writeSampleRun(join(root, kind), { kind });
    const report = writeReport(folder);
    t.equal(basename(report), 'report.html');
    const html = readFileSync(report, 'utf8');
    t.ok(html.startsWith('<!doctype html>'), kind);
    t.notMatch(html.replaceAll(/<script[\s\S]*?<\/script>/g, ''), /https?:/, `${kind}: nothing is fetched`);
    const names = readdirSync(folder);
    t.equal(names.includes('anomaly.txt'), kind !== 'valid', `${kind}: a story for whatever is not valid`);
    t.notOk(names.some((name) => name.endsWith('.tmp')));
  }
});

t.test('anomaly.txt tells which promise broke, by which operations, and how to see it again', async (t) => {
  const folder = writeSampleRun(t.testdir(), { kind: 'stale-read' });
  writeReport(folder);
  const text = readFileSync(join(folder, 'anomaly.txt'), 'utf8');
  for (const part of [
    /^VIOLATION: process 903 read 9000/,
    /Broken promise: Every operation takes effect once/,
    /process 903 .*\|▶ read → 9000/,
    /▶ {2}903 .*read → 9000/,
    /would have been legal/,
    /read by process 903 +the register holds 9001 +read → 9001 +read → 9000/,
    /again: npx splitbrain test .*--seed 42/,
    /Not checked:/,
  ]) {
    t.match(text, part);
  }
});

t.test('a report that is made again leaves nothing of the one before', async (t) => {
  const folder = writeSampleRun(t.testdir(), { kind: 'stale-read' });
  writeReport(folder);
  t.ok(readdirSync(folder).includes('anomaly-1-nonlinearizable-timeline.svg'));
  writeFileSync(join(folder, 'results.json'), JSON.stringify({ valid: true, sections: {} }));
  writeReport(folder);
  t.notOk(readdirSync(folder).some((name) => name.startsWith('anomaly')));
});

t.test('whatever a text holds, it stays text', async (t) => {
  const folder = writeSampleRun(t.testdir(), { kind: 'hostile' });
  const html = readFileSync(writeReport(folder), 'utf8');
  t.equal(html.match(/<script/g)?.length, 2, 'the data and the code, nothing else');
  t.notMatch(html, /<img|onerror|onload=alert/);
  const text = readFileSync(join(folder, 'anomaly.txt'), 'utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the very characters that must not be there
  t.notMatch(text, /[\u0000-\u0008\u001b\u202e]/, 'no character that a terminal obeys');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.svg'))) {
    t.notMatch(readFileSync(join(folder, name), 'utf8'), /<script|<img|<svg onload/);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML can not hold these
  const unsafe = /[<>"'\u0000\u001b]|&(?!\w+;|#39;)/;
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (any) => !unsafe.test(escapeText(any))));
  for (const hostile of hostileTexts) t.notMatch(escapeText(hostile), /[<>"']/);
});

t.test('columns come back as they were packed', async (t) => {
  const history = readHistory(writeSampleRun(t.testdir(), { kind: 'valid' })).records;
  const operations = pairOperations(history);
  const { columns } = columnsOf(operations, 1000);
  const { page } = pageOf(readModel(writeSampleRun(t.testdir(), { kind: 'lost-write' })));
  const back = decodePage(encodePage(page, columns));
  t.same(back.page, JSON.parse(JSON.stringify(page)));
  t.same(back.columns, columns);
  t.equal(columns.count, operations.length);
});

t.test('an invocation is paired with its completion; one without is unknown and never ends', async (t) => {
  const event = (index: number, process: number, type: Op['type'], value: Value = null): Op => ({
    index,
    time: index * 1000,
    process,
    type,
    f: 'read',
    value,
  });
  const history: Op[] = [
    event(0, 1, 'invoke'),
    event(1, 2, 'invoke'),
    { ...event(2, 0, 'info'), process: 'nemesis' },
    event(3, 1, 'ok', 5),
    event(4, 3, 'ok', 6),
  ];
  const operations = pairOperations(history);
  t.match(operations, [
    { invoke: 0, complete: 3, outcome: 'ok', output: 5, start: 0, end: 3000 },
    { invoke: 1, outcome: 'info', complete: undefined, end: undefined },
  ]);
  const { columns } = columnsOf(operations, 1000);
  t.same([...columns.duration], [3, never]);
  t.same([...columns.complete], [3, never]);
});

t.test('operations are described as one would say them', async (t) => {
  const say = (f: string, input: Value, output: Value, outcome: 'ok' | 'fail' | 'info' = 'ok'): string =>
    describe({ f, input, output, outcome });
  t.equal(say('read', null, 5), 'read → 5');
  t.equal(say('read', null, null), 'read → null');
  t.equal(say('read', null, null, 'info'), 'read');
  t.equal(say('write', 5, 5), 'write 5');
  t.equal(say('cas', [1, 2], [1, 2], 'fail'), 'cas 1 → 2');
  t.equal(
    say(
      'txn',
      [
        ['append', 'x', 1],
        ['r', 'y', null],
      ],
      [
        ['append', 'x', 1],
        ['r', 'y', [1, 2]],
      ],
    ),
    'append x 1, r y → [1 2]',
  );
  t.equal(say('dequeue', null, 7), 'dequeue → 7');
  t.equal(show('null'), '"null"', 'a text that looks like nothing is told from nothing');
  t.match(show('x'.repeat(1_000_000)), /^"?x{50,60}… \(1,000,00\d characters\)$/);
});

t.test('above its bound a report keeps what is around anomalies and faults, and says what it left out', async (t) => {
  const folder = writeSampleRun(t.testdir(), { kind: 'stale-read', operations: 5000 });
  const { page, columns } = pageOf(readModel(folder), 2000);
  t.ok(columns.count <= 2010, 'no more than its bound, but for anomalies');
  t.match(page.leftOut[0], /^\d,\d\d\d of \d,\d\d\d operations are not in this file/);
  const told = page.stories.flatMap((story) => story.operations);
  t.ok(told.length > 0);
  for (const invoke of told) t.ok(columns.invoke.includes(invoke), 'every operation of an anomaly is there');
  t.equal(
    page.rates.ok.reduce((sum, count) => sum + count, 0),
    page.counts.ok,
    'rates are of all operations',
  );
  const [first] = page.windows ?? [];
  t.ok(first !== undefined && columns.count < page.counts.operations);
});

t.test('what cannot be read is named in the report instead of stopping it', async (t) => {
  const folder = writeSampleRun(t.testdir(), { kind: 'valid' });
  writeFileSync(join(folder, 'faults.ndjson'), 'rubbish\n');
  writeFileSync(join(folder, 'nodes', '1', 'audit.ndjson'), 'rubbish\n');
  writeFileSync(join(folder, 'nodes', '2', 'node.log'), 'not json\n\u0000\n');
  const { page } = pageOf(readModel(folder));
  t.match(page.notChecked.join('\n'), /faults\.ndjson:1: not JSON/);
  t.match(page.notChecked.join('\n'), /audit of node 1, line 1/);
});

t.test('a node that crashed is told by what it died of, and when by its own clock', async (t) => {
  const folder = writeSampleRun(t.testdir(), { kind: 'valid' });
  const clockOrigin = '2026-01-01T00:00:00.000Z';
  const test = JSON.parse(readFileSync(join(folder, 'test.json'), 'utf8'));
  writeFileSync(join(folder, 'test.json'), JSON.stringify({ ...test, world: 'simulated', clockOrigin }));
  const time = Date.parse(clockOrigin) + 2500;
  const fatal = { level: 'fatal', time, event: 'crash', error: 'InvariantViolation: a gap\n    at append' };
  const evidence = { node: '2', time: 2.5e9, code: 70, signal: null, lastLogLines: [JSON.stringify(fatal)] };
  const crash = { kind: 'crash', message: 'node 2 ended by itself', ops: [], evidence };
  const section = { valid: false, summary: 'crash', anomalies: [crash], counts: {} };
  writeFileSync(join(folder, 'results.json'), JSON.stringify({ valid: false, sections: { crash: section } }));
  writeFileSync(
    join(folder, 'nodes', '1', 'node.log'),
    `${JSON.stringify({ level: 'info', time: time - 100, event: 'raft', message: '1 became leader at term 3' })}\n`,
  );
  const { page } = pageOf(readModel(folder));
  t.equal(page.headline, 'node 2 ended by itself: InvariantViolation: a gap');
  t.match(JSON.stringify(page.stories[0]?.blocks), /"2\.400 s","1","raft 1 became leader at term 3"/);
});

t.test('a history without times says so, and counts its events instead', async (t) => {
  const folder = writeSampleRun(t.testdir(), { kind: 'history' });
  const lines = readFileSync(join(folder, 'history.ndjson'), 'utf8').trim().split('\n');
  const untimed = lines.map((line, index) => JSON.stringify({ ...JSON.parse(line), time: index }));
  writeFileSync(join(folder, 'history.ndjson'), `${untimed.join('\n')}\n`);
  const { page, columns } = pageOf(readModel(folder));
  t.equal(page.timed, false);
  t.equal(page.endNs, lines.length * 1e9);
  t.equal((columns.start[1] ?? 0) * page.unitNs, (columns.invoke[1] ?? 0) * 1e9);
});

t.test('a fault lasts from its start to its end, and one that nobody ended is still there', async (t) => {
  const base = { kind: 'pause', variant: 'one', nodes: ['1'], effects: [] };
  const spans = faultSpans([
    { ...base, id: 2, phase: 'start', time: 9, doneTime: 10 },
    { ...base, id: 1, phase: 'start', time: 3, doneTime: 4 },
    { ...base, id: 1, phase: 'end', time: 5, doneTime: 6 },
    { ...base, kind: 'heal', id: 3, phase: 'end', time: 11, doneTime: 12 },
  ]);
  t.match(spans, [
    { id: 1, start: 3, end: 6 },
    { id: 2, start: 9, end: undefined },
  ]);
  t.equal(spans.length, 2, 'a repair is no fault');
  const effect = (name: 'proven' | 'moot' | 'ineffective') => ({ effect: name, mechanism: 'files', proof: {} });
  const [span] = faultSpans([
    { ...base, id: 1, phase: 'start', time: 3, doneTime: 4, effects: [effect('moot'), effect('proven')] },
    { ...base, id: 1, phase: 'end', time: 5, doneTime: 6, effects: [effect('moot')] },
  ]);
  t.equal(span?.effect, 'proven', 'as the verdict counts it: one effect of its start is enough');
});

t.test(
  'what is wrong at an index of the log is told by what each node applied there, and whose command it was',
  async (t) => {
    const folder = writeSampleRun(t.testdir(), { kind: 'valid' });
    const evidence = { node: '3', index: 7, term: 3, committedWithTerm: 1 };
    const anomaly = { kind: 'log-divergence', message: 'node 3: log-divergence {"index":7}', ops: [], evidence };
    const section = { valid: false, summary: '1', anomalies: [anomaly], counts: {} };
    writeFileSync(join(folder, 'results.json'), JSON.stringify({ valid: false, sections: { log: section } }));
    const { page } = pageOf(readModel(folder));
    t.match(page.headline, /^node 3 has an entry of term 3 at index 7, where an entry of term 1 was committed/);
    const [table] = page.stories[0]?.blocks ?? [];
    t.match(table, {
      title: 'What each node applied at index 7',
      rows: [['1', '1', 'applied', /^(write|cas) .* on key/]],
    });
    t.ok((page.stories[0]?.operations.length ?? 0) === 1, 'and the timeline shows it');
  },
);

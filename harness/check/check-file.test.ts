import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { HistoryError } from '../../checker/history/history-error.ts';
import { encodeOp } from '../../checker/history/ndjson.ts';
import { parseHistory } from '../../checker/history/parse.ts';
import { historyLines } from '../bench/checker-histories.ts';
import { checkEvents } from './check-events.ts';
import { checkFile } from './check-file.ts';
import { checkModels } from './check-models.ts';
import { checkKeysOnThreads } from './key-pool.ts';

const shape = {
  seed: 3,
  operations: 2_000,
  keys: 4,
  clients: 8,
  values: 3,
  casPercent: 20,
  unknownPermille: 0,
  stale: false,
};

const casRegister = checkModels.get('cas-register')!;

t.test('files', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'splitbrain-check-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const text = `${historyLines(shape).join('\n')}\n`;

  t.equal((await checkFile(await write('plain', text), casRegister)).section.valid, true);
  t.equal((await checkFile(await write('packed', gzipSync(text)), casRegister)).section.valid, true);

  const cut = await checkFile(await write('cut', text.slice(0, -20)), casRegister);
  t.equal(cut.section.valid, true);
  t.equal(cut.warnings.length, 1);

  t.equal((await checkFile(await write('empty', ''), casRegister)).section.valid, 'unknown');

  const brackets = '['.repeat(50_000_000);
  for (const [name, content] of [
    ['cut gzip', gzipSync(text).subarray(0, 1000)],
    ['brackets', brackets],
    ['packed brackets', gzipSync(brackets)],
    ['binary', Uint8Array.from({ length: 1000 }, (_, at) => at)],
  ] as const) {
    await t.rejects(checkFile(await write(name, content), casRegister), HistoryError, name);
  }
  await t.rejects(checkFile(join(folder, 'missing'), casRegister), { code: 'ENOENT' });
});

t.test('nothing was observed: unknown, unless it is said that nothing contradicts it then', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'splitbrain-vacuous-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const judge = async (content: string, options = {}): Promise<unknown> => {
    const path = join(folder, 'history');
    await writeFile(path, content);
    return (await checkFile(path, casRegister, options)).section.valid;
  };
  const nemesis = '{:process :nemesis, :type :info, :f :kill, :value nil}';
  const failed = '{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :fail, :f :write, :value 1}';
  for (const edn of [nemesis, failed]) {
    t.equal(await judge(edn), 'unknown');
    t.equal(await judge(edn, { vacuous: 'valid' }), true);
    const ours = parseHistory(new TextEncoder().encode(edn)).events.ops();
    const ndjson = ours.map((op) => encodeOp(op)).join('');
    t.equal(await judge(ndjson), 'unknown');
    t.equal(await judge(ndjson, { vacuous: 'valid' }), true);
  }
  t.equal(await judge('[]', { vacuous: 'valid' }), 'unknown', 'a file without a line is never valid');
});

t.test('threads judge keys as one thread does', async (t) => {
  const lines = historyLines({ ...shape, values: 0, stale: true });
  const { events } = parseHistory(new TextEncoder().encode(`${lines.join('\n')}\n`));
  const alone = await checkEvents(events, { model: 'cas-register' });
  t.equal(alone.valid, false);
  const keys = [...new Set(events.key.subarray(0, events.length))].map((key) => ({ key, operations: 1 }));
  const verdicts = await checkKeysOnThreads(events, { model: 'cas-register' }, keys, performance.now() + 60_000);
  t.equal(verdicts.length, 4);
  t.equal(verdicts.filter((one) => one.valid === false).length, alone.anomalies.length);
  t.notOk(verdicts.some((one) => one.valid === 'unknown'));
});

t.test('a thread that fails leaves its key undecided', async (t) => {
  const { events } = parseHistory(new TextEncoder().encode(`${historyLines(shape).join('\n')}\n`));
  const verdicts = await checkKeysOnThreads(
    events,
    { model: 'cas-register' },
    [{ key: 12_345, operations: 1 }],
    performance.now() + 60_000,
  );
  t.equal(verdicts[0]?.valid, 'unknown');
  t.match(verdicts[0]?.reason, /the thread failed/);
});

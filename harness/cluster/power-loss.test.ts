import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { startCluster } from './cluster.ts';
import { Ext4Disk } from './ext4-disk.ts';
import { chooseMechanisms } from './mechanisms.ts';
import { losePower } from './power-loss.ts';

const preload = new URL('preload/disk.js', import.meta.url).href;
const port = JSON.stringify(new URL('../../system/real/file-system.js', import.meta.url).href);

/** Runs scripts one after the other, each in a process of its own that is killed at its end, and cuts the power. */
async function cutPower(
  t: Test,
  scripts: string | readonly string[],
  random: (bound: number) => number,
  before: Record<string, string> = {},
) {
  const data = join(t.testdir({}), 'data');
  const disk = `${data}-disk`;
  mkdirSync(data);
  for (const [name, text] of Object.entries(before)) writeFileSync(join(data, name), text);
  for (const script of [scripts].flat()) await runUntilKilled(t, data, disk, script);
  const loss = losePower(data, disk, random);
  t.notOk(existsSync(disk));
  const texts = readdirSync(data)
    .sort()
    .map((name) => [name, readFileSync(join(data, name), 'latin1')]);
  return { ...loss, files: Object.fromEntries(texts) as Record<string, string> };
}

/** Over the system's own FileSystem port. */
async function runUntilKilled(t: Test, data: string, disk: string, script: string): Promise<void> {
  const source = `
    import { createRealFileSystem } from ${port};
    const files = createRealFileSystem(${JSON.stringify(data)});
    const bytes = (text) => [new TextEncoder().encode(text)];
    const durably = (file, at, text) => new Promise((resolve, reject) =>
      file.writeDurably(at, bytes(text), (error) => error ? reject(error) : resolve()));
    ${script}
    process.kill(process.pid, 'SIGKILL');`;
  const { signal, stderr } = await execa(process.execPath, ['--import', preload, '--input-type=module', '-e', source], {
    reject: false,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { NODE_OPTIONS: '', SPLITBRAIN_DISK_ROOT: data, SPLITBRAIN_DISK_JOURNAL: disk },
  });
  t.equal(signal, 'SIGKILL', stderr);
}

/** Everything that was not synced is lost, and nothing of it survives torn or as a length. */
const worst = (bound: number): number => (bound === 3 ? 1 : 0);

t.test('what was synced stays, what was not is gone', async (t) => {
  const script = `
    const log = await files.open('log', 'create');
    await files.syncDirectory('.');
    await durably(log, 0, 'durable');
    await log.write(7, bytes('-lost'));
    await log.write(0, bytes('DURA'));`;
  t.match(await cutPower(t, script, worst), { unsynced: 2, lost: 2, files: { log: 'durable' } });
});

t.test('a file whose writes are synced as they are made loses none that was called back', async (t) => {
  const script = `
    const log = await files.open('log', 'write-through');
    await durably(log, 2, 'bb');
    await durably(log, 4, 'cc');`;
  t.match(await cutPower(t, script, worst, { log: 'aa' }), { unsynced: 0, lost: 0, files: { log: 'aabbcc' } });
  const inWrite = `${script}
    log.writeDurably(6, bytes('dd'), () => {});`;
  t.match(await cutPower(t, inWrite, worst, { log: 'aa' }), { unsynced: 1, lost: 1, files: { log: 'aabbcc' } });
});

t.test('a prefix of what was not synced may survive, and the next write may be torn between sectors', async (t) => {
  const script = `
    const log = await files.open('log', 'write');
    await log.write(2, bytes('bb'));
    await log.write(4, bytes('c'.repeat(1500)));
    await log.write(1504, bytes('dd'));`;
  // The first of three survives; the third is gone with its length; of the second, the two sectors before byte 1300.
  const draws = [1, 1, 1300 - 4, 1];
  const lost = await cutPower(t, script, () => draws.shift() ?? 1, { log: 'aa' });
  t.match(lost, { unsynced: 3, lost: 2, files: { log: `aabb${'c'.repeat(1020)}` } });
});

t.test('a length may survive without its bytes', async (t) => {
  const script = `
    const log = await files.open('log', 'write');
    await log.write(2, bytes('bb'));`;
  const lost = await cutPower(t, script, () => 0, { log: 'aa' });
  t.match(lost, { lost: 1, files: { log: 'aa\0\0' } });
});

t.test('names go back unless their directory was synced', async (t) => {
  const script = `
    const next = await files.open('next', 'create');
    await durably(next, 0, 'new');
    await files.rename('next', 'state');
    await files.remove('old');
    await (await files.open('created', 'create')).close();`;
  const before = { state: 'before', old: 'kept' };
  const lost = await cutPower(t, script, worst, before);
  t.same(lost, { unsynced: 4, lost: 4, files: before });
  const synced = await cutPower(t, `${script} await files.syncDirectory('.');`, worst, before);
  t.same(synced, { unsynced: 0, lost: 0, files: { state: 'new', created: '' } });
});

t.test(
  'what was removed stays removed when its process is merely killed, and the next one may remove as well',
  async (t) => {
    const remove = (name: string) => `await files.remove('${name}');`;
    const before = { one: '1', two: '2' };
    const lost = await cutPower(t, [remove('one'), remove('two')], worst, before);
    t.same(lost, { unsynced: 1, lost: 1, files: { two: '2' } });
  },
);

t.test('a file renamed durably without its bytes is empty', async (t) => {
  const script = `
    const next = await files.open('next', 'create');
    await next.write(0, bytes('newer'));
    await files.rename('next', 'state');
    await files.syncDirectory('.');`;
  t.match(await cutPower(t, script, worst), { lost: 1, files: { state: '' } });
});

t.test('lengths that were set go back', async (t) => {
  const script = `
    const log = await files.open('log', 'write');
    await log.truncate(3);
    await log.truncate(100);`;
  t.match(await cutPower(t, script, worst, { log: 'abcdef' }), { lost: 2, files: { log: 'abcdef' } });
});

t.test('the journal does not grow with what is synced', async (t) => {
  const script = `
    const log = await files.open('log', 'create');
    await files.syncDirectory('.');
    for (let at = 0; at < 200; at++) await durably(log, at * 1000, 'x'.repeat(1000));
    const { statSync } = await import('node:fs');
    if (statSync(process.env.SPLITBRAIN_DISK_JOURNAL + '/journal.ndjson').size > 0) throw new Error('it grew');
    await log.write(0, bytes('y'));`;
  t.match(await cutPower(t, script, worst), { unsynced: 1, lost: 1 });
});

for (const mechanism of ['preload-disk', 'ext4']) {
  t.test(`real nodes lose power in a sync and come back, by ${mechanism}`, async (t) => {
    const { power } = await chooseMechanisms(['power-loss'], [mechanism]);
    if (power !== mechanism) return t.comment(`skipped: no ${mechanism} here (splitbrain doctor says why)`);
    const main = fileURLToPath(new URL('../../system/main.js', import.meta.url));
    const world = await startCluster({
      nodes: 3,
      folder: t.testdir({}),
      main,
      faults: ['power-loss'],
      wantedMechanisms: [mechanism],
      random: (bound) => Math.floor(Math.random() * bound),
      now: () => 0,
    });
    t.teardown(() => world.stop());
    while ((await world.primaries()).length === 0) await world.sleep(20);
    const write = async (value: string): Promise<number> => {
      const request = { method: 'PUT', body: value, signal: AbortSignal.timeout(5000) };
      return fetch(`${world.address('1')}/v1/kv/x`, request).then(
        ({ status }) => status,
        () => 0,
      );
    };
    while ((await write('kept')) !== 200) await world.sleep(20);
    // Whoever is written to must sync: it dies in that. A single write might be durable before the order arrives.
    let isWriting = true;
    const writes = (async () => {
      while (isWriting) await write('unknown');
    })();
    // All at once, and it is lost once.
    const [lost, again, killed] = await Promise.all([world.losePower('2'), world.losePower('2'), world.kill('2')]);
    isWriting = false;
    t.match(again, { effect: 'moot', proof: { reason: /was losing power/ } });
    t.match(killed, { effect: 'moot', proof: { state: 'down' } });
    await writes;
    await world.losePower('3');
    t.match(lost, { effect: 'proven', mechanism, proof: { atSync: true } });
    t.match(await world.losePower('2'), { effect: 'moot' });
    for (const node of ['2', '3']) t.match(await world.start(node), { effect: 'proven' });
    let value: string | undefined;
    while (value === undefined) {
      const response = await fetch(`${world.address('2')}/v1/kv/x`, { signal: AbortSignal.timeout(5000) }).catch(
        () => undefined,
      );
      value = response?.status === 200 ? await response.text() : undefined;
      if (value === undefined) await world.sleep(20);
    }
    t.match(value, /^(kept|unknown)$/);
  });
}

t.test('a file system that is mounted in another namespace, too, loses power and comes back', async (t) => {
  const { power } = await chooseMechanisms(['power-loss'], ['ext4']);
  if (power !== 'ext4') return t.comment('skipped: no ext4 here (splitbrain doctor says why)');
  const folder = mkdtempSync(join(tmpdir(), 'splitbrain-power-loss-'));
  const disk = await Ext4Disk.make('1', folder, { mountMade() {}, mountGone() {}, environment: {} });
  mkdirSync(disk.dataFolder);
  writeFileSync(join(disk.dataFolder, 'synced'), 'synced');
  await disk.sync();
  const holder = execa('unshare', ['--mount', 'sh', '-c', 'echo made; exec sleep 1000'], { reject: false });
  t.teardown(async () => {
    holder.kill('SIGKILL');
    await holder;
    disk.close(join(folder, 'copy'));
    rmSync(folder, { recursive: true });
  });
  await once(holder.stdout, 'data');
  for (const time of ['once', 'again']) {
    writeFileSync(join(disk.dataFolder, time), 'not synced');
    t.equal(await disk.losePower(), 1, time);
    t.equal(readFileSync(join(disk.dataFolder, 'synced'), 'utf8'), 'synced');
  }
});

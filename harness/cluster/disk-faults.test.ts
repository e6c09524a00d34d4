import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import type { DiskFault, NodeId } from '../../nemesis/world.ts';
import { CallTracer } from './call-tracer.ts';
import { type Cluster, startCluster } from './cluster.ts';
import type { ProcessRecord } from './exits.ts';
import { chooseMechanisms } from './mechanisms.ts';
import { PreloadControl } from './preload-control.ts';

const preload = new URL('preload/disk.js', import.meta.url).href;
const port = JSON.stringify(new URL('../../system/real/file-system.js', import.meta.url).href);
t.setTimeout(120_000);
const main = fileURLToPath(new URL('../../system/main.js', import.meta.url));
const random = (bound: number): number => Math.floor(Math.random() * bound);

/** Runs a script over the system's own FileSystem port on a disk with that fault; gives what it printed. */
async function onDisk(t: Test, fault: DiskFault, script: string) {
  const data = join(t.testdir({}), 'data');
  mkdirSync(data);
  const source = `
    import { createRealFileSystem } from ${port};
    const files = createRealFileSystem(${JSON.stringify(data)});
    const bytes = (text) => [new TextEncoder().encode(text)];
    const told = (promise) => promise.then(() => console.log('done'), ({ code }) => console.log(code));
    const log = await files.open('log', 'create').catch(({ code }) => console.log(code));
    ${script}
    process.exit();`;
  const { stdout, signal } = await execa(process.execPath, ['--import', preload, '--input-type=module', '-e', source], {
    reject: false,
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    env: { NODE_OPTIONS: '', SPLITBRAIN_DISK_ROOT: data, SPLITBRAIN_DISK: JSON.stringify(fault) },
  });
  return { printed: stdout.split('\n').filter(Boolean), signal, log: () => readFileSync(join(data, 'log'), 'utf8') };
}

t.test('a process on a disk with a fault', async (t) => {
  t.test('full: nothing is written, made or made longer', async (t) => {
    const { printed } = await onDisk(t, { type: 'full' }, '');
    t.same(printed, ['ENOSPC']);
  });

  t.test('the n-th sync fails, the ones around it do not', async (t) => {
    const script = `for (let at = 0; at < 3; at++) { await log.write(at, bytes('x')); await told(log.datasync()); }`;
    const { printed, log } = await onDisk(t, { type: 'sync-error', after: 2 }, script);
    t.same(printed, ['done', 'EIO', 'done']);
    t.equal(log(), 'xxx');
  });

  t.test('slow: a sync takes that much longer, a write does not', async (t) => {
    const script = `
      const begun = performance.now();
      await log.write(0, bytes('x'));
      const written = performance.now();
      await log.datasync();
      console.log(written - begun < 200 && performance.now() - written >= 300);`;
    t.same((await onDisk(t, { type: 'slow', delayMs: 300 }, script)).printed, ['true']);
  });

  t.test('hung: no sync comes back, of a directory neither', async (t) => {
    const script = `
      await log.write(0, bytes('x'));
      let back = false;
      for (const sync of [log.datasync(), files.syncDirectory('.')]) sync.then(() => { back = true; });
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(back);`;
    t.same((await onDisk(t, { type: 'hung' }, script)).printed, ['false']);
  });

  t.test('crash: the process ends in the n-th write or sync', async (t) => {
    const script = `for (let at = 0; at < 3; at++) { await log.write(at, bytes('x')); await told(log.datasync()); }`;
    const atWrite = await onDisk(t, { type: 'crash', at: 'write', after: 3 }, script);
    // The first was to make the file.
    t.match(atWrite, { printed: ['done'], signal: 'SIGKILL' });
    t.equal(atWrite.log(), 'x');
    const atSync = await onDisk(t, { type: 'crash', at: 'sync', after: 3 }, script);
    t.match(atSync, { printed: ['done', 'done'], signal: 'SIGKILL' });
    t.equal(atSync.log(), 'xxx');
  });
});

async function storeOf(
  t: Test,
  faults: readonly string[],
  wantedMechanisms: readonly string[],
): Promise<Cluster & { readonly folder: string }> {
  const folder = t.testdir({});
  const world = await startCluster({ nodes: 3, folder, main, faults, wantedMechanisms, random, now: () => 0 });
  let writing = true;
  const writes = (async () => {
    for (let value = 0; writing; value++) {
      const request = { method: 'PUT', body: String(value), signal: AbortSignal.timeout(500) };
      await fetch(`${world.address(world.nodes[value % 3]!)}/v1/kv/x`, request).catch(() => {});
      await world.sleep(5);
    }
  })();
  t.teardown(async () => {
    writing = false;
    await writes;
    await world.stop();
  });
  while ((await world.primaries()).length === 0) await world.sleep(20);
  return Object.assign(world, { folder });
}

function exitsOf(folder: string, node: NodeId): readonly ProcessRecord[] {
  const text = readFileSync(join(folder, 'nodes', node, 'exits.ndjson'), 'utf8');
  const records = text.trimEnd().split('\n');
  return records.map((line) => JSON.parse(line) as ProcessRecord).filter(({ type }) => type === 'exit');
}

for (const mechanism of ['preload-disk', 'strace'] as const) {
  t.test(`disks of real nodes that are written to, broken by ${mechanism}`, async (t) => {
    const { disk } = await chooseMechanisms(['disk-error'], [mechanism]);
    if (disk !== mechanism) {
      t.pass(`not on this machine: ${mechanism}`);
      return;
    }
    const world = await storeOf(t, ['disk-error'], [mechanism]);
    const { folder } = world;

    for (const fault of [{ type: 'full' }, { type: 'slow', delayMs: 50 }, { type: 'hung' }] as const) {
      t.test(fault.type, async (t) => {
        t.match(await world.setDisk('1', fault), { effect: 'proven', mechanism });
        t.match(await world.setDisk('1', undefined), { effect: 'proven' });
      });
    }

    t.test('an end in a sync is the nemesis’s doing, and the node comes back', async (t) => {
      t.match(await world.setDisk('2', { type: 'sync-error', after: 3 }), { effect: 'proven', proof: { code: 70 } });
      t.match(await world.setDisk('2', undefined), { effect: 'moot' });
      t.match(await world.start('2'), { effect: 'proven' });
      const crash = { type: 'crash', at: 'write', after: 3 } as const;
      t.match(await world.setDisk('2', crash), { effect: 'proven', proof: { signal: 'SIGKILL' } });
      t.match(await world.start('2'), { effect: 'proven' });
      t.match(exitsOf(folder, '2'), [{ ordered: true }, { ordered: true }]);
    });

    t.test('none starts on a disk that is full or hung', async (t) => {
      await world.setDisk('3', { type: 'hung' });
      t.match(await world.kill('3'), { effect: 'proven' });
      t.match(await world.start('3'), { effect: 'moot', proof: { reason: 'its disk is hung' } });
      t.match(await world.setDisk('3', undefined), { effect: 'moot' });
      t.match(await world.start('3'), { effect: 'proven' });
    });

    t.test('a slow one is slow for the next process, too', async (t) => {
      await world.setDisk('3', { type: 'slow', delayMs: 50 });
      t.match(await world.kill('3'), { effect: 'proven' });
      t.match(await world.start('3'), { effect: 'proven' });
      t.match(await world.setDisk('3', { type: 'slow', delayMs: 20 }), { effect: 'proven' });
      t.match(await world.setDisk('3', undefined), { effect: 'proven' });
    });

    t.test('what did nothing is not proven', async (t) => {
      const counts = { synced: 0, failed: 0, delayed: 0, held: 0, skipped: 0 };
      t.capture(PreloadControl.prototype, 'tell', async () => {
        counts.synced += 10;
        return { ...counts };
      });
      const { attach } = CallTracer;
      t.capture(CallTracer, 'attach', (pids, _, reaper) => attach(pids, undefined, reaper));
      for (const fault of [{ type: 'full' }, { type: 'hung' }, { type: 'sync-error', after: 1 }] as const) {
        t.match(await world.setDisk('1', fault), { effect: 'ineffective' });
        await world.setDisk('1', undefined);
      }
    });
  });
}

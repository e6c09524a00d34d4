import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import t from 'tap';
import { isFree } from './client-ports.ts';
import { findHierarchy } from './control-group.ts';
import { chooseMechanisms } from './mechanisms.ts';
import { processStat } from './proc.ts';
import { startReaper } from './reaper.ts';
import { isControlGroup, isTemporaryFolder, parseReaperRecord } from './reaper-records.ts';

const main = fileURLToPath(new URL('test-node.js', import.meta.url));
const timeoutMs = 15_000;

/** A harness that starts a cluster, breaks it, says so, and would go on for ever. */
const harness = (folder: string): string => `
  import { startCluster } from ${JSON.stringify(new URL('cluster.js', import.meta.url).href)};
  import { startReaper } from ${JSON.stringify(new URL('reaper.js', import.meta.url).href)};
  const reaper = await startReaper();
  const temporary = reaper.temporaryFolder('test');
  console.log(JSON.stringify({ temporary }));
  const cluster = await startCluster({
    nodes: 3, folder: ${JSON.stringify(folder)}, main: ${JSON.stringify(main)}, random: () => 0, now: () => 0, reaper,
    faults: ['starve-cpu', 'power-loss', 'disk-hung'], wantedMechanisms: ['ext4', 'strace'],
  });
  const paused = await cluster.pause('1');
  await cluster.cut([{ from: '2', to: '3' }]);
  await cluster.starve('2', { of: 'cpu' });
  await cluster.setDisk('3', { type: 'hung' });
  console.log(JSON.stringify({ paused: paused.effect, addresses: cluster.nodes.map((node) => cluster.address(node)) }));
  await cluster.sleep(1e9);
`;

/** The children of a process, whatever they are. */
function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);
}

/** Processes on whose command line the text stands. */
function mentioning(text: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!Number.isInteger(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text) && processStat(pid)?.state !== 'Z';
      } catch {
        return false;
      }
    });
}

function mountsBelow(folder: string): readonly string[] {
  const lines = readFileSync('/proc/self/mounts', 'latin1').split('\n');
  return lines.filter((line) => line.split(' ')[1]?.startsWith(folder));
}

/** Looks again until it holds: nobody is told when another process's children end. */
async function eventually(what: string, holds: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!holds()) {
    if (performance.now() - startedAt > timeoutMs) throw new Error(`${what} did not come true`);
    await delay(10);
  }
}

t.test('when the harness is killed in the middle of faults, nothing is left', async (t) => {
  const folder = t.testdir({});
  const child = execa(process.execPath, ['--input-type=module', '-e', harness(folder)], {
    reject: false,
    buffer: false,
    env: { NODE_OPTIONS: '', TMPDIR: folder },
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === 2) break;
  }
  const { temporary } = JSON.parse(lines[0]!) as { temporary: string };
  const { paused, addresses } = JSON.parse(lines[1]!) as { paused: string; addresses: string[] };
  const children = childrenOf(child.pid!);
  t.equal(paused, 'proven');
  const { power, disk } = await chooseMechanisms(['power-loss', 'disk-hung'], ['ext4', 'strace']);
  const tracers = children.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'latin1').trim() === 'strace');
  t.equal(tracers.length, disk === 'strace' ? 1 : 0, 'what holds the calls of one node');
  t.equal(children.length - tracers.length, 4, 'three nodes and the reaper');
  t.ok(existsSync(temporary));
  const hierarchy = findHierarchy('cpu');
  const groups = (): readonly string[] =>
    hierarchy === undefined
      ? []
      : readdirSync(hierarchy.folder).filter((name) => children.some((pid) => name.includes(`-${pid}-`)));
  t.equal(mountsBelow(folder).length, power === 'ext4' ? 3 : 0, 'a file system a node, where they can be had');
  t.equal(groups().length, hierarchy === undefined ? 0 : 1, 'the control group of the one that is starved');
  child.kill('SIGKILL');
  await child;
  for (const pid of children) await eventually(`the end of ${pid}`, () => (processStat(pid)?.state ?? 'Z') === 'Z');
  await eventually('no mount', () => mountsBelow(folder).length === 0);
  await eventually('no temporary folder', () => !existsSync(temporary));
  t.same(groups(), []);
  for (const address of addresses) t.ok(await isFree(Number(new URL(address).port)));
  t.same(mentioning(folder), []);
});

t.test('when the harness is killed while nodes are being started, nothing is left', async (t) => {
  for (const started of [1, 2, 3]) {
    const folder = t.testdir({});
    const child = execa(process.execPath, ['--input-type=module', '-e', harness(folder)], {
      reject: false,
      buffer: false,
      env: { NODE_OPTIONS: '', TMPDIR: folder },
    });
    const [line] = await createInterface({ input: child.stdout })
      [Symbol.asyncIterator]()
      .next()
      .then(({ value }) => [value as string]);
    const { temporary } = JSON.parse(line!) as { temporary: string };
    await eventually('a start', () => childrenOf(child.pid!).length > started);
    const children = childrenOf(child.pid!);
    child.kill('SIGKILL');
    await child;
    for (const pid of children) await eventually(`the end of ${pid}`, () => (processStat(pid)?.state ?? 'Z') === 'Z');
    await eventually('no temporary folder', () => !existsSync(temporary));
    await eventually('the end of all', () => mentioning(folder).length === 0);
    t.same(mountsBelow(folder), []);
  }
});

t.test('a process that was never put on record is known by its environment', async (t) => {
  const reaper = JSON.stringify(new URL('reaper.js', import.meta.url).href);
  const child = execa(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { startReaper } from ${reaper};
       import { spawn } from 'node:child_process';
       const { environment } = await startReaper();
       console.log(spawn('sleep', ['1000'], { env: { ...process.env, ...environment }, detached: true }).pid);
       setInterval(() => {}, 1000);`,
    ],
    { reject: false, buffer: false, env: { NODE_OPTIONS: '' } },
  );
  const pid = await new Promise<number>((resolve) => child.stdout.once('data', (data) => resolve(Number(data))));
  t.ok(processStat(pid));
  child.kill('SIGKILL');
  await child;
  await eventually('its end', () => (processStat(pid)?.state ?? 'Z') === 'Z');
});

t.test('an orderly end removes temporary folders and the reaper itself', async (t) => {
  const before = childrenOf(process.pid);
  const reaper = await startReaper();
  const [pid] = childrenOf(process.pid).filter((child) => !before.includes(child));
  const folder = reaper.temporaryFolder('test');
  t.ok(existsSync(folder) && isTemporaryFolder(folder));
  await Promise.all([reaper.close(), reaper.close()]);
  t.notOk(existsSync(folder));
  t.notOk(processStat(pid!));
});

t.test('only temporary folders and control groups of ours are ever removed', async (t) => {
  t.ok(isControlGroup('/sys/fs/cgroup/cpu/splitbrain-cpu-1-2'));
  for (const path of ['/sys/fs/cgroup/cpu/user.slice', '/sys/fs/cgroup/splitbrain-x/../y', '/tmp/splitbrain-x']) {
    t.notOk(isControlGroup(path), path);
  }
  t.notOk(isTemporaryFolder('/home'));
  t.notOk(isTemporaryFolder('/tmp'));
  t.notOk(isTemporaryFolder(join('/tmp/splitbrain-x', '..', 'y')));
  t.notOk(isTemporaryFolder('/tmp/splitbrain-x/../y'));
  t.equal(parseReaperRecord('{"type":"process","pid":1'), undefined);
  t.equal(parseReaperRecord('{"type":"process","pid":-1,"startTime":"1"}'), undefined);
});

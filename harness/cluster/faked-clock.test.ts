import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import t from 'tap';
import { bendClock, FakedClock, findFakeTime, ownSharedMemory } from './faked-clock.ts';

const straight = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };
const isThere = findFakeTime() !== undefined;

/** What another program says of the time. */
async function wallMs(environment: { readonly [name: string]: string }): Promise<number> {
  const { stdout } = await execa('date', ['+%s%N'], { env: { ...environment } });
  return Number(stdout) / 1e6;
}

t.test('a program’s wall clock is bent, and it shows', { skip: !isThere && 'there is no libfaketime' }, async (t) => {
  const clock = FakedClock.make(join(t.testdir({}), 'ahead'));
  const before = new Set(readdirSync('/dev/shm'));
  const read = () => wallMs(clock.environment);
  for (const wallOffsetMs of [3_600_000, -3_600_000]) {
    const bent = await bendClock(clock, { ...straight, wallOffsetMs }, read);
    t.match(bent, { effect: 'proven', mechanism: 'libfaketime', proof: { askedMs: wallOffsetMs } });
  }
  t.match(await bendClock(clock, straight, read), { effect: 'proven' });
  t.match(await bendClock(clock, { ...straight, wallRate: 0.5 }, read), { effect: 'proven' }, 'a drift needs a while');
  t.match(await bendClock(clock, { ...straight, wallRate: 2 }, async () => undefined), { effect: 'moot' });
  // While its folder is there: a drift is written on and on.
  clock.close();
  await t.rejects(bendClock(clock, { ...straight, monotonicRate: 2 }, read), /monotonic time/);
  t.strictSame(
    readdirSync('/dev/shm').filter((name) => !before.has(name) && name.includes('faketime')),
    [],
    'programs that end by themselves leave nothing',
  );
});

t.test('without the library in the program nothing is proven', { skip: !isThere }, async (t) => {
  const clock = FakedClock.make(join(t.testdir({}), 'ahead'));
  const bent = await bendClock(clock, { ...straight, wallOffsetMs: 3_600_000 }, () => wallMs({}));
  t.match(bent, { effect: 'ineffective', proof: { askedMs: 3_600_000 } });
});

t.test('what it keeps in shared memory goes with a program that is killed', async (t) => {
  if (!isThere || process.getuid?.() !== 0) return t.comment('skipped: needs libfaketime, and root');
  const clock = FakedClock.make(join(t.testdir({}), 'ahead'));
  const variables = Object.entries(clock.environment).map(([name, value]) => `${name}=${value}`);
  const [command, ...words] = [
    ...ownSharedMemory,
    'env',
    ...variables,
    'sh',
    '-c',
    'ls /dev/shm; exec sleep 60',
  ] as const;
  const before = readdirSync('/dev/shm');
  const child = execa(command, words, { reject: false, env: { NODE_OPTIONS: '' } });
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += chunk;
    if (printed.includes('sem.faketime')) break;
  }
  t.match(printed, /faketime_shm/, 'it does keep something there');
  child.kill('SIGKILL');
  await child;
  await delay(50);
  t.strictSame(
    readdirSync('/dev/shm').filter((name) => !before.includes(name) && name.includes('faketime')),
    [],
  );
});

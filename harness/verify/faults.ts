import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import yargs from 'yargs';
import { z } from 'zod';
import { faultKinds } from '../../nemesis/kinds.ts';

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const testsOfCleaningUp = ['runner/negative', 'cluster/reaper', 'cluster/network/network'];
/**
 * A leader that is cut off is asked for as long as it leads: clients that wait for its writes come back soon, and there
 * are enough of them that some read.
 */
const staleReaders = '--nemesis clock,partition --concurrency 4n --op-timeout 250ms --rate 200'.split(' ');
const defaultMinutes = 10;
/** Starting, healing, final reads and checking of a run. */
const aroundRunS = 8;
const leastS = 10;
/** So that each variant of two kinds has its turn. */
const mutantLeastS = 40;
const outputBytesMax = 256 << 20;

const verdict = z.object({
  folder: z.string(),
  valid: z.union([z.boolean(), z.literal('unknown')]),
  sections: z.record(
    z.string(),
    z.object({ valid: z.union([z.boolean(), z.literal('unknown')]), summary: z.string() }),
  ),
});

type Verdict = z.infer<typeof verdict>;

/** How long each part goes on, in seconds. */
interface Times {
  readonly kindS: number;
  readonly swarmRunS: number;
  readonly swarmRuns: number;
  readonly mutantRunS: number;
  readonly mutantRuns: number;
}

/**
 * Every kind of fault alone and swarms of all on real processes of the store: valid, never unknown, together again. A
 * planted bug that only power loss shows and one that only wrong clocks show, found; the same faults without it, valid.
 * Mechanisms that do nothing, and what a killed harness leaves behind: their tests. Then that nothing is left.
 * @param words `--minutes N`: about how long it may take. `--kinds A,B`: only these kinds alone, and nothing else
 */
export async function verifyFaults(words: readonly string[]): Promise<boolean> {
  const { minutes, kinds } = yargs([...words])
    .options({ minutes: { type: 'number', default: defaultMinutes }, kinds: { type: 'string' } })
    .strict()
    .parseSync();
  const only = kinds?.split(',');
  const times = timesOf(minutes, only?.length ?? faultKinds.length);
  const root = mkdtempSync(join(tmpdir(), 'splitbrain-verify-'));
  let good = true;
  const tell = (claim: string, holds: boolean, seen: string): void => {
    good &&= holds;
    process.stdout.write(`${holds ? 'ok  ' : 'NOT '} ${claim}: ${seen}\n`);
  };
  const mustBeValid = async (claim: string, options: readonly string[]): Promise<void> => {
    const found = await run(root, options);
    tell(claim, found.valid === true, found.valid === true ? (found.sections.faults?.summary ?? '') : trouble(found));
  };

  let seed = 1;
  for (const kind of only ?? faultKinds) {
    await mustBeValid(`${kind} alone: valid`, ['--nemesis', kind, ...pace(times.kindS), '--seed', String(seed++)]);
  }
  if (only === undefined) {
    for (let ran = 0; ran < times.swarmRuns; ran++) {
      await mustBeValid('a swarm: valid', ['--nemesis', 'swarm', ...pace(times.swarmRunS), '--seed', String(seed++)]);
    }
    await showMutant(root, 'ack-before-fsync', ['--nemesis', 'power-loss,partition'], times, tell);
    await showMutant(root, 'wall-clock-lease', staleReaders, times, tell);
    for (const test of testsOfCleaningUp) {
      const file = fileURLToPath(new URL(`../${test}.test.js`, import.meta.url));
      const { failed, stdout } = await execa(process.execPath, [file], { reject: false, env: { NODE_OPTIONS: '' } });
      tell(`tests of ${test}: pass`, !failed, stdout.split('\n').findLast((line) => line.includes('total:')) ?? '');
    }
  }
  const left = leftovers(root);
  tell(
    'nothing is left',
    left.length === 0,
    left.length === 0 ? 'no process, folder, group or namespace' : left.join(', '),
  );
  if (good) rmSync(root, { recursive: true, force: true });
  else process.stdout.write(`run folders are kept in ${root}\n`);
  return good;
}

function timesOf(minutes: number, kinds: number): Times {
  const seconds = minutes * 60;
  const most = (share: number, runs: number): number =>
    Math.max(leastS, Math.round((seconds * share) / runs - aroundRunS));
  const swarmRuns = Math.max(1, Math.round(minutes / 5));
  const mutantRuns = Math.max(2, Math.round(minutes / 5));
  return {
    kindS: most(0.6, kinds),
    swarmRuns,
    swarmRunS: most(0.15, swarmRuns),
    mutantRuns,
    // Two mutants, each with and without.
    mutantRunS: Math.max(mutantLeastS, most(0.06, mutantRuns)),
  };
}

/** Faults often enough for several turns of each kind. */
function pace(seconds: number): readonly string[] {
  return ['--time-limit', String(seconds), '--nemesis-interval', '2s'];
}

/** Found in one of some runs; and with the same faults and seeds the store as it is stays valid. */
async function showMutant(
  root: string,
  mutant: string,
  how: readonly string[],
  { mutantRuns, mutantRunS }: Times,
  tell: (claim: string, holds: boolean, seen: string) => void,
): Promise<void> {
  const options = (seed: number) => [...how, ...pace(mutantRunS), '--seed', String(seed)];
  let found: string | undefined;
  let ran = 0;
  while (found === undefined && ran < 3 * mutantRuns) {
    const result = await run(root, [...options(++ran), '--mutant', mutant]);
    if (result.valid === false) found = trouble(result);
  }
  tell(`${mutant} with ${how.join(' ')}: found`, found !== undefined, found ?? `not in ${ran} runs of ${mutantRunS} s`);
  const { valid, ...rest } = await run(root, options(ran));
  tell(`without it, the same seed: valid`, valid === true, valid === true ? 'valid' : trouble({ valid, ...rest }));
}

async function run(root: string, options: readonly string[]): Promise<Verdict> {
  const { stdout, stderr } = await execa(process.execPath, [program, 'test', '--json', '--results', root, ...options], {
    reject: false,
    maxBuffer: outputBytesMax,
    // Temporary folders go there, too, and tell whose a process is.
    env: { NODE_OPTIONS: '', TMPDIR: root },
  });
  try {
    return verdict.parse(JSON.parse(stdout));
  } catch {
    const summary = stderr.trim().split('\n').at(-1) ?? '';
    return { folder: '', valid: 'unknown', sections: { harness: { valid: 'unknown', summary } } };
  }
}

function trouble({ sections, folder }: Verdict): string {
  const bad = Object.entries(sections).filter(([, { valid }]) => valid !== true);
  return `${bad.map(([name, { valid, summary }]) => `${name} ${valid}: ${summary}`).join('; ')} (${folder})`;
}

/** What the runs below that folder have made and not ended or removed, by name. */
function leftovers(root: string): readonly string[] {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => textOf(pid, 'cmdline').includes(root) || textOf(pid, 'environ').includes(root))
    .map((pid) => `process ${pid}: ${textOf(pid, 'cmdline')}`);
  const folders = readdirSync(root).filter((name) => name.startsWith('splitbrain-'));
  const groups = ['cpu', 'memory', '.'].flatMap((controller) => {
    try {
      return readdirSync(join('/sys/fs/cgroup', controller)).filter((name) => name.startsWith('splitbrain-'));
    } catch {
      return [];
    }
  });
  return [...processes, ...folders, ...groups];
}

function textOf(pid: string, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1').replaceAll('\0', ' ').trim();
  } catch {
    return ''; // It has ended.
  }
}

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import yargs from 'yargs';
import { z } from 'zod';
import { validSchema } from '../../results/store/schema.ts';
import { kvstore } from '../target/kvstore.ts';

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const testsOfMechanisms = ['runner/negative', 'cluster/reaper', 'cluster/network/network'];
/**
 * A leader that is cut off is asked for as long as it leads: clients that wait for its writes come back soon, and there
 * are enough of them that some read.
 */
const staleReaders = '--nemesis clock --concurrency 4n --op-timeout 250ms --rate 200'.split(' ');
const defaultMinutes = 10;
/** Starting, healing, final reads and checking of a run. */
const aroundRunS = 10;
const leastS = 10;
/** So that each variant of two kinds has its turn. */
const mutantLeastS = 30;
const outputBytesMax = 256 << 20;

const verdict = z.object({
  folder: z.string(),
  valid: validSchema,
  sections: z.record(z.string(), z.object({ valid: validSchema, summary: z.string() })),
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

/** Something that must hold: whether it does, and what was seen. */
interface Seen {
  readonly holds: boolean;
  readonly seen: string;
}

interface Part {
  /** For `--only`. */
  readonly name: string;
  readonly claim: string;
  readonly show: () => Promise<Seen>;
}

/**
 * Every kind of fault alone and swarms of all on real processes of the store: valid, never unknown, together again. A
 * planted bug that only power loss shows and one that only wrong clocks show, found; the same faults without it, valid.
 * Mechanisms that do nothing, and what a killed harness leaves behind: their tests. Then that nothing is left.
 * @param words `--minutes N`: about how long all of it may take, so how long each part does. `--only A,B`: these parts
 * alone: kinds of faults, `swarm`, mutants, `tests`
 */
export async function verifyFaults(words: readonly string[]): Promise<boolean> {
  const { minutes, only } = yargs([...words])
    .options({ minutes: { type: 'number', default: defaultMinutes }, only: { type: 'string' } })
    .strict()
    .parseSync();
  const root = mkdtempSync(join(tmpdir(), 'splitbrain-verify-'));
  const all = partsOf(root, timesOf(minutes));
  const wanted = only?.split(',') ?? all.map(({ name }) => name);
  const unknown = wanted.filter((name) => !all.some((part) => part.name === name));
  if (unknown.length > 0) throw new Error(`no part is called ${unknown}: ${[...new Set(all.map(({ name }) => name))]}`);
  const chosen = all.filter(({ name }) => wanted.includes(name));
  const table: string[] = [];
  let good = true;
  const tell = (line: string): void => void process.stdout.write(`${line}\n`);
  const show = async ({ claim, show }: Omit<Part, 'name'>): Promise<void> => {
    const begun = performance.now();
    const { holds, seen } = await show();
    good &&= holds;
    const tookS = Math.round((performance.now() - begun) / 1000);
    const line = `${holds ? 'ok ' : 'NOT'}  ${`${tookS} s`.padStart(5)}  ${claim}: ${seen}`;
    table.push(line);
    tell(line);
  };
  for (const [at, part] of chosen.entries()) {
    tell(`${new Date().toISOString().slice(11, 19)}  ${at + 1} of ${chosen.length}: ${part.claim} …`);
    await show(part);
  }
  await show({ claim: 'nothing is left', show: async () => nothingLeft(root) });
  tell(`\n${table.join('\n')}`);
  if (good) rmSync(root, { recursive: true, force: true });
  else tell(`run folders are kept in ${root}`);
  return good;
}

function partsOf(root: string, times: Times): readonly Part[] {
  const { kindS, swarmRuns, swarmRunS } = times;
  const mustBeValid = async (options: readonly string[]): Promise<Seen> => {
    const found = await run(root, options);
    const holds = found.valid === true;
    return { holds, seen: holds ? (found.sections.faults?.summary ?? '') : trouble(found) };
  };
  const kinds = kvstore.faults.map((kind, at) => ({
    name: kind,
    claim: `${kind} alone: valid`,
    show: () => mustBeValid(['--nemesis', kind, ...pace(kindS), '--seed', String(1 + at)]),
  }));
  const swarms = Array.from({ length: swarmRuns }, (_, at) => ({
    name: 'swarm',
    claim: `swarm ${at + 1}: valid`,
    show: () => mustBeValid(['--nemesis', 'swarm', ...pace(swarmRunS), '--seed', String(1 + kinds.length + at)]),
  }));
  const mutants = [
    ['ack-before-fsync', ['--nemesis', 'power-loss']],
    ['wall-clock-lease', staleReaders],
  ] as const;
  const tests = testsOfMechanisms.map((name) => ({
    name: 'tests',
    claim: `tests of ${name}: pass`,
    show: () => passes(name),
  }));
  return [...kinds, ...swarms, ...mutants.flatMap(([mutant, how]) => planted(root, mutant, how, times)), ...tests];
}

function timesOf(minutes: number): Times {
  const seconds = minutes * 60;
  const most = (share: number, runs: number): number =>
    Math.max(leastS, Math.round((seconds * share) / runs - aroundRunS));
  const swarmRuns = Math.max(1, Math.round(minutes / 5));
  const mutantRuns = Math.max(1, Math.round(minutes / 10));
  return {
    kindS: most(0.65, kvstore.faults.length),
    swarmRuns,
    swarmRunS: most(0.15, swarmRuns),
    mutantRuns,
    // Two mutants, each with and without.
    mutantRunS: Math.max(mutantLeastS, most(0.05, mutantRuns)),
  };
}

/** Faults often enough for several turns of each kind. */
function pace(seconds: number): readonly string[] {
  return ['--time-limit', String(seconds), '--nemesis-interval', '2s'];
}

/** Found in some of so many runs, and in how many; with the same faults and seeds the store as it is always stays valid. */
function planted(
  root: string,
  mutant: string,
  how: readonly string[],
  { mutantRuns, mutantRunS }: Times,
): readonly Part[] {
  const options = (seed: number) => [...how, ...pace(mutantRunS), '--seed', String(seed)];
  const each = async (more: readonly string[], wanted: boolean): Promise<Seen> => {
    const runs: Verdict[] = [];
    for (let seed = 1; seed <= mutantRuns; seed++) runs.push(await run(root, [...options(seed), ...more]));
    const wrong = runs.find(({ valid }) => valid !== wanted);
    const right = runs.filter(({ valid }) => valid === wanted);
    const holds = wanted ? wrong === undefined : right.length > 0;
    const last = holds ? right.at(-1) : wrong;
    return {
      holds,
      seen: `${right.length} of ${runs.length} runs; ${last?.valid === true ? 'valid' : last && trouble(last)}`,
    };
  };
  return [
    { name: mutant, claim: `${mutant} with ${how.join(' ')}: found`, show: () => each(['--mutant', mutant], false) },
    { name: mutant, claim: `the same without ${mutant}: valid`, show: () => each([], true) },
  ];
}

async function passes(test: string): Promise<Seen> {
  const file = fileURLToPath(new URL(`../${test}.test.js`, import.meta.url));
  const { failed, stdout } = await execa(process.execPath, [file], {
    reject: false,
    env: { NODE_OPTIONS: '', TAP_TIMEOUT: '0' },
  });
  const bad = stdout.split('\n').find((line) => line.startsWith('not ok'));
  const passed = stdout.split('\n').filter((line) => line.startsWith('ok')).length;
  return { holds: !failed, seen: bad ?? `${passed} of ${passed}` };
}

function nothingLeft(root: string): Seen {
  const left = leftovers(root);
  const holds = left.length === 0;
  return { holds, seen: holds ? 'no process, folder, mount, group or namespace' : left.join(', ') };
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
  const mounts = readFileSync('/proc/self/mounts', 'latin1')
    .split('\n')
    .flatMap((line) => line.split(' ').slice(1, 2))
    .filter((place) => place.startsWith(root));
  return [...processes, ...folders, ...groups, ...mounts];
}

function textOf(pid: string, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1').replaceAll('\0', ' ').trim();
  } catch {
    return ''; // It has ended.
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import type { History } from '../../checker/history/op.ts';
import { readHistory } from '../../results/store/read.ts';
import { validSchema } from '../../results/store/schema.ts';

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const exitUnknown = 2;
const transactionsMin = 10_000;

const verdict = z.object({
  folder: z.string(),
  valid: validSchema,
  sections: z.record(
    z.string(),
    z.object({
      valid: validSchema,
      summary: z.string(),
      counts: z.record(z.string(), z.number()),
      details: z.looseObject({ anomalyTypes: z.array(z.string()).default([]) }).optional(),
    }),
  ),
});

type Verdict = z.infer<typeof verdict>;

/** What another store must show: whether it does, and what was seen. */
interface Seen {
  readonly good: boolean;
  readonly seen: string;
}

/** Runs tests; undefined where the store is not on this machine, with its line. */
type Run = (...words: readonly string[]) => Promise<Verdict>;

interface Part {
  readonly name: string;
  readonly claim: string;
  /** @param root a folder for whatever it takes */
  readonly show: (run: Run, root: string) => Promise<Seen>;
}

/** While a single node is down nothing is carried out: it is killed twice, and started again at once. Seconds. */
const killsAtS = [20, 40];
const downS = 0.5;

const parts: readonly Part[] = [
  {
    name: 'etcd',
    claim: 'etcd, linearizable reads, 5 minutes of partition, pause and kill: valid',
    show: async (run) =>
      valid(await run('--target', 'etcd', '--nemesis', 'partition,pause,kill', '--time-limit', '5m')),
  },
  {
    name: 'etcd',
    claim: 'etcd, serializable reads: stale reads within 2 minutes',
    show: (run) =>
      within(2, 60, (seed) => run('--target', 'etcd', '--serializable', '--time-limit', '60', ...seed), stale),
  },
  {
    name: 'redis',
    claim: 'redis with sentinel under partitions: lost acknowledged writes within 3 minutes',
    show(run) {
      const partitions = ['--nemesis', 'partition', '--nemesis-interval', '16s', '--time-limit', '60'];
      return within(3, 60, (seed) => run('--target', 'redis', '--workload', 'set', ...partitions, ...seed), lost);
    },
  },
  ...(
    [
      ['serializable', 'no anomaly', (types: readonly string[]) => types.length === 0],
      ['repeatable-read', 'write skew (G2-item) and nothing weaker', onlyWriteSkew],
      ['read-committed', 'lost updates or G-single', showsLostUpdates],
    ] as const
  ).map(([isolation, what, holds]) => ({
    name: 'postgres',
    claim: `postgres, ${isolation}, ${transactionsMin} transactions and two kills: ${what}`,
    async show(run: Run, root: string): Promise<Seen> {
      const pace = ['--rate', '300', '--concurrency', '20', '--keys', '20', '--time-limit', '90', '--seed', '1'];
      const how = ['--isolation', isolation, '--workload', 'append', '--faults', killsIn(root), ...pace];
      return isolated(await run('--target', 'postgres', ...how), holds);
    },
  })),
];

/**
 * What the targets other than our own store must show: points 1 to 3 of the catalogue. Stores that are not on this
 * machine are skipped with a line.
 * @param only these targets; none: all
 */
export async function verifyTargets(only: readonly string[]): Promise<boolean> {
  const root = mkdtempSync(join(tmpdir(), 'splitbrain-verify-'));
  let good = true;
  try {
    for (const { name, claim, show } of parts) {
      if (only.length > 0 && !only.includes(name)) continue;
      const begun = performance.now();
      try {
        const { good: isGood, seen } = await show((...words) => run(root, words), root);
        good &&= isGood;
        say(
          `${isGood ? 'shown' : 'NOT SHOWN'}  ${claim} (${Math.round((performance.now() - begun) / 1000)} s)\n    ${seen}`,
        );
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        say(`skipped  ${claim}: ${error.message}`);
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return good;
}

/** Writes the kills down as `--faults` takes them. @returns the file's path */
function killsIn(root: string): string {
  const lines = killsAtS.flatMap((atS, id) =>
    (['start', 'end'] as const).map((phase) => {
      const time = (phase === 'start' ? atS : atS + downS) * 1e9;
      return JSON.stringify({
        kind: 'kill',
        variant: 'one',
        id,
        phase,
        time,
        doneTime: time,
        nodes: ['1'],
        effects: [],
      });
    }),
  );
  const path = join(root, 'kills.ndjson');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

/** The store, or something that it needs, is not on this machine. */
class Missing extends Error {}

async function run(root: string, words: readonly string[]): Promise<Verdict> {
  const all = [program, 'test', ...words, '--json', '--results', root];
  const { stdout, stderr, exitCode } = await execa(process.execPath, all, { reject: false, env: { NODE_OPTIONS: '' } });
  if (exitCode !== undefined && exitCode <= exitUnknown && stdout.startsWith('{'))
    return verdict.parse(JSON.parse(stdout));
  const line = stderr.split('\n').at(-1) ?? '';
  if (/not on this machine|on this machine:|no account/.test(line)) throw new Missing(line);
  throw new Error(`splitbrain test ${words.join(' ')}: ${line}`);
}

/** Tries with other seeds until it is seen, a bounded number of times of so many seconds each. */
async function within(
  times: number,
  seconds: number,
  test: (seed: readonly string[]) => Promise<Verdict>,
  look: (verdict: Verdict) => Seen,
): Promise<Seen> {
  let last: Seen = { good: false, seen: '' };
  for (let seed = 1; seed <= times && !last.good; seed++) {
    last = look(await test(['--seed', String(seed)]));
    last = { ...last, seen: `in the first ${seed * seconds} s: ${last.seen}` };
  }
  return last;
}

function valid({ valid, sections }: Verdict): Seen {
  return { good: valid === true, seen: told(sections) };
}

function stale({ sections }: Verdict): Seen {
  return { good: sections.linear?.valid === false, seen: sections.linear?.summary ?? 'nothing was judged' };
}

/** Counts them anew, from the history alone: elements that were acknowledged and that no final read has. */
function lost({ folder, sections }: Verdict): Seen {
  const { records } = readHistory(folder);
  const missing = lostElements(records);
  const example = missing[0] === undefined ? '' : `, such as ${JSON.stringify(missing[0])}`;
  const good = missing.length > 0 && sections.linear?.valid === false;
  return { good, seen: `${missing.length} acknowledged elements lost${example}; ${sections.linear?.summary}` };
}

function lostElements(history: History): readonly (readonly [key: string, element: number])[] {
  const final = history.findIndex(({ f, value }) => f === 'phase' && value === 'final');
  if (final < 0) return [];
  const read = new Map<string, Set<unknown>>();
  for (const { type, f, key, value } of history.slice(final)) {
    if (type !== 'ok' || f !== 'read' || !Array.isArray(value)) continue;
    const seen = read.get(String(key)) ?? new Set();
    for (const element of value) seen.add(element);
    read.set(String(key), seen);
  }
  return history.flatMap(({ type, f, key, value }): [string, number][] =>
    type === 'ok' && f === 'add' && read.get(String(key))?.has(value) === false ? [[String(key), Number(value)]] : [],
  );
}

/** Transactions count that the server carried out or refused for a conflict, not those that it was not up for. */
function isolated({ folder, sections }: Verdict, holds: (types: readonly string[]) => boolean): Seen {
  const { txn, ...others } = sections;
  const isSound = Object.values(others).every(({ valid }) => valid === true);
  const carriedOut = readHistory(folder).records.filter(
    ({ process, type, error }) =>
      process !== 'nemesis' && type !== 'invoke' && (type !== 'fail' || error === 'conflict'),
  ).length;
  return {
    good: isSound && carriedOut >= transactionsMin && holds(txn?.details?.anomalyTypes ?? []),
    seen: `${carriedOut} carried out; ${told(sections)}`,
  };
}

/** Snapshots forbid all but cycles with two or more anti-dependencies; with real time or a session in them they are the same. */
function onlyWriteSkew(types: readonly string[]): boolean {
  return types.includes('G2-item') && types.every((type) => /^G2(-item)?(-process|-realtime)?$/.test(type));
}

function showsLostUpdates(types: readonly string[]): boolean {
  return types.some((type) => type === 'lost-update' || type.startsWith('G-single'));
}

function told(sections: Verdict['sections']): string {
  return Object.values(sections)
    .map(({ summary }) => summary)
    .join('; ');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

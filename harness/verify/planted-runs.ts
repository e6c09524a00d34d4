import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { hostileTexts } from '../../results/report/sample/kinds.ts';
import { files } from '../../results/store/layout.ts';
import { readHistory, readResults } from '../../results/store/read.ts';

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const outputBytesMax = 256 << 20;

/** A kind of run that a report must be able to show, and how a planted bug makes one. */
export interface PlantedRun {
  readonly kind: string;
  readonly verdict: true | false | 'unknown';
  /** The section of the results that must have found it. */
  readonly section?: string;
  /** Makes it below a folder of its own; gives the run's folder, undefined when the bug did not show. */
  readonly make: (root: string, made?: ReadonlyMap<string, string>) => Promise<string | undefined>;
}

/** Seeds in simulation go on until one fails. */
const simulated = (...words: readonly string[]) => find(['sim', '--failures', '1', '--seeds', '40', ...words]);

/** Faults of real processes are not the same twice: some seeds are tried. */
function real(...words: readonly string[]): PlantedRun['make'] {
  return async (root) => {
    for (const seed of ['1', '2', '3', '4']) {
      const folder = await find(['test', ...words, '--seed', seed])(root);
      if (folder !== undefined) return folder;
    }
    return undefined;
  };
}

export const plantedRuns: readonly PlantedRun[] = [
  {
    kind: 'real',
    verdict: false,
    section: 'linear',
    make: real('--mutant', 'local-read', '--nemesis', 'partition', '--time-limit', '25', '--nemesis-interval', '3s'),
  },
  {
    kind: 'simulated',
    verdict: false,
    section: 'election',
    make: simulated('--mutant', 'vote-not-durable', '--nemesis', 'kill', '--run-time', '30s'),
  },
  {
    kind: 'transactions',
    verdict: false,
    section: 'txn',
    make: simulated('--mutant', 'retry-without-dedup', '--workload', 'append', '--run-time', '20s'),
  },
  {
    kind: 'lost-entry',
    verdict: false,
    section: 'log',
    make: simulated('--mutant', 'lost-on-failover', '--run-time', '20s'),
  },
  {
    kind: 'liveness',
    verdict: false,
    section: 'liveness',
    make: simulated('--mutant', 'snapshot-deleted-in-use', '--nemesis', 'snapshots'),
  },
  {
    kind: 'crash',
    verdict: false,
    section: 'crash',
    make: simulated('--mutant', 'ack-before-fsync', '--nemesis', 'power-loss', '--run-time', '45s'),
  },
  { kind: 'history', verdict: false, section: 'linear', make: bareHistory },
  { kind: 'hostile', verdict: false, section: 'linear', make: hostileHistory },
  { kind: 'unknown', verdict: 'unknown', make: killed },
  {
    kind: 'valid',
    verdict: true,
    make: find([
      'test',
      '--nemesis',
      'partition,pause',
      '--time-limit',
      '15',
      '--nemesis-interval',
      '2s',
      '--seed',
      '5',
    ]),
  },
];

/** Whether the run came to the verdict that its kind must have. */
export function isAsPlanted({ verdict, section }: PlantedRun, folder: string): boolean {
  const results = readResults(folder);
  return results.valid === verdict && (section === undefined || results.sections[section]?.valid === verdict);
}

/** Runs a verb; gives the folder that it kept, if that is of a failure or the verb is one whose runs are all kept. */
function find(words: readonly string[]): PlantedRun['make'] {
  return async (root) => {
    const { exitCode } = await splitbrain([...words, '--results', root]);
    const wanted = words.includes('--mutant') ? 1 : 0;
    return exitCode === wanted ? latestIn(root) : undefined;
  };
}

async function splitbrain(words: readonly string[]) {
  return await execa(process.execPath, [program, ...words], {
    reject: false,
    maxBuffer: outputBytesMax,
    env: { NODE_OPTIONS: '' },
  });
}

function latestIn(root: string): string {
  return realpathSync(join(root, files.latest));
}

/** The history of the real run alone, as if it came from elsewhere. */
async function bareHistory(root: string, made?: ReadonlyMap<string, string>): Promise<string | undefined> {
  const from = made?.get('real');
  if (from === undefined) return undefined;
  await splitbrain(['report', join(from, files.history), '--model', 'cas-register', '--results', root]);
  return latestIn(root);
}

const hugeLength = 1 << 20;

/** A stale read on keys and of values that markup, terminals and text direction could trip over, and huge ones. */
async function hostileHistory(root: string): Promise<string | undefined> {
  const lines: string[] = [];
  const add = (process: number, type: string, f: string, key: string, value: string | null): void => {
    lines.push(JSON.stringify({ time: lines.length * 1e6, process, type, f, key, value }));
  };
  for (const [at, key] of [...hostileTexts, 'k'.repeat(hugeLength)].entries()) {
    const first = hostileTexts[at] ?? 'v'.repeat(hugeLength);
    const second = `${hostileTexts[(at + 1) % hostileTexts.length]} again`;
    for (const value of [first, second]) {
      add(at, 'invoke', 'write', key, value);
      add(at, 'ok', 'write', key, value);
    }
    add(at, 'invoke', 'read', key, null);
    add(at, 'ok', 'read', key, first);
  }
  const path = join(root, 'hostile.ndjson');
  writeFileSync(path, `${lines.join('\n')}\n`);
  await splitbrain(['report', path, '--model', 'register', '--results', root]);
  return latestIn(root);
}

const killAfterOperations = 300;

/** Its harness is killed in the middle; what it had recorded is judged. */
async function killed(root: string): Promise<string | undefined> {
  const running = execa(process.execPath, [program, 'test', '--time-limit', '10m', '--results', root], {
    reject: false,
    env: { NODE_OPTIONS: '' },
    stdio: 'ignore',
  });
  for (let waitedMs = 0; operationsIn(root) < killAfterOperations && waitedMs < 120_000; waitedMs += 200) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  running.kill('SIGKILL');
  await running;
  await splitbrain(['check', 'latest', '--results', root]);
  return latestIn(root);
}

function operationsIn(root: string): number {
  try {
    return readHistory(latestIn(root)).records.length;
  } catch {
    return 0; // Not yet.
  }
}

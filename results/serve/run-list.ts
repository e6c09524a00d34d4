import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { files } from '../store/layout.ts';
import { readTest, readVerdict } from '../store/read.ts';
import { RunFolderError, type TestDescription, type Verdict } from '../store/schema.ts';

/** What a list of runs shows of one. */
export interface RunSummary {
  /** Its folder's names below the root. */
  readonly test: string;
  readonly run: string;
  /** The night that it is of; missing for a run that somebody began. */
  readonly night?: string;
  readonly description: TestDescription;
  /** Missing while it runs, or when it never came to its verdict. */
  readonly results?: Verdict;
  /** Its history has grown within the last half minute and there is no verdict yet. */
  readonly running: boolean;
}

export interface RunFilter {
  readonly test?: string;
  readonly verdict?: string;
  /** Found in the seed, the kinds of anomaly, or the name of the run. */
  readonly text?: string;
  /** UTC dates, `2026-11-22`, both included. */
  readonly from?: string;
  readonly to?: string;
}

const runsMax = 20_000;
const runningMs = 30_000;

/** Reads what is below a root of run folders, and below a folder of nights, each again only when its files have changed. */
export class RunList {
  readonly root: string;
  /** Each night has `runs/` with run folders of its own. Undefined when there are none. */
  readonly nightsRoot: string | undefined;
  #known = new Map<string, { readonly stamp: string; readonly summary: RunSummary }>();

  constructor(root: string, nightsRoot?: string) {
    this.root = root;
    this.nightsRoot = nightsRoot;
  }

  /** All runs that can be read, the latest first; at most the latest 20,000. */
  all(): readonly RunSummary[] {
    const nights = this.nightsRoot === undefined ? [] : folders(this.nightsRoot);
    const found = [undefined, ...nights].flatMap((night) => {
      const root = this.rootOf(night) ?? '';
      return folders(root).flatMap((test) => folders(join(root, test)).map((run) => ({ test, run, night })));
    });
    found.sort((a, b) => (a.run < b.run ? 1 : -1));
    return found.slice(0, runsMax).flatMap(({ test, run, night }) => this.one(test, run, night) ?? []);
  }

  /** Where the runs of a night are, or those that are of none; undefined for what is no night's name. */
  rootOf(night: string | undefined): string | undefined {
    if (night === undefined) return this.root;
    if (this.nightsRoot === undefined || !isName(night) || !isFolder(join(this.nightsRoot, night))) return undefined;
    const root = join(this.nightsRoot, night, 'runs');
    return isFolder(root) ? root : undefined;
  }

  /** Undefined when there is none of that name, or its test.json cannot be read. */
  one(test: string, run: string, night?: string): RunSummary | undefined {
    const root = this.rootOf(night);
    if (root === undefined || !isName(test) || !isName(run)) return undefined;
    if (!isFolder(join(root, test)) || !isFolder(join(root, test, run))) return undefined;
    const folder = join(root, test, run);
    const stamp = [files.test, files.results].map((name) => modified(join(folder, name))).join(' ');
    const known = this.#known.get(folder);
    const historyMs = modified(join(folder, files.history));
    const settled = existsSync(join(folder, files.results));
    const running = !settled && historyMs !== undefined && Date.now() - historyMs < runningMs;
    if (known?.stamp === stamp) return { ...known.summary, running };
    try {
      const description = readTest(folder);
      const summary = {
        test,
        run,
        ...(night !== undefined && { night }),
        description,
        running,
        ...(settled && { results: readVerdict(folder) }),
      };
      this.#known.set(folder, { stamp, summary });
      return summary;
    } catch (error) {
      if (error instanceof RunFolderError) return undefined;
      throw error;
    }
  }
}

/** A folder's name that cannot lead anywhere else. */
export function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}

function folders(path: string): string[] {
  if (!isFolder(path)) return [];
  return readdirSync(path).filter((name) => isFolder(join(path, name)));
}

/** No links: `latest` would show its run twice, and another could lead out of the root. */
function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function modified(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** `valid`, `invalid`, `unknown`; `running`; `none` for one that was never judged. */
export function verdictOf(summary: RunSummary): string {
  const { results, running } = summary;
  if (results === undefined) return running ? 'running' : 'none';
  return results.valid === true ? 'valid' : results.valid === false ? 'invalid' : 'unknown';
}

/** How many anomalies of each kind. */
export function anomaliesOf({ results }: RunSummary): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { anomalies } of Object.values(results?.sections ?? {})) {
    for (const { kind } of anomalies) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

export function filterRuns(runs: readonly RunSummary[], filter: RunFilter): readonly RunSummary[] {
  const text = filter.text?.toLowerCase() ?? '';
  return runs.filter((run) => {
    const date = run.description.started.slice(0, 10);
    if (filter.test !== undefined && run.test !== filter.test) return false;
    if (filter.verdict !== undefined && verdictOf(run) !== filter.verdict) return false;
    if (filter.from !== undefined && date < filter.from) return false;
    if (filter.to !== undefined && date > filter.to) return false;
    if (text === '') return true;
    const words = [String(run.description.seed), run.run, run.test, run.night ?? '', ...anomaliesOf(run).keys()];
    return words.some((word) => word.toLowerCase().includes(text));
  });
}

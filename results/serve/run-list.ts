import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../store/digest.ts';
import { files } from '../store/layout.ts';
import { readResultsDigest, readTest } from '../store/read.ts';
import { RunFolderError, type TestDescription } from '../store/schema.ts';

/** A run folder, by its names below the root. */
export interface RunName {
  readonly test: string;
  readonly run: string;
  /** The night that it is of; missing for a run that somebody began. */
  readonly night?: string;
}

/** What a list of runs shows of one. */
export interface RunSummary extends RunName {
  readonly description: TestDescription;
  /** Missing while it runs, or when it never came to its verdict. */
  readonly results?: Digest;
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
/** So many are read before other requests have their turn. */
const readAtOnce = 50;

interface Known {
  readonly stampMs: number;
  readonly summary: RunSummary;
}

/**
 * What is below a root of run folders, and below a folder of nights. Of each run it reads `test.json` and the first line
 * of `results.json`, and again only when its folder has changed: those files are replaced, never written in place.
 */
export class RunList {
  readonly root: string;
  /** Each night has `runs/` with run folders of its own. Undefined when there are none. */
  readonly nightsRoot: string | undefined;
  #known = new Map<string, Known>();
  #reading: Promise<readonly RunSummary[]> | undefined;

  constructor(root: string, nightsRoot?: string) {
    this.root = root;
    this.nightsRoot = nightsRoot;
  }

  /** The names of all runs, the latest first; at most the latest 20,000. Reads no run. */
  names(): readonly RunName[] {
    const nights = this.nightsRoot === undefined ? [] : folders(this.nightsRoot);
    const found = [undefined, ...nights].flatMap((night) => {
      const root = this.rootOf(night);
      if (root === undefined) return [];
      return folders(root).flatMap((test) =>
        folders(join(root, test)).map((run) => ({ test, run, ...(night !== undefined && { night }) })),
      );
    });
    found.sort((a, b) => (a.run < b.run ? 1 : -1));
    return found.slice(0, runsMax);
  }

  /** All runs that can be read, the latest first; others are answered meanwhile. What is gone is forgotten. */
  async all(): Promise<readonly RunSummary[]> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }

  async #readAll(): Promise<readonly RunSummary[]> {
    const before = this.#known;
    this.#known = new Map();
    const all: RunSummary[] = [];
    for (const [at, { test, run, night }] of this.names().entries()) {
      if (at % readAtOnce === 0) await setImmediate();
      const folder = this.folderOf(test, run, night);
      const known = folder === undefined ? undefined : before.get(folder);
      if (folder !== undefined && known !== undefined) this.#known.set(folder, known);
      const summary = this.one(test, run, night);
      if (summary !== undefined) all.push(summary);
    }
    return all;
  }

  /** Where the runs of a night are, or those that are of none; undefined for what is no night's name. */
  rootOf(night: string | undefined): string | undefined {
    if (night === undefined) return this.root;
    if (this.nightsRoot === undefined || !isName(night) || !isFolder(join(this.nightsRoot, night))) return undefined;
    const root = join(this.nightsRoot, night, 'runs');
    return isFolder(root) ? root : undefined;
  }

  /** Undefined when there is none of that name. */
  folderOf(test: string, run: string, night?: string): string | undefined {
    const root = this.rootOf(night);
    if (root === undefined || !isName(test) || !isName(run) || !isFolder(join(root, test))) return undefined;
    const folder = join(root, test, run);
    return isFolder(folder) ? folder : undefined;
  }

  /** Undefined when there is none of that name, or its test.json cannot be read. */
  one(test: string, run: string, night?: string): RunSummary | undefined {
    const folder = this.folderOf(test, run, night);
    const stampMs = folder === undefined ? undefined : modified(folder);
    if (folder === undefined || stampMs === undefined) return undefined;
    const known = this.#known.get(folder);
    if (known?.stampMs === stampMs) {
      const { summary } = known;
      return summary.results === undefined ? { ...summary, running: isGrowing(folder) } : summary;
    }
    try {
      const settled = modified(join(folder, files.results)) !== undefined;
      const summary = {
        test,
        run,
        ...(night !== undefined && { night }),
        description: readTest(folder),
        running: !settled && isGrowing(folder),
        ...(settled && { results: readResultsDigest(folder) }),
      };
      this.#known.set(folder, { stampMs, summary });
      return summary;
    } catch (error) {
      if (error instanceof RunFolderError) return undefined;
      throw error;
    }
  }
}

function isGrowing(folder: string): boolean {
  const historyMs = modified(join(folder, files.history));
  return historyMs !== undefined && Date.now() - historyMs < runningMs;
}

/** A folder's name that cannot lead anywhere else. */
export function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}

/** No links: `latest` would show its run twice, and another could lead out of the root. */
function folders(path: string): string[] {
  if (!isFolder(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

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
    for (const [kind, count] of Object.entries(anomalies)) counts.set(kind, (counts.get(kind) ?? 0) + count);
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

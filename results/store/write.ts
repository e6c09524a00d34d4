import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Op } from '../../checker/history/op.ts';
import type { Results } from '../../checker/verdict.ts';
import { LineWriter } from './append.ts';
import { resultsText } from './digest.ts';
import { files, runId, safeName } from './layout.ts';
import type { Fault, TestDescription } from './schema.ts';

/** A run folder that is being written. */
export interface RunWriter {
  /** The run's folder, as `root` was given: relative or absolute. */
  readonly folder: string;
  readonly history: LineWriter<Op>;
  readonly faults: LineWriter<Fault>;
  /** `nodes/<n>/`, created on first use; `files.log` and `files.audit` go there. */
  nodeFolder(node: string): string;
  /** Replaces `test.json`: for what is only known later, such as the commands to run it again. */
  writeTest(test: TestDescription): void;
  writeResults(results: Results): void;
  /** Closes the history and the faults. */
  close(): void;
}

const sameInstantMax = 100;

/**
 * Creates `root/<test>/<UTC time>-<seed>/` with its `test.json`, and points the links `root/latest` and
 * `root/<test>/latest` at it. Throws the system's error (ENOSPC, EACCES …) when it cannot.
 */
export function createRun(root: string, test: TestDescription): RunWriter {
  const parent = join(root, safeName(test.name));
  mkdirSync(parent, { recursive: true });
  const folder = makeFresh(join(parent, runId(new Date(test.started), test.seed)));
  writeTest(folder, test);
  pointTo(join(root, files.latest), folder);
  pointTo(join(parent, files.latest), folder);
  const history = new LineWriter<Op>(join(folder, files.history));
  const faults = new LineWriter<Fault>(join(folder, files.faults));
  return {
    folder,
    history,
    faults,
    nodeFolder(node) {
      const path = join(folder, files.nodes, safeName(node));
      mkdirSync(path, { recursive: true });
      return path;
    },
    writeTest: (changed) => writeTest(folder, changed),
    writeResults: (results) => writeResults(folder, results),
    close() {
      history.close();
      faults.close();
    },
  };
}

/** Replaces `results.json`, also of a run that is judged again. */
export function writeResults(folder: string, results: Results): void {
  replace(join(folder, files.results), resultsText(results));
}

function writeTest(folder: string, test: TestDescription): void {
  replace(join(folder, files.test), `${JSON.stringify(test, null, 2)}\n`);
}

/** A reader sees the old file or the new one, never a half. */
export function replace(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Two runs of one seed in the same millisecond must not share a folder. */
function makeFresh(path: string): string {
  for (let attempt = 1; ; attempt++) {
    const candidate = attempt === 1 ? path : `${path}-${attempt}`;
    try {
      mkdirSync(candidate);
      return candidate;
    } catch (error) {
      if (!isCode(error, 'EEXIST') || attempt >= sameInstantMax) throw error;
    }
  }
}

/** Relative, so that the whole tree can be moved or packed. */
function pointTo(link: string, folder: string): void {
  const temporary = `${link}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  symlinkSync(relative(join(link, '..'), folder), temporary);
  renameSync(temporary, link);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

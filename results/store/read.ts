import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type NodeAudit, parseAudit } from '../../checker/durability/audit-record.ts';
import { HistoryError } from '../../checker/history/history-error.ts';
import { parseNdjson } from '../../checker/history/ndjson.ts';
import type { Op } from '../../checker/history/op.ts';
import type { Results } from '../../checker/verdict.ts';
import { type Digest, digestOf, readDigest } from './digest.ts';
import { files } from './layout.ts';
import {
  type Fault,
  type MessageRecord,
  type ProcessRecord,
  parseFault,
  parseMessage,
  parseProcessRecord,
  parseResults,
  parseStepViolation,
  parseTest,
  RunFolderError,
  type StepViolation,
  type TestDescription,
} from './schema.ts';

/** Lines of a file, with what had to be left out. */
export interface Lines<T> {
  readonly records: readonly T[];
  /** A last line without its newline was dropped: the writer was cut short. */
  readonly cut: boolean;
}

/**
 * Finds a run's folder by its path, `latest`, a test's name (its latest run), or `<test>/<run>` below `root`.
 * Throws RunFolderError when there is none. The answer has no links in it.
 */
export function findRun(root: string, name: string): string {
  for (const candidate of [name, join(root, name), join(root, name, files.latest)]) {
    if (isFolder(candidate) && existsSync(join(candidate, files.history))) return realpathSync(candidate);
  }
  throw new RunFolderError(
    `no run ${JSON.stringify(name)}: not a run folder, and none of that name in ${resolve(root)}`,
  );
}

/** Throws RunFolderError when the file is missing or not what it should be, as all of these do. */
export function readTest(folder: string): TestDescription {
  const path = join(folder, files.test);
  return parseTest(text(path), path);
}

export function readResults(folder: string): Results {
  const path = join(folder, files.results);
  return parseResults(text(path), path);
}

/** The same without its evidence, for lists: of what this version wrote, only the beginning is read. */
export function readResultsDigest(folder: string): Digest {
  const path = join(folder, files.results);
  return orRunFolderError(path, () => readDigest(path)) ?? digestOf(readResults(folder));
}

export function readHistory(folder: string): Lines<Op> {
  const path = join(folder, files.history);
  try {
    const { events, warnings } = parseNdjson(bytes(path));
    return { records: events.ops(), cut: warnings.length > 0 };
  } catch (error) {
    if (!(error instanceof HistoryError)) throw error;
    throw new RunFolderError(`${path}: ${error.message}`);
  }
}

export function readFaults(folder: string): Lines<Fault> {
  return readFaultFile(join(folder, files.faults));
}

/** A `faults.ndjson` that may stand anywhere. */
export function readFaultFile(path: string): Lines<Fault> {
  return readLines(path, parseFault);
}

/** What was seen broken between two events; nothing where no world looks there. */
export function readSteps(folder: string): readonly StepViolation[] {
  const path = join(folder, files.steps);
  return existsSync(path) ? readLines(path, parseStepViolation).records : [];
}

/** What the nodes said to each other; nothing where nobody listened. */
export function readMessages(folder: string): readonly MessageRecord[] {
  const path = join(folder, files.messages);
  return existsSync(path) ? readLines(path, parseMessage).records : [];
}

/** The names of the nodes that left a folder, in order. */
export function readNodes(folder: string): readonly string[] {
  const path = join(folder, files.nodes);
  if (!isFolder(path)) return [];
  return readdirSync(path).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** A node that wrote no audit has none: check `existsSync` on `auditPath` first. Throws AuditUnreadable. */
export function readAudit(folder: string, node: string): NodeAudit {
  return parseAudit(node, text(auditPath(folder, node)));
}

export function auditPath(folder: string, node: string): string {
  return join(folder, files.nodes, node, files.audit);
}

export function logPath(folder: string, node: string): string {
  return join(folder, files.nodes, node, files.log);
}

/** Starts and ends of a node's processes; none when the world has no processes. */
export function readProcesses(folder: string, node: string): readonly ProcessRecord[] {
  const path = join(folder, files.nodes, node, files.exits);
  return existsSync(path) ? readLines(path, parseProcessRecord).records : [];
}

/** A node's log lines as they are: a node that crashes writes text, too. */
export function readLog(folder: string, node: string): readonly string[] {
  return text(logPath(folder, node))
    .split('\n')
    .filter((line) => line !== '');
}

function readLines<T>(path: string, parse: (line: string, where: string) => T): Lines<T> {
  const lines = text(path).split('\n');
  const cut = lines.pop() !== '';
  const records: T[] = [];
  for (const [at, line] of lines.entries()) {
    if (line !== '') records.push(parse(line, `${path}:${at + 1}`));
  }
  return { records, cut };
}

function text(path: string): string {
  return bytes(path).toString('utf8');
}

function bytes(path: string): Buffer {
  return orRunFolderError(path, () => readFileSync(path));
}

function orRunFolderError<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new RunFolderError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

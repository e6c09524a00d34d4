import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unknown } from '../../checker/verdict.ts';
import { files } from '../store/layout.ts';
import {
  auditPath,
  logPath,
  readAudit,
  readFaults,
  readHistory,
  readLog,
  readNodes,
  readResults,
  readTest,
} from '../store/read.ts';
import { replace } from '../store/write.ts';
import type { ReportModel } from './model.ts';

/** Writes `report.html` and what stands beside it into the run's folder; returns the report's path. */
export function writeReport(folder: string): string {
  const path = join(folder, files.report);
  replace(path, buildReport(readModel(folder)));
  return path;
}

/** Reads a run folder, also one that was cut short: what is missing is left out, and shown as such. */
export function readModel(folder: string): ReportModel {
  const history = readHistory(folder);
  const nodes = readNodes(folder);
  const noResults = { valid: 'unknown', sections: { run: unknown('the run ended before it was judged') } } as const;
  return {
    test: readTest(folder),
    results: existsSync(join(folder, files.results)) ? readResults(folder) : noResults,
    history: history.records,
    historyCut: history.cut,
    faults: existsSync(join(folder, files.faults)) ? readFaults(folder).records : [],
    audits: nodes.filter((node) => existsSync(auditPath(folder, node))).map((node) => readAudit(folder, node)),
    logs: new Map(
      nodes.filter((node) => existsSync(logPath(folder, node))).map((node) => [node, readLog(folder, node)]),
    ),
  };
}

/** One HTML file that opens from disk with no network. */
export function buildReport(model: ReportModel): string {
  return `<!doctype html><meta charset="utf-8"><title>splitbrain</title><p>${String(model.results.valid)}</p>\n`;
}

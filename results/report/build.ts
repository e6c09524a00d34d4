import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuditUnreadable } from '../../checker/durability/audit-record.ts';
import { type Results, unknown } from '../../checker/verdict.ts';
import { files, safeName } from '../store/layout.ts';
import {
  auditPath,
  logPath,
  readAudit,
  readFaults,
  readHistory,
  readLog,
  readMessages,
  readNodes,
  readProcesses,
  readResults,
  readTest,
} from '../store/read.ts';
import { RunFolderError } from '../store/schema.ts';
import { replace } from '../store/write.ts';
import { anomalyText } from './anomaly-text.ts';
import { htmlOf } from './html.ts';
import type { ReportModel } from './model.ts';
import { operationsByIndex, pairOperations } from './operation.ts';
import { type Page, pageOf } from './page-model.ts';
import { svgFile } from './picture/svg.ts';

/** Pictures are for pasting into an issue; nobody pastes more than these. */
const picturesMax = 40;

/**
 * Writes `report.html`, and for anything but a valid run `anomaly.txt` and a picture of each timeline and cycle,
 * into the run's folder. Returns the report's path. May be called again: it replaces what is there.
 */
export function writeReport(folder: string): string {
  const model = readModel(folder);
  const page = pageOf(model);
  const path = join(folder, files.report);
  for (const name of readdirSync(folder)) if (/^anomaly\b.*\.(txt|svg)$/.test(name)) rmSync(join(folder, name));
  if (model.results.valid !== true) {
    replace(join(folder, files.anomaly), anomalyText(page, operationsByIndex(pairOperations(model.history))));
    for (const { name, text } of pictures(page)) writeFileSync(join(folder, name), text);
  }
  replace(path, htmlOf(page));
  return path;
}

function pictures({ page }: Page): { name: string; text: string }[] {
  return page.stories
    .flatMap((story, i) =>
      story.blocks.flatMap((block) =>
        block.type === 'picture'
          ? [{ name: `anomaly-${i + 1}-${safeName(story.kind)}-${block.name}.svg`, text: svgFile(block.picture) }]
          : [],
      ),
    )
    .slice(0, picturesMax);
}

/**
 * Reads a run folder, also one that was cut short: what is missing is left out, and what cannot be read is named.
 * @throws RunFolderError when test.json or the history cannot be read: nothing could be told without them
 */
export function readModel(folder: string): ReportModel {
  const unreadable: string[] = [];
  const tried = <T>(read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RunFolderError || error instanceof AuditUnreadable)) throw error;
      unreadable.push(error.message.replace(`${folder}/`, ''));
      return otherwise;
    }
  };
  const has = (path: string): boolean => existsSync(join(folder, path));
  const history = readHistory(folder);
  const nodes = readNodes(folder);
  const withAudit = nodes.filter((node) => existsSync(auditPath(folder, node)));
  const withLog = nodes.filter((node) => existsSync(logPath(folder, node)));
  const notJudged = (reason: string): Results => ({ valid: 'unknown', sections: { run: unknown(reason) } });
  const results = has(files.results)
    ? tried(() => readResults(folder), notJudged('results.json cannot be read'))
    : notJudged('the run ended before it was judged');
  return {
    test: readTest(folder),
    results,
    history: history.records,
    historyCut: history.cut,
    faults: has(files.faults) ? tried(() => readFaults(folder).records, []) : [],
    audits: withAudit.flatMap((node) => tried(() => [readAudit(folder, node)], [])),
    logs: new Map(withLog.map((node) => [node, tried(() => readLog(folder, node), [])])),
    messages: tried(() => readMessages(folder), []),
    processes: new Map(nodes.map((node) => [node, tried(() => readProcesses(folder, node), [])])),
    unreadable,
    files: [
      ...[files.test, files.history, files.faults, files.messages, files.results].filter(has),
      ...(results.valid === true ? [] : [files.anomaly]),
      ...withLog.map((node) => `${files.nodes}/${node}/${files.log}`),
      ...withAudit.map((node) => `${files.nodes}/${node}/${files.audit}`),
    ],
  };
}

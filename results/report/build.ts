import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unknown } from '../../checker/verdict.ts';
import { files, safeName } from '../store/layout.ts';
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
  replace(path, htmlOf(page));
  if (model.results.valid !== true) {
    replace(join(folder, files.anomaly), anomalyText(page, operationsByIndex(pairOperations(model.history))));
    for (const { name, text } of pictures(page)) writeFileSync(join(folder, name), text);
  }
  return path;
}

/** One HTML file that opens from disk with no network. */
export function buildReport(model: ReportModel): string {
  return htmlOf(pageOf(model));
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

/** Reads a run folder, also one that was cut short: what is missing is left out, and the report says so. */
export function readModel(folder: string): ReportModel {
  const history = readHistory(folder);
  const nodes = readNodes(folder);
  const withAudit = nodes.filter((node) => existsSync(auditPath(folder, node)));
  const withLog = nodes.filter((node) => existsSync(logPath(folder, node)));
  const noResults = { valid: 'unknown', sections: { run: unknown('the run ended before it was judged') } } as const;
  const present = [files.test, files.history, files.faults, files.results, files.anomaly].filter((name) =>
    existsSync(join(folder, name)),
  );
  return {
    test: readTest(folder),
    results: existsSync(join(folder, files.results)) ? readResults(folder) : noResults,
    history: history.records,
    historyCut: history.cut,
    faults: existsSync(join(folder, files.faults)) ? readFaults(folder).records : [],
    audits: withAudit.map((node) => readAudit(folder, node)),
    logs: new Map(withLog.map((node) => [node, readLog(folder, node)])),
    files: [
      ...present,
      ...withLog.map((node) => `${files.nodes}/${node}/${files.log}`),
      ...withAudit.map((node) => `${files.nodes}/${node}/${files.audit}`),
    ],
  };
}

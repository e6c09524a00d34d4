import { statSync } from 'node:fs';
import type { Argv } from 'yargs';
import { HistoryError } from '../../checker/history/history-error.ts';
import { isModelName, modelNames } from '../../checker/model/models.ts';
import { mergeSections } from '../../checker/verdict.ts';
import { writeReport } from '../../results/report/build.ts';
import { defaultRunsRoot } from '../../results/store/layout.ts';
import { findRun, readTest } from '../../results/store/read.ts';
import { writeResults } from '../../results/store/write.ts';
import { checkFile } from '../check/check-file.ts';
import { judge } from '../runner/judge.ts';
import { exitCodeOf } from './exit.ts';
import { oneOf, text } from './flags.ts';
import { UsageError } from './usage-error.ts';
import { verdictText } from './verdict-text.ts';

/** What main makes of `-`, which yargs would swallow as a positional argument. */
export const standardInput = '/dev/stdin';

const models = new Map(modelNames.filter(isModelName).map((name) => [name, name]));
const failedCasReadings = new Map((['observed', 'ignored'] as const).map((name) => [name, name]));

function flags(yargs: Argv) {
  return yargs
    .positional('what', {
      describe: 'A run folder, a test (its latest run), latest, a history file, or - for standard input',
      default: 'latest',
      type: 'string',
      coerce: text('what'),
    })
    .option('model', {
      describe: `For a history file: ${modelNames.join(', ')}`,
      defaultDescription: '"cas-register"',
      type: 'string',
      requiresArg: true,
      coerce: oneOf('model', models),
    })
    .option('failed-cas', {
      describe: 'For a history file: a failed compare was observed, or says nothing',
      defaultDescription: 'observed, where its error says so',
      type: 'string',
      requiresArg: true,
      coerce: oneOf('failed-cas', failedCasReadings),
    })
    .option('results', {
      describe: 'Where run folders are',
      default: defaultRunsRoot,
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    })
    .option('json', { describe: 'Print the verdict as JSON', type: 'boolean', default: false });
}

type Flags = Awaited<ReturnType<typeof flags>['argv']>;

export const checkCommand = {
  command: 'check [what]',
  describe: 'Judge a run again from its folder alone, or any history: NDJSON, Jepsen EDN, JSON or text',
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 check', 'the latest run')
      .example('$0 check history.edn --model cas-register', "another tool's history"),
  handler: (given: Flags) => (isFile(given.what) ? checkHistory(given) : checkRun(given)),
};

/** Judges, writes results.json and report.html anew, tells the verdict; gives the exit code. */
async function checkRun({ what, results: root, model, failedCas, json }: Flags): Promise<number> {
  if (model !== undefined) throw new UsageError('--model is for history files; a run says itself what it was');
  if (failedCas !== undefined) throw new UsageError('--failed-cas is for history files');
  const folder = findRun(root, what);
  const { name, nodes, seed } = readTest(folder);
  const results = judge(folder);
  writeResults(folder, results);
  const report = writeReport(folder);
  if (json) {
    console.log(JSON.stringify({ folder, report, ...results }));
  } else {
    const title = `${name} on ${nodes.length} nodes, seed ${seed}`;
    console.log(verdictText(results, title, [['report', report]], process.stdout));
  }
  return exitCodeOf(results.valid);
}

async function checkHistory({ what, model = 'cas-register', failedCas, json }: Flags): Promise<number> {
  const name = what === standardInput ? '-' : what;
  try {
    const checked = await checkFile(name, { model, ...(failedCas === undefined ? {} : { failedCas }) });
    for (const warning of checked.warnings) process.stderr.write(`${name}: ${warning}\n`);
    const results = mergeSections({ linear: checked.section });
    if (json) console.log(JSON.stringify(results));
    else console.log(verdictText(results, `${name} as ${model}`, [], process.stdout));
    return exitCodeOf(results.valid);
  } catch (error) {
    if (error instanceof HistoryError) throw new UsageError(`${name}: ${error.message}`);
    throw error;
  }
}

function isFile(what: string): boolean {
  return what === standardInput || (statSync(what, { throwIfNoEntry: false })?.isFile() ?? false);
}

import type { Argv } from 'yargs';
import { HistoryError } from '../../checker/history/history-error.ts';
import type { Value } from '../../checker/history/op.ts';
import { mergeSections, type Section } from '../../checker/verdict.ts';
import { writeReport } from '../../results/report/build.ts';
import { findRun, readTest } from '../../results/store/read.ts';
import { writeResults } from '../../results/store/write.ts';
import { checkFile } from '../check/check-file.ts';
import { exitCodeOf } from './exit.ts';
import { runsRoot, text } from './flags.ts';
import { isFile, standardInput } from './history-file.ts';
import { judgeHistoryRun } from './history-run.ts';
import { modelFlags, modelOf, refuseModel } from './model-flags.ts';
import { UsageError } from './usage-error.ts';
import { verdictText } from './verdict-text.ts';

function flags(yargs: Argv) {
  return modelFlags(yargs)
    .positional('what', {
      describe: 'A run folder, a test (its latest run), latest, a history file, or - for standard input',
      default: 'latest',
      type: 'string',
      coerce: text('what'),
    })
    .option('results', runsRoot)
    .option('json', { describe: 'Print the verdict as JSON', type: 'boolean', default: false });
}

type Flags = Awaited<ReturnType<typeof flags>['argv']>;

export const checkCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 check', 'the latest run')
      .example('$0 check history.edn --model cas-register', "another tool's history")
      .example('$0 check history.json --model list-append', 'transactions'),
  handler: (given: Flags) => (isFile(given.what) ? checkHistory(given) : checkRun(given)),
};

/** Judges, writes results.json and report.html anew, tells the verdict; gives the exit code. */
async function checkRun(given: Flags): Promise<number> {
  refuseModel(given);
  const { what, results: root, json } = given;
  const folder = findRun(root, what);
  const { name, nodes, seed, world } = readTest(folder);
  // A history file is judged without all that a run may need, which takes longer to load than most take to judge.
  const { judge } = await import('../runner/judge.ts');
  const results = world === 'history' ? await judgeHistoryRun(folder) : judge(folder);
  writeResults(folder, results);
  const report = writeReport(folder);
  if (json) {
    console.log(JSON.stringify({ folder, report, ...results }));
  } else {
    const title = world === 'history' ? name : `${name} on ${nodes.length} nodes, seed ${seed}`;
    console.log(verdictText(results, title, [['report', report]], process.stdout));
  }
  return exitCodeOf(results.valid);
}

async function checkHistory(given: Flags): Promise<number> {
  const { what, json } = given;
  const path = what === standardInput ? '-' : what;
  const { name, model, options } = modelOf(given);
  try {
    const { section, warnings } = await checkFile(path, model, options);
    for (const warning of warnings) process.stderr.write(`${path}: ${warning}\n`);
    const results = mergeSections({ [model.section]: section });
    if (json) console.log(JSON.stringify(results));
    else console.log(verdictText(results, `${path} as ${name}`, consistency(section), process.stdout));
    return exitCodeOf(results.valid);
  } catch (error) {
    if (error instanceof HistoryError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

/** Lines on which consistency models a history of transactions rules out. */
function consistency({ details = {} }: Section): (readonly [label: string, text: string])[] {
  const told = (label: string, names: Value | undefined): (readonly [string, string])[] =>
    Array.isArray(names) && names.length > 0 ? [[label, names.join(', ')]] : [];
  return [
    ...told('anomaly types', details.anomalyTypes),
    ...told('undecided', details.undecided),
    ...told('not', details.not),
    ...told('also not', details.alsoNot),
  ];
}

import type { Argv } from 'yargs';
import { HistoryError } from '../../checker/history/history-error.ts';
import { writeReport } from '../../results/report/build.ts';
import { findRun } from '../../results/store/read.ts';
import { exitCodeOf, exitCodes } from './exit.ts';
import { runsRoot, text } from './flags.ts';
import { isFile } from './history-file.ts';
import { keepHistoryRun } from './history-run.ts';
import { modelFlags, refuseModel } from './model-flags.ts';
import { UsageError } from './usage-error.ts';

function flags(yargs: Argv) {
  return modelFlags(yargs)
    .positional('what', {
      describe: 'A run folder, a test (its latest run), latest, or a history file',
      default: 'latest',
      type: 'string',
      coerce: text('what'),
    })
    .option('results', runsRoot);
}

type Flags = Awaited<ReturnType<typeof flags>['argv']>;

export const reportCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 report', 'of the latest run')
      .example('$0 report history.edn --model cas-register', "of another tool's history, as a run of its own"),
  handler: report,
};

/** Prints the report's path; gives the exit code: of a history file its verdict, as `check` has it. */
async function report(given: Flags): Promise<number> {
  const { what, results: root } = given;
  if (!isFile(what)) {
    refuseModel(given);
    console.log(writeReport(findRun(root, what)));
    return exitCodes.valid;
  }
  try {
    const { folder, results, warnings } = await keepHistoryRun(what, given, root);
    for (const warning of warnings) process.stderr.write(`${what}: ${warning}\n`);
    console.log(writeReport(folder));
    return exitCodeOf(results.valid);
  } catch (error) {
    if (error instanceof HistoryError) throw new UsageError(`${what}: ${error.message}`);
    throw error;
  }
}

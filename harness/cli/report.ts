import type { Argv } from 'yargs';
import { writeReport } from '../../results/report/build.ts';
import { defaultRunsRoot } from '../../results/store/layout.ts';
import { findRun } from '../../results/store/read.ts';
import { exitCodes } from './exit.ts';
import { text } from './flags.ts';

function flags(yargs: Argv) {
  return yargs
    .positional('run', {
      describe: 'A run folder, a test (its latest run), or latest',
      default: 'latest',
      type: 'string',
      coerce: String,
    })
    .option('results', {
      describe: 'Where run folders are',
      default: defaultRunsRoot,
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    });
}

export const reportCommand = {
  command: 'report [run]',
  describe: "Write a run's report.html again",
  builder: flags,
  handler: report,
};

/** Prints the report's path; gives the exit code. */
async function report({ run, results: root }: Awaited<ReturnType<typeof flags>['argv']>): Promise<number> {
  console.log(writeReport(findRun(root, run)));
  return exitCodes.valid;
}

import type { Argv } from 'yargs';
import { writeReport } from '../../results/report/build.ts';
import { defaultRunsRoot } from '../../results/store/layout.ts';
import { findRun, readTest } from '../../results/store/read.ts';
import { writeResults } from '../../results/store/write.ts';
import { judge } from '../runner/judge.ts';
import { exitCodeOf } from './exit.ts';
import { text } from './flags.ts';
import { verdictText } from './verdict-text.ts';

function flags(yargs: Argv) {
  return yargs
    .positional('run', {
      describe: 'A run folder, a test (its latest run), or latest',
      default: 'latest',
      coerce: String,
    })
    .option('results', { describe: 'Where run folders are', default: defaultRunsRoot, coerce: text('results') })
    .option('json', { describe: 'Print the verdict as JSON', type: 'boolean', default: false });
}

export const checkCommand = {
  command: 'check [run]',
  describe: 'Judge a run again, from its folder alone',
  builder: (yargs: Argv) => flags(yargs).example('$0 check', 'the latest run'),
  handler: check,
};

/** Judges, writes results.json and report.html anew, tells the verdict; gives the exit code. */
async function check({ run, results: root, json }: Awaited<ReturnType<typeof flags>['argv']>): Promise<number> {
  const folder = findRun(root, run);
  const { name, nodes, seed } = readTest(folder);
  const results = judge(folder);
  writeResults(folder, results);
  const report = writeReport(folder);
  if (json) console.log(JSON.stringify({ folder, report, ...results }));
  else
    console.log(
      verdictText(results, `${name} on ${nodes.length} nodes, seed ${seed}`, [['report', report]], process.stdout),
    );
  return exitCodeOf(results.valid);
}

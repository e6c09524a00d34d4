import { statSync, writeFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import type { History } from '../../checker/history/op.ts';
import { findRun, readHistory as readRunHistory } from '../../results/store/read.ts';
import { ExportError, exportFormats } from '../check/export-history.ts';
import { readHistory } from '../check/read-history.ts';
import { exitCodes } from './exit.ts';
import { oneOf, runsRoot, text } from './flags.ts';
import { UsageError } from './usage-error.ts';

function flags(yargs: Argv) {
  return yargs
    .positional('what', {
      describe: 'A run folder, a test (its latest run), latest, or a history file',
      default: 'latest',
      type: 'string',
      coerce: text('what'),
    })
    .option('format', {
      describe: `As whom: ${[...exportFormats.keys()].join(', ')}`,
      demandOption: true,
      type: 'string',
      requiresArg: true,
      coerce: oneOf('format', exportFormats),
    })
    .option('out', {
      describe: 'The file to write',
      defaultDescription: 'standard output',
      type: 'string',
      requiresArg: true,
      coerce: text('out'),
    })
    .option('results', runsRoot);
}

type Flags = Awaited<ReturnType<typeof flags>['argv']>;

export const exportCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 export latest --format edn --out history.edn', "for Jepsen's checkers, Elle, Knossos")
      .example('$0 export history.ndjson --format porcupine', 'to standard output'),
  handler: exportHistory,
};

async function exportHistory({ what, format, out, results }: Flags): Promise<number> {
  const history = await historyOf(what, results);
  try {
    const lines = [...format(history)];
    writeFileSync(out ?? process.stdout.fd, lines.map((line) => `${line}\n`).join(''));
  } catch (error) {
    if (error instanceof ExportError) throw new UsageError(`${what}: ${error.message}`);
    throw error;
  }
  return exitCodes.valid;
}

async function historyOf(what: string, root: string): Promise<History> {
  const isFile = statSync(what, { throwIfNoEntry: false })?.isFile() ?? false;
  return isFile ? (await readHistory(what)).events.ops() : readRunHistory(findRun(root, what)).records;
}

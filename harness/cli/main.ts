#!/usr/bin/env node
import yargs, { type Argv } from 'yargs';
import { version } from '../version.ts';
import { benchCommand } from './bench.ts';
import { checkCommand, standardInput } from './check.ts';
import { doctorCommand } from './doctor.ts';
import { exitCodes, explain } from './exit.ts';
import { exportCommand } from './export.ts';
import { mutantsCommand } from './mutants.ts';
import { nightlyCommand } from './nightly.ts';
import { replayCommand } from './replay.ts';
import { reportCommand } from './report.ts';
import { serveCommand } from './serve.ts';
import { shrinkCommand } from './shrink.ts';
import { simCommand } from './sim.ts';
import { testCommand } from './test.ts';
import { UsageError } from './usage-error.ts';
import { workerCommand } from './worker.ts';

/** Each verb is a module with its flags and a handler that gives the exit code. */
async function main(words: readonly string[]): Promise<number> {
  let code: number = exitCodes.valid;
  const ended = (given: number) => {
    code = given;
  };
  await yargs(words.map((word) => (word === '-' ? standardInput : word)))
    .scriptName('splitbrain')
    .usage('$0 <verb>\n\nBreaks a cluster on purpose and proves whether it kept its promises.')
    .command(testCommand.command, testCommand.describe, testCommand.builder, (argv) =>
      testCommand.handler(argv).then(ended),
    )
    .command(simCommand.command, simCommand.describe, simCommand.builder, (argv) =>
      simCommand.handler(argv).then(ended),
    )
    .command(checkCommand.command, checkCommand.describe, checkCommand.builder, (argv) =>
      checkCommand.handler(argv).then(ended),
    )
    .command(reportCommand.command, reportCommand.describe, reportCommand.builder, (argv) =>
      reportCommand.handler(argv).then(ended),
    )
    .command(exportCommand.command, exportCommand.describe, exportCommand.builder, (argv) =>
      exportCommand.handler(argv).then(ended),
    )
    .command(replayCommand.command, replayCommand.describe, replayCommand.builder, (argv) =>
      replayCommand.handler(argv).then(ended),
    )
    .command(shrinkCommand.command, shrinkCommand.describe, shrinkCommand.builder, (argv) =>
      shrinkCommand.handler(argv).then(ended),
    )
    .command(serveCommand.command, serveCommand.describe, serveCommand.builder, (argv) =>
      serveCommand.handler(argv).then(ended),
    )
    .command(mutantsCommand.command, mutantsCommand.describe, mutantsCommand.builder, (argv) =>
      mutantsCommand.handler(argv).then(ended),
    )
    .command(
      nightlyCommand.command,
      nightlyCommand.describe,
      (argv: Argv) => nightlyCommand.builder(argv, ended),
      (argv) => nightlyCommand.handler(argv).then(ended),
    )
    .command(workerCommand.command, workerCommand.describe, workerCommand.builder, (argv) =>
      workerCommand.handler(argv).then(ended),
    )
    .command(benchCommand.command, benchCommand.describe, (argv: Argv) => benchCommand.builder(argv, ended))
    .command(doctorCommand.command, doctorCommand.describe, doctorCommand.builder, (argv) =>
      doctorCommand.handler(argv).then(ended),
    )
    .demandCommand(
      1,
      'say what to do: splitbrain test, sim, mutants, nightly, worker, check, export, replay, shrink, report, serve, bench or doctor; --help tells more',
    )
    .strict()
    .version(version)
    .help()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .epilog('Exit codes: 0 valid, 1 invalid, 2 unknown, 254 wrong arguments or input, 255 the harness itself failed.')
    .exitProcess(false)
    .fail((message, error) => {
      // What a flag's parser throws comes back as yargs' own error, with the message kept.
      if (error?.name === 'YError') throw new UsageError(error.message);
      throw error ?? new UsageError(message.includes('--help') ? message : `${message} (--help lists what there is)`);
    })
    .parseAsync();
  return code;
}

function fail(error: unknown): never {
  const { line, code } = explain(error);
  process.stderr.write(`splitbrain: ${line}\n`);
  if (process.env.SPLITBRAIN_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(code);
}

process.on('uncaughtException', fail);
// Whoever reads the output may have gone; the run folder has everything.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
main(process.argv.slice(2)).then((code) => process.exit(code), fail);

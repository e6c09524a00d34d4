import yargs, { type ArgumentsCamelCase, type Argv } from 'yargs';
import { version } from '../version.ts';
import { exitCodes } from './exit.ts';
import { standardInput } from './history-file.ts';
import { UsageError } from './usage-error.ts';

type Ended = (code: number) => void;

/** Each verb is a module with its flags and a handler that gives the exit code. */
interface Verb<Flags> {
  /** @param ended is given the exit code of a verb below this one */
  readonly builder: (yargs: Argv, ended: Ended) => Argv<Flags>;
  /** Absent where it takes a verb below it. */
  readonly handler?: (given: ArgumentsCamelCase<Flags>) => Promise<number>;
}

/**
 * Does what the words after `splitbrain` say and gives the exit code.
 * @throws what exit.ts explains: a mistake of the user's, or the harness's own failure
 */
export async function splitbrain(words: readonly string[]): Promise<number> {
  let code: number = exitCodes.valid;
  const ended: Ended = (given) => {
    code = given;
  };
  const cli = yargs(words.map((word) => (word === '-' ? standardInput : word)));
  /** Only the verb that was given is loaded: all of them take several times as long as the shortest ones run. */
  function add<Flags>(command: string, describe: string, load: () => Promise<Verb<Flags>>): void {
    cli.command(
      command,
      describe,
      async (argv: Argv) => (await load()).builder(argv, ended),
      async (given) => ended((await (await load()).handler?.(given)) ?? code),
    );
  }
  add(
    'test',
    'Run a real cluster, break it, and judge what its clients saw',
    async () => (await import('./test.ts')).testCommand,
  );
  add(
    'sim',
    'Run the same system, workloads, faults and checkers in a deterministic simulation',
    async () => (await import('./sim.ts')).simCommand,
  );
  add(
    'check [what]',
    'Judge a run again from its folder alone, or any history: NDJSON, Jepsen EDN, JSON or text',
    async () => (await import('./check.ts')).checkCommand,
  );
  add(
    'report [what]',
    "Write a run's report.html again, or judge a history file and write a report of it",
    async () => (await import('./report.ts')).reportCommand,
  );
  add(
    'export [what]',
    "Write a history in another checker's format: Jepsen's EDN, Porcupine's kv",
    async () => (await import('./export.ts')).exportCommand,
  );
  add(
    'replay [run]',
    'Run a run again: a simulated one must come out identical; a real one is repeated',
    async () => (await import('./replay.ts')).replayCommand,
  );
  add(
    'shrink [what]',
    'Make a failing simulated run, or any history, small while its anomaly stays',
    async () => (await import('./shrink.ts')).shrinkCommand,
  );
  add(
    'serve',
    'A local page over all runs: find, compare, follow one that runs, download',
    async () => (await import('./serve.ts')).serveCommand,
  );
  add(
    'mutants',
    'Plant bugs that real systems shipped, one after another, and see whether each is found',
    async () => (await import('./mutants.ts')).mutantsCommand,
  );
  add(
    'nightly [config]',
    'Run a matrix of targets, workloads and faults in both worlds within a time budget, canaries first',
    async () => (await import('./nightly.ts')).nightlyCommand,
  );
  add(
    'worker',
    'Do jobs of nights that others began with nightly --queue, until Ctrl-C',
    async () => (await import('./worker.ts')).workerCommand,
  );
  add(
    'bench',
    'Measure the store beside etcd, the checkers, the harness or the simulator',
    async () => (await import('./bench.ts')).benchCommand,
  );
  add(
    'doctor',
    'Say which faults this machine allows, by which mechanisms, and what to install for more',
    async () => (await import('./doctor.ts')).doctorCommand,
  );
  await cli
    .scriptName('splitbrain')
    .usage('$0 <verb>\n\nBreaks a cluster on purpose and proves whether it kept its promises.')
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
      throw error ?? new UsageError(message.includes('--help') ? message : `${message} (--help lists what there is)`);
    })
    .parseAsync()
    .catch((error: unknown) => {
      // What a flag's parser throws comes back as yargs' own error, with the message kept.
      if (error instanceof Error && error.name === 'YError') throw new UsageError(error.message);
      throw error;
    });
  return code;
}

import { writeFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import { checkerBench } from '../bench/checker.ts';
import { growthBench } from '../bench/growth.ts';
import { harnessBench } from '../bench/harness.ts';
import { restartBench } from '../bench/restart.ts';
import { simBench } from '../bench/sim.ts';
import { findBench } from '../bench/sim-find.ts';
import { systemBench } from '../bench/system.ts';
import { exitCodes } from './exit.ts';
import { integer, text } from './flags.ts';

/** A benchmark gives the lines of its tables as it comes to them. */
type Lines = Iterable<string> | AsyncIterable<string>;

const checkerFlags = (yargs: Argv) =>
  yargs.option('part', {
    describe: 'Only one part of it, by its number; the whole gives each a process of its own',
    type: 'string',
    requiresArg: true,
    coerce: integer('part', 1, 1000),
  });

const systemFlags = (yargs: Argv) =>
  yargs
    .option('seconds', {
      describe: 'How long each measurement takes',
      defaultDescription: '3, with --short 1',
      type: 'string',
      requiresArg: true,
      coerce: integer('seconds', 1, 3600),
    })
    .option('rounds', {
      describe: 'How often each is taken; the two stores in turn',
      defaultDescription: '3, with --short 1',
      type: 'string',
      requiresArg: true,
      coerce: integer('rounds', 1, 1000),
    })
    .option('clients', {
      describe: 'Clients at once, one measurement for each number',
      defaultDescription: '1,16,64,256, with --short 1,64',
      type: 'string',
      requiresArg: true,
      coerce: (given: unknown) =>
        text('clients')(given)
          .split(',')
          .map(integer('clients', 1, 4096)),
    })
    .option('short', { describe: 'Under a minute, to see that it works', type: 'boolean', default: false })
    .option('measurements', {
      describe: 'Write every single measurement to this file, as JSON',
      type: 'string',
      requiresArg: true,
      coerce: text('measurements'),
    });

const growthFlags = (yargs: Argv) =>
  yargs.option('puts', {
    describe: 'How many puts, twice: of a thousand keys, and of as many keys as puts',
    default: '1000000',
    type: 'string',
    requiresArg: true,
    coerce: integer('puts', 1000, 99_999_999),
  });

const restartFlags = (yargs: Argv) =>
  yargs.option('keys', {
    describe: 'How many keys the node holds',
    default: '1000000',
    type: 'string',
    requiresArg: true,
    coerce: integer('keys', 1000, 99_999_999),
  });

const findFlags = (yargs: Argv) =>
  yargs.option('starts', {
    describe: 'How many times for each bug, from other seeds each time',
    default: '10',
    type: 'string',
    requiresArg: true,
    coerce: integer('starts', 1, 1000),
  });

function system(given: Awaited<ReturnType<typeof systemFlags>['argv']>): Lines {
  const { short, measurements } = given;
  return systemBench({
    seconds: given.seconds ?? (short ? 1 : 3),
    rounds: given.rounds ?? (short ? 1 : 3),
    clients: given.clients ?? (short ? [1, 64] : [1, 16, 64, 256]),
    progress,
    ...(measurements !== undefined && { json: (runs) => writeFileSync(measurements, `${JSON.stringify(runs)}\n`) }),
  });
}

export const benchCommand = {
  /** @param ended is given the exit code */
  builder: (yargs: Argv, ended: (code: number) => void) => {
    const print = (lines: Lines) => told(lines).then(ended);
    return yargs
      .command('checker', 'The checkers of histories', checkerFlags, (argv) => print(checkerBench(argv.part)))
      .command('harness', 'The harness itself, against a map in memory', {}, () => print(harnessBench()))
      .command('sim', 'The simulator', {}, () => print(simBench()))
      .command('find', 'How soon simulation finds planted bugs', findFlags, (argv) => print(findBench(argv.starts)))
      .command('system', 'Three nodes of the store beside three of etcd', systemFlags, (argv) => print(system(argv)))
      .command(
        'growth',
        'Memory, pauses for snapshots and a restart, over many puts and many keys',
        growthFlags,
        (argv) => print(growthBench(argv.puts, progress)),
      )
      .command('restart', 'How long a node with many keys takes to come back', restartFlags, (argv) =>
        print(restartBench(argv.keys, progress)),
      )
      .demandCommand(1, 'say what to measure: splitbrain bench checker, harness, sim, find, system, growth or restart');
  },
};

async function told(lines: Lines): Promise<number> {
  for await (const line of lines) console.log(line);
  return exitCodes.valid;
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\x1b[2K\r${line}\r`);
}

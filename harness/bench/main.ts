import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkerBench } from './checker.ts';
import { growthBench } from './growth.ts';
import { harnessBench } from './harness.ts';
import { simBench } from './sim.ts';
import { systemBench } from './system.ts';

const usage = `usage: npm run bench -- NAME [flags]
  checker   the checkers of histories
  harness   the harness itself, against a map in memory
  sim       the simulator
  system    three nodes of the store beside three of etcd
    --seconds N   of each measurement (default 3)
    --rounds N    (default 3)
    --clients A,B (default 1,16,64,256)
    --short       1 second, 1 round, 1 and 64 clients
    --json FILE   every single measurement
  growth    memory, pauses for snapshots and a restart, over a million puts and a million keys
    --puts N      (default 1000000)
`;

class UsageError extends Error {}

/** The benchmarks, by name; each gives the lines of its tables. */
const benches: {
  readonly [name: string]: (flags: Flags) => Iterable<string> | AsyncIterable<string>;
} = {
  checker: checkerBench,
  harness: harnessBench,
  sim: simBench,
  system: ({ seconds, rounds, clients, short, json }) =>
    systemBench({
      seconds: whole('seconds', seconds ?? (short ? '1' : '3')),
      rounds: whole('rounds', rounds ?? (short ? '1' : '3')),
      clients: (clients ?? (short ? '1,64' : '1,16,64,256')).split(',').map((count) => whole('clients', count)),
      progress,
      ...(json === undefined ? {} : { json: (runs) => writeFileSync(json, `${JSON.stringify(runs)}\n`) }),
    }),
  growth: ({ puts }) => growthBench(whole('puts', puts ?? '1000000'), progress),
};

type Flags = ReturnType<typeof given>['values'];

function given() {
  return parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      clients: { type: 'string' },
      json: { type: 'string' },
      puts: { type: 'string' },
      short: { type: 'boolean', default: false },
    },
  });
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (/^\d{1,8}$/.test(text) && value > 0) return value;
  throw new UsageError(`--${name} ${text}: must be whole and above 0`);
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\x1b[2K\r${line}\r`);
}

try {
  const { positionals, values } = given();
  const bench = positionals.length === 1 ? benches[positionals[0]!] : undefined;
  if (bench === undefined) throw new UsageError('say one of the names');
  for await (const line of bench(values)) process.stdout.write(`${line}\n`);
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(isUsage ? `${message}\n${usage}` : `bench: ${message}\n`);
  process.exitCode = isUsage ? 254 : 255;
}

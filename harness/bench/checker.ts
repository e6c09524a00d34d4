import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { parseHistory } from '../../checker/history/parse.ts';
import { checkLinear } from '../../checker/linear/check.ts';
import type { LinearOptions } from '../../checker/linear/options.ts';
import { UsageError } from '../cli/usage-error.ts';
import { type HistoryShape, historyLines } from './checker-histories.ts';
import { txnParts } from './txn.ts';

const base: HistoryShape = {
  seed: 7,
  operations: 1_000_000,
  keys: 100,
  clients: 50,
  values: 0,
  casPercent: 0,
  unknownPermille: 0,
  stale: false,
};

interface Case {
  readonly name: string;
  readonly shape: HistoryShape;
  /** What the check may cost: a share of JSON.parse over the lines, parser included, or milliseconds on top of it. */
  readonly target: { readonly share: number } | { readonly checkMs: number };
}

const few = { ...base, operations: 100_000, keys: 500, values: 5, casPercent: 30 };
const one = { ...base, operations: 10_000, keys: 1, clients: 20, values: 5 };
const cases: readonly Case[] = [
  { name: '1M operations, 100 keys', shape: base, target: { share: 0.6 } },
  { name: '… a tenth cas', shape: { ...base, casPercent: 10 }, target: { share: 0.6 } },
  { name: '… with unknown outcomes', shape: { ...base, unknownPermille: 5 }, target: { share: 0.6 } },
  { name: '… one stale read', shape: { ...base, stale: true }, target: { share: 0.6 } },
  { name: '1M operations, one key', shape: { ...base, keys: 1 }, target: { share: 0.6 } },
  { name: '… with unknown outcomes', shape: { ...base, keys: 1, unknownPermille: 5 }, target: { share: 0.6 } },
  { name: '… one stale read', shape: { ...base, keys: 1, stale: true }, target: { share: 0.6 } },
  { name: '5 values, cas, 100k operations, 500 keys', shape: few, target: { checkMs: 25 } },
  { name: '5 values, 20 clients, 10k operations, one key', shape: one, target: { checkMs: 1000 } },
  { name: '… with cas', shape: { ...one, casPercent: 30 }, target: { checkMs: 1000 } },
];

const header = [
  '| history | JSON.parse ms | parse ms | check ms | (parse + check) / JSON.parse | target | verdict by | memory MB |',
  '|---|---|---|---|---|---|---|---|',
];

/** Each history is judged so often at least, and until so much time has passed: the engine has compiled what it runs. */
const RUNS = 3;
const RUNS_MS = 4_000;
const now = (): number => performance.now();

/** What is measured in one process. */
type Part = () => Iterable<string>;

const parts: readonly Part[] = [
  ...cases.map(
    (one, at): Part =>
      () => [...(at === 0 ? header : []), row(one)],
  ),
  () => etcdLogs(),
  ...txnParts,
];

/**
 * The tables of the checkers' speed: the best of some runs, warm, each beside `JSON.parse` over the same lines. Each
 * part has a process of its own, as a check has: what the engine has learnt of one history makes it slower on another.
 * @param only one part, in this process
 */
export async function* checkerBench(only?: number): AsyncGenerator<string> {
  if (only !== undefined) {
    const part = parts[only - 1];
    if (part === undefined) throw new UsageError(`--part is from 1 to ${parts.length}, not ${only}`);
    yield* part();
    return;
  }
  for (let at = 1; at <= parts.length; at++) {
    const words = [...process.execArgv, process.argv[1]!, 'bench', 'checker', '--part', String(at)];
    yield (await execa(process.execPath, words, { stderr: 'inherit' })).stdout;
  }
}

function row({ name, shape, target }: Case): string {
  let lines: string[] | undefined = historyLines(shape);
  const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`);
  const json: number[] = [];
  const parsing: number[] = [];
  const checking: number[] = [];
  let verdict = '';
  for (const end = now() + RUNS_MS; json.length < RUNS || now() < end; ) {
    const start = now();
    for (const line of lines) JSON.parse(line);
    json.push(now() - start);
  }
  // The lines are the yardstick's, not the checker's.
  lines = undefined;
  for (const end = now() + RUNS_MS; checking.length < RUNS || now() < end; ) {
    let start = now();
    const { events } = parseHistory(bytes);
    parsing.push(now() - start);
    start = now();
    const section = checkLinear(events, { model: 'cas-register', now });
    checking.push(now() - start);
    verdict = `${section.valid} by ${Object.keys(section.details?.paths ?? {}).join(', ')}`;
  }
  const [yardstick, parse, check] = [json, parsing, checking].map((some) => Math.min(...some)) as [
    number,
    number,
    number,
  ];
  const share = (parse + check) / yardstick;
  const kept = 'share' in target ? share < target.share : check <= target.checkMs;
  const aim = 'share' in target ? `< ${target.share}` : `check ≤ ${target.checkMs} ms`;
  const memory = Math.round(process.memoryUsage.rss() / 1e6);
  return `| ${name} | ${yardstick.toFixed(0)} | ${parse.toFixed(0)} | ${check.toFixed(1)} | ${share.toFixed(2)} | ${aim}${kept ? '' : ' MISSED'} | ${verdict} | ${memory} |`;
}

/** Porcupine's etcd logs, when the folder of public histories is there: each one's best time, warm. */
function* etcdLogs(): Generator<string> {
  const folder = join(process.env.SPLITBRAIN_SHARED ?? join('..', 'shared'), 'histories', 'porcupine', 'jepsen');
  yield '';
  if (!existsSync(folder)) {
    yield `etcd logs: skipped, no ${folder}`;
    return;
  }
  const options: LinearOptions = { model: 'cas-register', failedCas: 'observed', explain: false };
  const histories = readdirSync(folder).map((file) => parseHistory(readFileSync(join(folder, file))).events);
  const times = histories.map(() => Number.POSITIVE_INFINITY);
  for (const end = now() + RUNS_MS; now() < end; ) {
    for (const [at, events] of histories.entries()) {
      const start = now();
      checkLinear(events, options);
      times[at] = Math.min(times[at]!, now() - start);
    }
  }
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? 0;
  yield `etcd logs: ${times.length}, best check of each, warm: median ${median.toFixed(3)} ms, worst ${(times.at(-1) ?? 0).toFixed(3)} ms`;
}

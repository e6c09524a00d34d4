import { writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HistoryError } from '../../checker/history/history-error.ts';
import { encodeOp } from '../../checker/history/ndjson.ts';
import type { Op } from '../../checker/history/op.ts';
import { mergeSections } from '../../checker/verdict.ts';
import { counted } from '../../checker/words.ts';
import { checkFile } from '../check/check-file.ts';
import type { CheckModel, ModelOptions } from '../check/check-models.ts';
import { readHistory } from '../check/read-history.ts';
import { type ShrunkHistory, shrinkHistory } from '../check/shrink-history.ts';
import { signatureOf } from '../simulate/signature.ts';
import { exitCodes } from './exit.ts';
import { standardInput } from './history-file.ts';
import { interruptible } from './interruptible.ts';
import { flagWords, type ModelFlags, modelOf } from './model-flags.ts';
import { withinTime } from './time-limit.ts';
import { UsageError } from './usage-error.ts';

interface Given extends ModelFlags {
  /** The history file. */
  readonly what: string;
  readonly anomaly?: string | undefined;
  readonly out?: string | undefined;
  readonly 'time-limit': number;
  readonly json: boolean;
}

/** Writes the smaller history. Exit code 0 when the written file shows the anomaly, checked once more from there. */
export async function shrinkFile(given: Given): Promise<number> {
  const began = performance.now();
  const path = given.what === standardInput ? '-' : given.what;
  const out = given.out ?? outBeside(path);
  const { name, model, options: asked } = modelOf(given);
  try {
    const { events, format } = await readHistory(path);
    const whole = { ...model.defaults?.(format), ...asked };
    const section = await model.check(events, whole);
    const found = signatureOf(mergeSections({ [model.section]: section }));
    const wanted = wantedOf(given.anomaly, found, path, name);
    const options = { ...model.settled?.(section), ...whole };
    const history = events.ops();
    const { signal, release } = interruptible('keeping the smallest history so far');
    const shrunk = await shrinkHistory(history, {
      model,
      options,
      wanted,
      section,
      signal: withinTime(signal, given['time-limit']),
      onSmaller: (calls, tried) => process.stderr.write(`${seconds(began)} s  ${tried} tried  ${calls} operations\n`),
    }).finally(release);
    writeFileSync(out, shrunk.ops.map(encodeOp).join(''));
    const shows = await stillShows(out, model, options, wanted);
    const facts = {
      wanted,
      from: operations(history),
      to: operations(shrunk.ops),
      places: shrunk.places,
      tried: shrunk.tried,
      realS: seconds(began),
      file: out,
      again: ['npx', 'splitbrain', 'check', out, '--model', name, ...flagWords(options)],
    };
    if (given.json) console.log(JSON.stringify(facts));
    else tell(facts, shrunk);
    if (shows) return exitCodes.valid;
    process.stderr.write(`${out} does not show ${wanted} when it is checked again\n`);
    return exitCodes.unknown;
  } catch (error) {
    if (error instanceof HistoryError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

function wantedOf(anomaly: string | undefined, found: readonly string[], path: string, model: string): string {
  const wanted = anomaly ?? found[0];
  if (wanted === undefined) throw new UsageError(`${path}: as ${model} it shows no anomaly that could be shrunk`);
  if (found.includes(wanted)) return wanted;
  throw new UsageError(`--anomaly ${wanted}: the history shows ${found.join(', ') || 'none'}`);
}

async function stillShows(out: string, model: CheckModel, options: ModelOptions, wanted: string): Promise<boolean> {
  const { section } = await checkFile(out, model, options);
  return signatureOf(mergeSections({ [model.section]: section })).includes(wanted);
}

/** `history.edn.gz` becomes `history.shrunk.ndjson`, in the same folder. */
function outBeside(path: string): string {
  if (path === '-')
    throw new UsageError('--out FILE says where the shrunk history goes when it comes from standard input');
  return join(dirname(path), `${basename(path).replace(/(\.(ndjson|jsonl?|edn|log|txt))?(\.gz)?$/, '')}.shrunk.ndjson`);
}

function operations(ops: readonly Op[]): number {
  return ops.filter(({ process, type }) => process !== 'nemesis' && type === 'invoke').length;
}

function seconds(began: number): number {
  return Number(((performance.now() - began) / 1000).toFixed(1));
}

const PLACES_MAX = 20;

function tell(
  facts: {
    readonly wanted: string;
    readonly from: number;
    readonly to: number;
    readonly tried: number;
    readonly realS: number;
    readonly file: string;
    readonly again: readonly string[];
  },
  { ops, places }: ShrunkHistory,
): void {
  console.log(`${facts.wanted} stays; ${counted(facts.tried, 'candidate')} in ${facts.realS} s`);
  console.log(`  operations ${facts.from} -> ${facts.to}`);
  for (const [at, { process, type, f, key, value }] of ops.slice(0, PLACES_MAX).entries()) {
    const on = key === undefined ? '' : `${JSON.stringify(key)} `;
    console.log(
      `  ${String(places[at]).padStart(8)}  ${process}  ${type.padEnd(6)}  ${f} ${on}${JSON.stringify(value ?? null)}`,
    );
  }
  if (ops.length > PLACES_MAX) console.log(`  and ${ops.length - PLACES_MAX} more events`);
  console.log(`  history ${facts.file}`);
  console.log(`  again   ${facts.again.map(quoted).join(' ')}`);
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

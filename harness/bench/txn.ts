import { checkTxn, encodeOp, type Op, parseHistory, type TxnOptions } from '../../checker/index.ts';
import { type TxnHistoryOptions, txnHistory } from './txn-history.ts';

/** How often each history is checked; the best time counts. */
const RUNS = 3;
const STALE_COMMITS = 50;
const LINES_AT_ONCE = 10_000;
/** Lines that `JSON.parse` is timed on; all of a long history would not fit beside it. */
const PARSED_LINES_MAX = 100_000;

interface TxnRow {
  readonly history: string;
  readonly transactions: number;
  /** Of the check alone, or, where it says so, from bytes in memory to the verdict. */
  readonly ms: number;
  /** The same as a multiple of the time that `JSON.parse` over the history's lines takes in the same run. */
  readonly parses: number;
  /** How much longer than the same history without stale snapshots. */
  readonly ratio: number;
  /** Resident memory of the process when it was checked, the history included. */
  readonly megabytes: number;
  readonly found: string;
}

const SHAPE = { seed: 1, clients: 20, activeKeys: 20, writesPerKey: 32, operationsMax: 4 };

const HISTORIES: readonly (readonly [name: string, history: Partial<TxnHistoryOptions>])[] = [
  ['strict serializable', { staleMax: 0, firstCommitterWins: false }],
  ['stale snapshots', { staleMax: STALE_COMMITS, firstCommitterWins: false }],
  ['stale snapshots, first committer wins', { staleMax: STALE_COMMITS, firstCommitterWins: true }],
];

const SIZES = [100_000, 1_000_000];

/** The table of the transaction checkers, a line a history: seeded, each judged for strict serializability. */
export const txnParts: readonly (() => Iterable<string>)[] = SIZES.flatMap((size) =>
  (['list-append', 'rw-register'] as const).map((model, at) => () => {
    const heading = ['', 'transactions | history | ms | JSON.parse = 1 | not stale = 1 | MB | found'];
    return [...(size === SIZES[0] && at === 0 ? heading : []), ...[...rows(model, size)].map(lineOf)];
  }),
);

function lineOf({ history, transactions, ms, parses, ratio, megabytes, found }: TxnRow): string {
  const figures = [ms.toFixed(0), parses.toFixed(2), ratio.toFixed(2), megabytes.toFixed(0)];
  return [transactions, history, ...figures, found || 'nothing'].join(' | ');
}

function* rows(model: 'list-append' | 'rw-register', transactions: number): Generator<TxnRow> {
  const options = optionsFor(model);
  let normal: TxnRow | undefined;
  for (const [name, shape] of HISTORIES) {
    const history = txnHistory({ model, transactions, staleMax: 0, firstCommitterWins: false, ...SHAPE, ...shape });
    const parse = parseMs(history);
    let ms = Number.POSITIVE_INFINITY;
    let found = '';
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      const { details } = checkTxn(history, options);
      ms = Math.min(ms, performance.now() - start);
      found = details.anomalyTypes.join(' ');
    }
    const megabytes = process.memoryUsage().rss / 1e6;
    const ratio = ms / (normal?.ms ?? ms);
    const row = { history: `${model}, ${name}`, transactions, ms, parses: ms / parse, ratio, megabytes, found };
    normal ??= row;
    yield row;
  }
  if (normal !== undefined) yield fromBytes(model, transactions, normal);
}

function optionsFor(model: 'list-append' | 'rw-register'): TxnOptions {
  return { model, ...(model === 'rw-register' ? { linearizableKeys: true, wfrKeys: true } : {}) };
}

/** The strict serializable one, read from its lines first. */
function fromBytes(model: 'list-append' | 'rw-register', transactions: number, normal: TxnRow): TxnRow {
  const bytes = bytesOf(txnHistory({ model, transactions, staleMax: 0, firstCommitterWins: false, ...SHAPE }));
  const options = optionsFor(model);
  let ms = Number.POSITIVE_INFINITY;
  let found = '';
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    const { details } = checkTxn(parseHistory(bytes).events, options);
    ms = Math.min(ms, performance.now() - start);
    found = details.anomalyTypes.join(' ');
  }
  const [parses, ratio] = [(ms * normal.parses) / normal.ms, ms / normal.ms];
  const megabytes = process.memoryUsage().rss / 1e6;
  return { history: `${model}, from bytes`, transactions, ms, parses, ratio, megabytes, found };
}

/** Lines in chunks: one string of them all would be longer than strings may be. */
function bytesOf(history: readonly Op[]): Uint8Array {
  const chunks: Buffer[] = [];
  for (let at = 0; at < history.length; at += LINES_AT_ONCE) {
    chunks.push(
      Buffer.from(
        history
          .slice(at, at + LINES_AT_ONCE)
          .map(encodeOp)
          .join(''),
      ),
    );
  }
  return Buffer.concat(chunks);
}

function parseMs(history: readonly Op[]): number {
  const lines = history.slice(0, PARSED_LINES_MAX).map((op) => JSON.stringify(op));
  let ms = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    for (const line of lines) JSON.parse(line);
    ms = Math.min(ms, performance.now() - start);
  }
  return (ms * history.length) / lines.length;
}

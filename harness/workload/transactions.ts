import type { Value } from '../../checker/history/op.ts';
import { limit, one, repeat, untilOk } from '../generator/basic.ts';
import { assign, type Context, type Generator } from '../generator/generator.ts';
import { eachThread, sequence } from '../generator/threads.ts';

/** Transactions of up to this many reads and writes. */
const microOpsMax = 4;
const readOdds = 50;
const keysPerFinalRead = 4;
const triesMax = 5;

/** Keys that transactions choose from, as Elle's generators: each is left after so many writes for a fresh one. */
interface KeyPool {
  readonly prefix: string;
  readonly writesPerKey: number;
  /** The keys in use, with the number of writes that each has had: the next value to write, less one. */
  readonly keys: readonly { readonly number: number; readonly writes: number }[];
  readonly keyNext: number;
}

/**
 * Transactions over a few keys, without end: `["r", key, null]` and `[write, key, unique value]`.
 * @param write the name of a write: `append`, `w`
 */
export function transactions(write: string, prefix: string, keyCount: number, writesPerKey: number): Generator {
  const keys = Array.from({ length: keyCount }, (_, number) => ({ number, writes: 0 }));
  return transactionsFrom(write, { prefix, writesPerKey, keys, keyNext: keyCount });
}

function transactionsFrom(write: string, pool: KeyPool): Generator {
  const self: Generator = {
    op(context) {
      if (context.free.length === 0) return { kind: 'pending', next: self };
      const { value, after } = choose(context, write, pool);
      const op = assign(context, { f: 'txn', value });
      return op === undefined
        ? { kind: 'pending', next: self }
        : { kind: 'op', op, next: transactionsFrom(write, after) };
    },
    update: () => self,
  };
  return self;
}

function choose({ random }: Context, write: string, pool: KeyPool): { value: Value; after: KeyPool } {
  const length = 1 + random.below(microOpsMax);
  const micros: Value[] = [];
  let after = pool;
  for (let count = 0; count < length; count++) {
    const at = random.below(after.keys.length);
    const { number, writes } = after.keys[at]!;
    const key = `${pool.prefix}${number}`;
    if (random.below(100) < readOdds) {
      micros.push(['r', key, null]);
      continue;
    }
    micros.push([write, key, writes + 1]);
    after =
      writes + 1 < pool.writesPerKey
        ? { ...after, keys: after.keys.with(at, { number, writes: writes + 1 }) }
        : { ...after, keys: after.keys.with(at, { number: after.keyNext, writes: 0 }), keyNext: after.keyNext + 1 };
  }
  return { value: micros, after };
}

/** Every node reads every key, a few in one transaction, each tried a few times. */
export function finalTransactions(keys: readonly Value[]): Generator {
  const groups = Array.from({ length: Math.ceil(keys.length / keysPerFinalRead) }, (_, at) =>
    keys.slice(at * keysPerFinalRead, (at + 1) * keysPerFinalRead),
  );
  const reads = groups.map((group) => {
    const value = group.map((key): Value => ['r', key, null]);
    return limit(triesMax, untilOk(repeat(one({ f: 'txn', value }))));
  });
  return eachThread(sequence(...reads));
}

/** The keys of a transaction. */
export function transactionKeys(value: Value | undefined): readonly Value[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly Value[]).flatMap((micro) =>
    Array.isArray(micro) && micro.length > 1 ? [micro[1] as Value] : [],
  );
}

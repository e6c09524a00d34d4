import { checkTxn } from '../../checker/txn/check.ts';
import { finalTransactions, transactions } from './transactions.ts';
import type { Workload } from './workload.ts';

/** Lists are read whole, so they must not grow for ever. */
const appendsPerKeyMax = 100;

/** Transactions that append unique elements to lists and read them; the order of every list is in what was read. */
export const append: Workload = {
  name: 'append',
  about: 'strict serializability: transactions that append to lists and read them',
  generator: ({ keys, opsPerKey }) => transactions('append', 'a', keys, Math.min(opsPerKey, appendsPerKeyMax)),
  final: finalTransactions,
  check: (history) => ({ txn: checkTxn(history, { model: 'list-append' }) }),
};

import { checkTxn } from '../../checker/txn/check.ts';
import { finalTransactions, transactions } from './transactions.ts';
import type { Workload } from './workload.ts';

/** Transactions that write unique values to registers and read them. */
export const wr: Workload = {
  name: 'wr',
  about: 'strict serializability: transactions that write registers and read them',
  generator: ({ keys, opsPerKey }) => transactions('w', 'w', keys, opsPerKey),
  final: finalTransactions,
  // Each key of a strict-serializable store is linearizable on its own, and a run starts with an empty one: whatever
  // nobody wrote is garbage.
  check: (history) => ({
    txn: checkTxn(history, { model: 'rw-register', linearizableKeys: true, wfrKeys: true, initial: null }),
  }),
};

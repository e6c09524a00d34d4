import type { Value } from '../../checker/history/op.ts';
import { checkBank } from '../../checker/txn/bank.ts';
import { from, limit, one, repeat, untilOk } from '../generator/basic.ts';
import { mix } from '../generator/choice.ts';
import { eachThread } from '../generator/threads.ts';
import type { Workload } from './workload.ts';

/** What every account holds before its first transfer: a client reads a missing key as this. */
export const balanceFirst = 10;
export const bankAccounts: readonly string[] = ['0', '1', '2', '3', '4', '5', '6', '7'];

const amountMax = 5;
const triesMax = 5;
const read = repeat(one({ f: 'read', value: null }));

/** Money moves between accounts; every read of all of them at once must show the same total. */
export const bank: Workload = {
  name: 'bank',
  about: 'snapshots: transfers between accounts, whose total never changes',
  generator: () =>
    mix([
      [1, read],
      [
        1,
        from(({ random }) => {
          const payer = random.below(bankAccounts.length);
          const payee = (payer + 1 + random.below(bankAccounts.length - 1)) % bankAccounts.length;
          const amount = 1 + random.below(amountMax);
          return { f: 'transfer', value: { from: bankAccounts[payer]!, to: bankAccounts[payee]!, amount } };
        }),
      ],
    ]),
  final: () => eachThread(limit(triesMax, untilOk(read))),
  check: (history) => ({
    bank: checkBank(history, { accounts: bankAccounts, total: balanceFirst * bankAccounts.length }),
  }),
};

/** The value of a transfer, as the generator made it. */
export function readTransfer(value: Value | undefined): { from: string; to: string; amount: number } {
  const { from, to, amount } = (value ?? {}) as { readonly [name: string]: Value };
  return { from: String(from), to: String(to), amount: Number(amount) };
}

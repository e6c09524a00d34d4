import type { Events } from '../history/events.ts';
import type { History, Op, Value } from '../history/op.ts';
import { type Section, unknown } from '../verdict.ts';
import { counted } from '../words.ts';
import { Findings, show } from './findings.ts';
import { eachOp } from './read-transactions.ts';

export interface BankOptions {
  /** The accounts there are; by default those of the first read. */
  readonly accounts?: readonly (string | number)[];
  /** What all accounts hold together; by default what the first read shows. */
  readonly total?: number;
  /** Whether an account may be overdrawn. */
  readonly negativeBalances?: boolean;
}

/**
 * Jepsen's bank test: transfers move money between accounts, so that every read of all of them shows the same total.
 * Reads have the function `read` and a value `{account: balance}`. Anomalies, one a read, are `unexpected-key`,
 * `nil-balance`, `wrong-total` and `negative-value`.
 */
export function checkBank(history: History | Events, options: BankOptions = {}): Section {
  const reads: (readonly [op: Op, at: number, balances: { readonly [account: string]: Value }])[] = [];
  eachOp(history, (op, at) => {
    if (op.type !== 'ok' || op.f !== 'read') return;
    if (typeof op.value === 'object' && op.value !== null && !Array.isArray(op.value)) {
      reads.push([op, at, op.value as { readonly [account: string]: Value }]);
    }
  });
  const first = reads[0];
  if (first === undefined) return unknown('no read of the accounts completed', { reads: 0 });
  const accounts = new Set((options.accounts ?? Object.keys(first[2])).map(String));
  const total = options.total ?? sum(first[2]);
  const findings = new Findings();
  for (const [op, at, balances] of reads) {
    const found = check(balances, accounts, total, options.negativeBalances ?? false);
    if (found === undefined) continue;
    const [kind, message, facts] = found;
    findings.add(kind, () => ({
      message: `operation ${at} (process ${op.process}) ${message}`,
      ops: [at],
      evidence: { balances, total, ...facts },
    }));
  }
  const { kinds } = findings;
  const said = kinds.map((kind) => `${findings.count(kind)} ${kind}`).join(', ') || 'no anomaly';
  return {
    valid: kinds.length === 0,
    summary: `bank: ${counted(reads.length, 'read')} of ${counted(accounts.size, 'account')}, ${total} in all; ${said}`,
    anomalies: kinds.flatMap((kind) => findings.kept(kind)),
    counts: {
      reads: reads.length,
      accounts: accounts.size,
      ...Object.fromEntries(kinds.map((k) => [k, findings.count(k)])),
    },
    details: {
      total,
      accounts: [...accounts],
      totalFrom: options.total === undefined ? 'the first read' : 'options',
      accountsFrom: options.accounts === undefined ? 'the first read' : 'options',
    },
  };
}

type Found = readonly [kind: string, message: string, facts: { readonly [name: string]: Value }];

function check(
  balances: { readonly [account: string]: Value },
  accounts: ReadonlySet<string>,
  total: number,
  negativeBalances: boolean,
): Found | undefined {
  const unexpected = Object.keys(balances).filter((account) => !accounts.has(account));
  if (unexpected.length > 0) {
    return ['unexpected-key', `read accounts that there are not: ${unexpected.join(', ')}`, { unexpected }];
  }
  const missing = Object.keys(balances).filter((account) => typeof balances[account] !== 'number');
  if (missing.length > 0) return ['nil-balance', `read no balance for ${missing.join(', ')}`, { accounts: missing }];
  const found = sum(balances);
  if (found !== total) return ['wrong-total', `read ${found} in all instead of ${total}`, { found }];
  const negative = Object.keys(balances).filter((account) => (balances[account] as number) < 0);
  if (!negativeBalances && negative.length > 0) {
    const shown = negative.map((account) => `${account}: ${show(balances[account]!)}`).join(', ');
    return ['negative-value', `read an overdrawn account: ${shown}`, { accounts: negative }];
  }
  return undefined;
}

function sum(balances: { readonly [account: string]: Value }): number {
  return Object.values(balances).reduce<number>((all, balance) => all + (typeof balance === 'number' ? balance : 0), 0);
}

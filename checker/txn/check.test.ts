import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkTxn, type TxnModel, type TxnOptions } from './check.ts';

const shared = process.env.SPLITBRAIN_SHARED ?? join(import.meta.dirname, '../../../../shared');
const casesFile = join(shared, 'histories/elle/cases.jsonl');

interface ElleCase {
  readonly checker: TxnModel;
  readonly test: string;
  readonly testing: string;
  readonly history: readonly Op[];
  readonly opts: { readonly [name: string]: Value };
  readonly 'valid?': boolean | 'unknown';
  readonly 'anomaly-types': readonly string[] | null;
  readonly not: readonly string[] | null;
  readonly 'also-not': readonly string[] | null;
}

/** What ours finds beyond Elle's answer, by the number of the case; docs/elle-differences.md argues each. */
const FOUND_MORE: { readonly [index: number]: readonly string[] } = {
  0: ['G-single-item-realtime'],
  7: ['G-single-item-realtime'],
  76: ['garbage-read'],
  79: ['G-single-realtime'],
  80: ['G-single-realtime'],
};

function optionsOf({ checker, opts }: ElleCase): TxnOptions {
  const list = (name: string): readonly string[] => (opts[name] ?? []) as readonly string[];
  return {
    model: checker,
    ...('consistency-models' in opts ? { consistencyModels: list('consistency-models') } : {}),
    ...('anomalies' in opts ? { anomalies: list('anomalies') } : {}),
    linearizableKeys: opts['linearizable-keys?'] === true,
    sequentialKeys: opts['sequential-keys?'] === true,
    wfrKeys: opts['wfr-keys?'] === true,
    ...('transaction-order' in opts ? { transactionOrder: opts['transaction-order'] as { [op: number]: number } } : {}),
  };
}

t.test('agrees with Elle on the histories of its own tests', (t) => {
  if (!existsSync(casesFile)) {
    t.comment(`skipped: there is no ${casesFile}`);
    t.end();
    return;
  }
  const cases = readFileSync(casesFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ElleCase);
  t.equal(cases.length, 88);
  for (const [index, elle] of cases.entries()) {
    const history = elle.history.map((op, at) => ({ ...op, index: at }));
    const { valid, details } = checkTxn(history, optionsOf(elle));
    const got = { valid, anomalyTypes: details.anomalyTypes, not: details.not, alsoNot: details.alsoNot };
    const expected = {
      valid: elle['valid?'],
      anomalyTypes: [...(elle['anomaly-types'] ?? []), ...(FOUND_MORE[index] ?? [])].sort(),
      not: elle.not ?? [],
      alsoNot: elle['also-not'] ?? [],
    };
    const name = [elle.test, elle.testing].filter(Boolean).join(': ');
    const say = (answer: { valid: unknown; anomalyTypes: readonly string[] }): string =>
      [String(answer.valid), ...answer.anomalyTypes].join(' ');
    t.strictSame(got, expected, `${index} ${elle.checker} ${name} | expected ${say(expected)} | got ${say(got)}`);
  }
  t.end();
});

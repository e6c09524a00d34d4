import { checkCounterBounds } from '../../checker/durability/counter-bounds.ts';
import { checkSetFull, type SetFullOptions } from '../../checker/durability/set-full.ts';
import { checkTotalQueue } from '../../checker/durability/total-queue.ts';
import { checkUniqueIds } from '../../checker/durability/unique-ids.ts';
import type { Events } from '../../checker/history/events.ts';
import type { Format } from '../../checker/history/parse.ts';
import type { LinearOptions } from '../../checker/linear/check.ts';
import { isModelName, modelNames } from '../../checker/model/models.ts';
import type { BankOptions } from '../../checker/txn/bank.ts';
import { checkBank } from '../../checker/txn/bank.ts';
import { checkTxn, type TxnModel, type TxnOptions } from '../../checker/txn/check.ts';
import { checkLongFork, type LongForkOptions } from '../../checker/txn/long-fork.ts';
import type { Section } from '../../checker/verdict.ts';
import { checkEvents } from './check-events.ts';

/** What a history can be asked, beside its model: each model has its own of these. */
export type ModelOptions = Pick<LinearOptions, 'failedCas' | 'initial'> &
  Omit<TxnOptions, 'model' | 'transactionOrder'> &
  BankOptions &
  LongForkOptions &
  SetFullOptions;

/** A history as a model is given it. */
interface Given {
  readonly events: Events;
  readonly format: Format;
}

/** Something that a history can be judged as. */
export interface CheckModel {
  /** The section of the results. */
  readonly section: string;
  /** The options that it has; others are not for it. */
  readonly options: readonly (keyof ModelOptions)[];
  readonly check: (given: Given, options: ModelOptions) => Section | Promise<Section>;
}

/** By its linearizability. A Jepsen text log says of a failed cas that the state was different; Porcupine's keys start as empty strings. */
function linear(model: string): CheckModel {
  if (!isModelName(model)) throw new Error(`no model ${model}`);
  return {
    section: 'linear',
    options: ['failedCas', 'initial'],
    check: ({ events, format }, { failedCas, initial }) =>
      checkEvents(events, {
        model,
        ...(format === 'text' ? { failedCas: 'observed' as const } : {}),
        ...(format === 'porcupine' ? { initial: '' } : {}),
        ...(failedCas === undefined ? {} : { failedCas }),
        ...(initial === undefined ? {} : { initial }),
      }),
  };
}

const SHARED_TXN_OPTIONS = ['consistencyModels', 'anomalies'] as const;

function transactions(model: TxnModel, ...more: readonly (keyof ModelOptions)[]): CheckModel {
  return {
    section: 'txn',
    options: [...SHARED_TXN_OPTIONS, ...more],
    check: ({ events }, options) => checkTxn(events, { ...options, model }),
  };
}

/** Every model by its name, as `--model` takes it. */
export const checkModels: ReadonlyMap<string, CheckModel> = new Map<string, CheckModel>([
  ...modelNames.map((name) => [name, linear(name)] as const),
  ['list-append', transactions('list-append')],
  ['rw-register', transactions('rw-register', 'linearizableKeys', 'sequentialKeys', 'wfrKeys', 'initial')],
  ['closed-predicate', transactions('closed-predicate')],
  [
    'bank',
    {
      section: 'bank',
      options: ['accounts', 'total', 'negativeBalances'],
      check: ({ events }, options) => checkBank(events, options),
    },
  ],
  [
    'long-fork',
    {
      section: 'long-fork',
      options: ['groupSize'],
      check: ({ events }, options) => checkLongFork(events, options),
    },
  ],
  [
    'set-full',
    {
      section: 'set-full',
      options: ['linearizable'],
      check: ({ events }, options) => checkSetFull(events, options),
    },
  ],
  ['counter-bounds', { section: 'counter-bounds', options: [], check: ({ events }) => checkCounterBounds(events) }],
  ['total-queue', { section: 'total-queue', options: [], check: ({ events }) => checkTotalQueue(events) }],
  ['unique-ids', { section: 'unique-ids', options: [], check: ({ events }) => checkUniqueIds(events) }],
]);

import { checkCounterBounds } from '../../checker/durability/counter-bounds.ts';
import { checkSetFull, type SetFullOptions } from '../../checker/durability/set-full.ts';
import { checkTotalQueue } from '../../checker/durability/total-queue.ts';
import { checkUniqueIds } from '../../checker/durability/unique-ids.ts';
import { checkWatch } from '../../checker/durability/watch.ts';
import type { Events } from '../../checker/history/events.ts';
import type { Format } from '../../checker/history/parse.ts';
import type { LinearOptions } from '../../checker/linear/options.ts';
import { isModelName, modelNames } from '../../checker/model/models.ts';
import { checkSession, type SessionOptions } from '../../checker/session/check.ts';
import type { BankOptions } from '../../checker/txn/bank.ts';
import { checkBank } from '../../checker/txn/bank.ts';
import { checkTxn, type TxnModel, type TxnOptions } from '../../checker/txn/check.ts';
import { checkLongFork, type LongForkOptions } from '../../checker/txn/long-fork.ts';
import type { Section } from '../../checker/verdict.ts';
import { checkEvents } from './check-events.ts';
import type { LeavingOut } from './leaving-out.ts';

/** What a history can be asked, beside its model: each model has its own of these. */
export type ModelOptions = Pick<LinearOptions, 'failedCas' | 'initial' | 'vacuous' | 'certificate'> &
  Omit<TxnOptions, 'model' | 'transactionOrder'> &
  BankOptions &
  LongForkOptions &
  SetFullOptions &
  SessionOptions;

/** Something that a history can be judged as. */
export interface CheckModel {
  /** The section of the results. */
  readonly section: string;
  /** The options that it has; others are not for it. */
  readonly options: readonly (keyof ModelOptions)[];
  /** What a format means by itself. */
  readonly defaults?: (format: Format) => ModelOptions;
  readonly check: (events: Events, options: ModelOptions) => Section | Promise<Section>;
  /** What may be left out of a history while an anomaly of a kind is still one of the whole. */
  readonly leavingOut: (kind: string) => LeavingOut;
  /** What it took from the beginning of a history, as options: the same for any part of it. */
  readonly settled?: (section: Section) => ModelOptions;
}

/**
 * By its linearizability. A Jepsen text log says of a failed cas that the state was different; Porcupine's keys start
 * as empty strings.
 */
function linear(model: string): CheckModel {
  if (!isModelName(model)) throw new Error(`no model ${model}`);
  return {
    section: 'linear',
    options: ['failedCas', 'initial', 'vacuous', 'certificate'],
    defaults: (format) => ({
      ...(format === 'text' ? { failedCas: 'observed' as const } : {}),
      ...(format === 'porcupine' ? { initial: '' } : {}),
    }),
    check: (events, { failedCas, initial, vacuous, certificate = false }) =>
      checkEvents(events, {
        model,
        certificate,
        ...(vacuous === undefined ? {} : { vacuous }),
        ...(failedCas === undefined ? {} : { failedCas }),
        ...(initial === undefined ? {} : { initial }),
      }),
    // Its counterexamples are minimal, and proven to be part of the whole.
    leavingOut: () => 'nothing',
  };
}

const SHARED_TXN_OPTIONS = ['consistencyModels', 'anomalies'] as const;

function transactions(model: TxnModel, ...more: readonly (keyof ModelOptions)[]): CheckModel {
  return {
    section: 'txn',
    options: [...SHARED_TXN_OPTIONS, ...more],
    check: (events, options) => checkTxn(events, { ...options, model }),
    leavingOut: (kind) =>
      model === 'closed-predicate' ? 'only-reads' : kind === 'garbage-read' ? 'not-sources' : 'anything',
  };
}

/** A model without options. */
function plain(
  section: string,
  check: (events: Events) => Section,
  leavingOut: (kind: string) => LeavingOut,
): CheckModel {
  return { section, options: [], check: (events) => check(events), leavingOut };
}

/** Of what was added and seen: what was not added must not be made so, nor what was not seen. */
function sourcesOrObservers(kind: string): LeavingOut {
  if (kind === 'unexpected-element') return 'not-sources';
  return kind === 'duplicated-element' ? 'anything' : 'not-observers';
}

/** Every model by its name, as `--model` takes it. */
export const checkModels: ReadonlyMap<string, CheckModel> = new Map<string, CheckModel>([
  ...modelNames.map((name) => [name, linear(name)] as const),
  ['list-append', transactions('list-append', 'certificate')],
  [
    'rw-register',
    transactions('rw-register', 'linearizableKeys', 'sequentialKeys', 'wfrKeys', 'initial', 'certificate'),
  ],
  ['closed-predicate', transactions('closed-predicate')],
  [
    'bank',
    {
      section: 'bank',
      options: ['accounts', 'total', 'negativeBalances'],
      check: (events, options) => checkBank(events, options),
      leavingOut: () => 'anything',
      settled: ({ details = {} }) => ({
        ...(typeof details.total === 'number' ? { total: details.total } : {}),
        ...(Array.isArray(details.accounts) ? { accounts: details.accounts as readonly string[] } : {}),
      }),
    },
  ],
  [
    'long-fork',
    {
      section: 'long-fork',
      options: ['groupSize'],
      check: (events, options) => checkLongFork(events, options),
      leavingOut: () => 'anything',
    },
  ],
  [
    'set-full',
    {
      section: 'set-full',
      options: ['linearizable'],
      check: (events, options) => checkSetFull(events, options),
      leavingOut: sourcesOrObservers,
    },
  ],
  ['counter-bounds', plain('counter-bounds', checkCounterBounds, () => 'only-reads')],
  ['total-queue', plain('total-queue', checkTotalQueue, sourcesOrObservers)],
  [
    'session',
    {
      section: 'session',
      options: ['initial'],
      check: (events, options) => checkSession(events, options),
      leavingOut: (kind) => (kind === 'garbage-read' ? 'not-sources' : 'anything'),
    },
  ],
  ['watch', plain('watch', checkWatch, (kind) => (kind === 'unexpected-event' ? 'only-reads' : 'anything'))],
  ['unique-ids', plain('unique-ids', checkUniqueIds, () => 'anything')],
]);

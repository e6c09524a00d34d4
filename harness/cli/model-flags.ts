import type { Argv } from 'yargs';
import type { Value } from '../../checker/history/op.ts';
import { canonicalModel, prohibitedAnomalies } from '../../checker/txn/lattice.ts';
import { type CheckModel, checkModels, type ModelOptions } from '../check/check-models.ts';
import { integer, oneOf, text } from './flags.ts';
import { UsageError } from './usage-error.ts';

/** The option of a model that each flag sets. Names are those of elle-cli where it has the option. */
const optionOf = {
  'failed-cas': 'failedCas',
  initial: 'initial',
  vacuous: 'vacuous',
  certificate: 'certificate',
  'consistency-model': 'consistencyModels',
  anomalies: 'anomalies',
  'linearizable-keys': 'linearizableKeys',
  'sequential-keys': 'sequentialKeys',
  'wfr-keys': 'wfrKeys',
  'total-amount': 'total',
  accounts: 'accounts',
  'allow-negative-balances': 'negativeBalances',
  'group-size': 'groupSize',
  linearizable: 'linearizable',
} as const satisfies { readonly [flag: string]: keyof ModelOptions };

const failedCasReadings = new Map((['observed', 'ignored'] as const).map((name) => [name, name]));
const vacuousVerdicts = new Map((['valid', 'unknown'] as const).map((name) => [name, name]));

/** What messages of the help say first: the models that have the flag. */
function forModels(flag: keyof typeof optionOf): string {
  const names = [...checkModels].filter(([, { options }]) => options.includes(optionOf[flag])).map(([name]) => name);
  const few = names.length > 4 ? [...names.slice(0, 3), '…'] : names;
  return few.join(', ');
}

/** Adds the flags of history files: the model and its options. */
export function modelFlags<T>(yargs: Argv<T>) {
  const valued = { type: 'string', requiresArg: true } as const;
  return yargs
    .option('model', {
      ...valued,
      describe: `For a history file: ${[...checkModels.keys()].join(', ')}`,
      defaultDescription: '"cas-register"',
      coerce: oneOf('model', new Map([...checkModels.keys()].map((name) => [name, name]))),
    })
    .option('failed-cas', {
      ...valued,
      describe: `${forModels('failed-cas')}: a failed compare was observed, or says nothing (ignored)`,
      defaultDescription: 'observed, where its error says so',
      coerce: oneOf('failed-cas', failedCasReadings),
    })
    .option('initial', {
      ...valued,
      describe: `${forModels('initial')}: the state, or every key's value, before the first operation, as JSON`,
      coerce: json('initial'),
    })
    .option('vacuous', {
      ...valued,
      describe: `${forModels('vacuous')}: the verdict where nothing was observed: valid or unknown`,
      defaultDescription: 'unknown',
      coerce: oneOf('vacuous', vacuousVerdicts),
    })
    .option('certificate', {
      type: 'boolean',
      describe: `${forModels('certificate')}: with --json, the order that makes a history valid, as proof`,
    })
    .option('consistency-model', {
      ...valued,
      alias: 'consistency-models',
      describe: `${forModels('consistency-model')}: what must hold, such as serializable; several with commas`,
      defaultDescription: '"strict-serializable"',
      coerce: namesKnownTo('consistency-model', (names) => names.map(canonicalModel)),
    })
    .option('anomalies', {
      ...valued,
      describe: `${forModels('anomalies')}: look for these too, such as G1,dirty-update`,
      coerce: namesKnownTo('anomalies', (names) => prohibitedAnomalies([], names)),
    })
    .option('linearizable-keys', {
      type: 'boolean',
      describe: `${forModels('linearizable-keys')}: each key on its own is linearizable`,
    })
    .option('sequential-keys', {
      type: 'boolean',
      describe: `${forModels('sequential-keys')}: each key on its own is sequential`,
    })
    .option('wfr-keys', {
      type: 'boolean',
      describe: `${forModels('wfr-keys')}: within a transaction writes follow reads`,
    })
    .option('total-amount', {
      ...valued,
      describe: `${forModels('total-amount')}: what all accounts hold together`,
      defaultDescription: 'as the first read',
      coerce: integer('total-amount', 0, Number.MAX_SAFE_INTEGER),
    })
    .option('accounts', {
      ...valued,
      describe: `${forModels('accounts')}: the accounts there are, with commas`,
      defaultDescription: 'as the first read',
      coerce: (given: unknown) => text('accounts')(given).split(','),
    })
    .option('allow-negative-balances', {
      type: 'boolean',
      describe: `${forModels('allow-negative-balances')}: accounts may be overdrawn`,
    })
    .option('group-size', {
      ...valued,
      describe: `${forModels('group-size')}: how many keys every read must cover`,
      coerce: integer('group-size', 1, 1_000_000),
    })
    .option('linearizable', {
      type: 'boolean',
      describe: `${forModels('linearizable')}: an element that is missing for a time is an anomaly too`,
    });
}

/** The flags that were given, as the options of a model. */
export type ModelFlags = { readonly [flag in keyof typeof optionOf]?: unknown } & {
  readonly model?: string | undefined;
};

/** The flags that give a model these options, as words of a command. */
export function flagWords(options: ModelOptions): string[] {
  return (Object.keys(optionOf) as (keyof typeof optionOf)[]).flatMap((flag) => {
    const value = options[optionOf[flag]];
    if (value === undefined) return [];
    if (flag === 'initial') return ['--initial', JSON.stringify(value)];
    return typeof value === 'boolean' ? [value ? `--${flag}` : `--no-${flag}`] : [`--${flag}`, String(value)];
  });
}

/**
 * The model of a history file with its options.
 *
 * @throws UsageError for a flag that the model does not have
 */
export function modelOf(given: ModelFlags): {
  readonly name: string;
  readonly model: CheckModel;
  options: ModelOptions;
} {
  const name = given.model ?? 'cas-register';
  const model = checkModels.get(name)!;
  const flags = flagsGiven(given);
  const strange = flags.find((flag) => !model.options.includes(optionOf[flag]));
  if (strange !== undefined) throw new UsageError(`--${strange} is for --model ${forModels(strange)}, not ${name}`);
  return { name, model, options: Object.fromEntries(flags.map((flag) => [optionOf[flag], given[flag]])) };
}

/** @throws UsageError for a flag of history files, where a run is judged, which says itself what it was */
export function refuseModel(given: ModelFlags): void {
  if (given.model !== undefined) throw new UsageError('--model is for history files; a run says itself what it was');
  const [flag] = flagsGiven(given);
  if (flag !== undefined) throw new UsageError(`--${flag} is for history files`);
}

function flagsGiven(given: ModelFlags): (keyof typeof optionOf)[] {
  return (Object.keys(optionOf) as (keyof typeof optionOf)[]).filter((flag) => given[flag] !== undefined);
}

/** Names with commas between; `known` throws a RangeError for one that it does not know. */
function namesKnownTo(flag: string, known: (names: readonly string[]) => unknown): (given: unknown) => string[] {
  return (given) => {
    const names = text(flag)(given)
      .split(',')
      .map((name) => name.trim());
    try {
      known(names);
    } catch (error) {
      if (error instanceof RangeError) throw new UsageError(`--${flag}: ${error.message}`);
      throw error;
    }
    return names;
  };
}

function json(flag: string): (given: unknown) => Value {
  return (given) => {
    const value = text(flag)(given);
    try {
      return JSON.parse(value) as Value;
    } catch {
      throw new UsageError(`--${flag} ${value}: must be JSON, such as 0 or '"text"'`);
    }
  };
}

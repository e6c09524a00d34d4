import { type Calls, groupCalls, OPEN, pairCalls } from '../history/calls.ts';
import { Events, NONE } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import type { Model } from '../model/model.ts';
import { isModelName, type ModelName, modelNames, models } from '../model/models.ts';
import { Transitions } from '../model/transitions.ts';
import { type Anomaly, type Section, unknown, type Valid, worst } from '../verdict.ts';
import { type FailedCas, operationOf } from './operations.ts';
import { type Problem, Search, type SearchBounds } from './search.ts';

export interface LinearOptions {
  /** One of ours by name, or your own. */
  readonly model: ModelName | Model<unknown>;
  /**
   * Whether a `fail` of a cas is an observation that the state was different. Default: exactly when its error is
   * `cas-mismatch`.
   */
  readonly failedCas?: FailedCas;
  /** The state before the first operation; the model's own default when absent. */
  readonly initial?: Value;
  /** Bound on time, counted by `now`; default 60,000. Reached: `unknown`. */
  readonly timeMaxMs?: number;
  /** A clock, in milliseconds. Without one only the bound on memory holds. */
  readonly now?: () => number;
  /** Bound on the configurations that the search of one key may hold at once; default 1,000,000. Reached: `unknown`. */
  readonly configurationsMax?: number;
  /** Puts the linearization of every valid key into `details.certificates`. */
  readonly certificate?: boolean;
}

const TIME_MAX_MS = 60_000;
const CONFIGURATIONS_MAX = 1_000_000;

/** What became of one key. */
interface KeyVerdict {
  readonly valid: Valid;
  readonly path: 'zones' | 'search';
  readonly reason?: string;
  readonly anomaly?: Anomaly;
  readonly frontier?: { readonly [name: string]: Value };
}

/**
 * Whether a history is linearizable with respect to a model (Herlihy & Wing 1990), key by key (locality).
 * Anomalies have the kind `nonlinearizable`.
 *
 * @throws HistoryError when the history makes no sense for the model: an unknown function, a completion that
 * nobody invoked.
 */
export function checkLinear(history: History | Events, options: LinearOptions): Section {
  const events = history instanceof Events ? history : Events.of(history);
  const model = modelOf(options.model);
  const calls = pairCalls(events);
  if (calls.length === 0) return unknown('the history holds no operation of a client', { operations: 0 });
  const groups = groupCalls(calls, events.key);
  const start = options.now?.() ?? 0;
  const deadline = start + (options.timeMaxMs ?? TIME_MAX_MS);
  const bounds: SearchBounds = {
    configurationsMax: options.configurationsMax ?? CONFIGURATIONS_MAX,
    expired: () => options.now !== undefined && options.now() > deadline,
  };
  const transitions = new Transitions(model);
  const initial = transitions.state(model.init(options.initial));
  const verdicts: KeyVerdict[] = [];
  let completed = 0;
  for (let i = 0; i < calls.length; i++) if (calls.complete[i] !== OPEN) completed++;
  for (const [at, key] of groups.keys.entries()) {
    const own = groups.order.subarray(groups.offsets[at], groups.offsets[at + 1]);
    verdicts.push(searchKey(events, calls, own, key, transitions, initial, bounds, options));
  }
  const valid = worst(verdicts.map((one) => one.valid));
  const anomalies = verdicts.flatMap((one) => (one.anomaly === undefined ? [] : [one.anomaly]));
  const undecided = verdicts.filter((one) => one.valid === 'unknown');
  const keys = groups.keys.length;
  const counts = { operations: calls.length, completed, unknownOutcomes: calls.length - completed, keys };
  const share = (path: KeyVerdict['path']): number => verdicts.filter((one) => one.path === path).length;
  return {
    valid,
    summary: summaryOf(valid, calls.length, keys, anomalies.length, undecided.length),
    ...(valid === 'unknown' ? { reason: undecided[0]?.reason ?? 'nothing was decided' } : {}),
    anomalies,
    counts,
    details: {
      model: model.name,
      paths: { zones: share('zones'), search: share('search') },
      ...(undecided.length === 0 ? {} : { undecided: undecided.slice(0, 10).map((one) => one.frontier ?? {}) }),
    },
  };
}

function summaryOf(valid: Valid, operations: number, keys: number, broken: number, undecided: number): string {
  const looked = `${operations} operations on ${keys} ${keys === 1 ? 'key' : 'keys'}`;
  if (valid === true) return `linearizable: ${looked}`;
  if (valid === false) return `not linearizable: ${broken} of ${keys} keys; ${looked}`;
  return `not decided: ${undecided} of ${keys} keys; ${looked}`;
}

function modelOf(model: LinearOptions['model']): Model<unknown> {
  if (typeof model !== 'string') return model;
  if (isModelName(model)) return models[model];
  throw new RangeError(`no model has the name ${model}; there are ${modelNames.join(', ')}`);
}

function searchKey(
  events: Events,
  calls: Calls,
  own: Int32Array,
  key: number,
  transitions: Transitions<unknown>,
  initial: number,
  bounds: SearchBounds,
  options: LinearOptions,
): KeyVerdict {
  const classes = new Int32Array(own.length);
  const invoke = new Int32Array(own.length);
  const complete = new Int32Array(own.length);
  let length = 0;
  for (const call of own) {
    const operation = operationOf(events, calls, call, transitions.model, options.failedCas);
    if (operation === undefined) continue;
    classes[length] = transitions.classOf(operation);
    invoke[length] = calls.invoke[call]!;
    complete[length] = calls.complete[call]!;
    length++;
  }
  const problem: Problem<unknown> = {
    transitions,
    initial,
    classes: classes.subarray(0, length),
    invoke: invoke.subarray(0, length),
    complete: complete.subarray(0, length),
  };
  const result = new Search(problem, bounds, options.certificate === true).run();
  if (result.valid === true) return { valid: true, path: 'search' };
  const describe = (state: number): string => {
    const value = transitions.states[state];
    return transitions.model.describe?.(value) ?? JSON.stringify(value);
  };
  const prefixes = result.prefixes.map(({ state, ahead, pending }) => ({
    state: describe(state),
    ahead: ahead.map((call) => invoke[call]!),
    pending: pending.map((call) => invoke[call]!),
  }));
  if (result.valid === 'unknown') {
    const { reason, verifiedTo, configurations } = result;
    return { valid: 'unknown', path: 'search', reason, frontier: { reason, verifiedTo, configurations, prefixes } };
  }
  const at = invoke[result.call]!;
  const end = complete[result.call]!;
  const name = `${events.names[events.f[at]!]} ${JSON.stringify(events.valueAt(end))}`;
  return {
    valid: false,
    path: 'search',
    anomaly: {
      kind: 'nonlinearizable',
      message: `no order of the operations explains ${name} by process ${events.process[at]}`,
      ...(key === NONE ? {} : { key: events.value(key) }),
      ops: [at, end],
      evidence: { prefixes },
    },
  };
}

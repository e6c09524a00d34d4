import { type Calls, groupCalls, OPEN, pairCalls } from '../history/calls.ts';
import { Events, NONE, OK, type Ref } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import type { Model } from '../model/model.ts';
import { isModelName, type ModelName, modelNames, models } from '../model/models.ts';
import { Transitions } from '../model/transitions.ts';
import { type Anomaly, type Section, unknown, type Valid, worst } from '../verdict.ts';
import type { ZoneConflict } from './clusters.ts';
import type { Suspects } from './elements.ts';
import { type Call, describeCall, describeState, searchCalls, shrink } from './explain.ts';
import { type FailedCas, failedAs, operationOf } from './operations.ts';
import type { Prefix, SearchBounds, SearchResult } from './problem.ts';
import { checkBag, checkFifo } from './queues.ts';
import { CAS, callsUntil, READ, type RegisterCalls, Registers, WRITE } from './register-calls.ts';
import { RegisterProblems } from './register-problems.ts';
import { Search } from './search.ts';
import { byElement, checkSet } from './sets.ts';
import { checkStack } from './stacks.ts';
import { Zones } from './zones.ts';

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
  /** The verdict on a history in which nothing tells anything of the state; default `unknown`. */
  readonly vacuous?: Vacuous;
  /** Bound on time, counted by `now`; default 60,000. Reached: `unknown`. */
  readonly timeMaxMs?: number;
  /** A clock, in milliseconds. Without one only the bound on memory holds. */
  readonly now?: () => number;
  /** Bound on the configurations that the search of one key may hold at once; default 1,000,000. Reached: `unknown`. */
  readonly configurationsMax?: number;
  /** Whether violations are shrunk and explained; default true. */
  readonly explain?: boolean;
  /** Puts the linearization of every valid key into `details.certificates`. */
  readonly certificate?: boolean;
}

/**
 * A history in which nothing was observed contradicts nothing. Whether that makes it valid depends on who asks: of a
 * run it shows that nothing was tested, which is unknown; of another tool's history the question may be just that.
 */
export type Vacuous = 'valid' | 'unknown';

const TIME_MAX_MS = 60_000;
const CONFIGURATIONS_MAX = 1_000_000;
/** Bound on the time for making a violation small, beyond that of finding it. */
const SHRINK_MAX_MS = 2_000;
/** How many violations are shrunk and explained; further keys are only named. */
const EXPLAINED_MAX = 8;

/** How a key was decided: by the zones of its values, by looking at elements, or by the general search. */
type Path = 'zones' | 'elements' | 'search';

/** What became of one key: plain data, so that it can come from a worker thread. */
export interface KeyVerdict {
  readonly key: Ref;
  readonly valid: Valid;
  readonly path: Path;
  readonly operations: number;
  readonly reason?: string;
  readonly anomaly?: Anomaly;
  readonly frontier?: Value;
  /** Indices of invocations, in the order of a linearization. */
  readonly order?: readonly number[];
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
  const check = new LinearCheck(events, options);
  return conclude(events, options, check.calls, check.keys(undefined));
}

/** Judges keys one by one: all, or only these. The verdicts of several parts make one with `concludeLinear`. */
export function checkKeys(events: Events, options: LinearOptions, only?: ReadonlySet<Ref>): readonly KeyVerdict[] {
  return new LinearCheck(events, options).keys(only);
}

/** The section that the verdicts of all keys make. */
export function concludeLinear(events: Events, options: LinearOptions, verdicts: readonly KeyVerdict[]): Section {
  return conclude(events, options, pairCalls(events), verdicts);
}

function conclude(events: Events, options: LinearOptions, calls: Calls, verdicts: readonly KeyVerdict[]): Section {
  const model = modelOf(options.model);
  const { length, complete } = calls;
  if (length === 0) return uninformed('the history holds no operation of a client', events.length, options);
  let completed = 0;
  for (let i = 0; i < length; i++) if (complete[i] !== OPEN) completed++;
  const counts = { operations: length, completed, unknownOutcomes: length - completed, keys: verdicts.length };
  const section = sectionOf(events, model, verdicts, counts);
  if (section.valid !== true || isInformed(events, calls, model, options.failedCas)) return section;
  return uninformed('nothing in the history tells anything of the state: no reads', events.length, options, section);
}

/** The section on a history that tells nothing, of this many events. One that holds nothing at all is never valid. */
export function uninformed(
  reason: string,
  events: number,
  { vacuous }: LinearOptions,
  { counts, details }: Pick<Section, 'counts' | 'details'> = { counts: { operations: 0 } },
): Section {
  if (vacuous !== 'valid' || events === 0) return unknown(reason, counts);
  return {
    valid: true,
    summary: `vacuously linearizable: ${reason}`,
    anomalies: [],
    counts,
    ...(details && { details }),
  };
}

/** Whether any call's answer says something of the state, so that a verdict rests on something. */
function isInformed(events: Events, calls: Calls, model: Model<unknown>, failedCas: FailedCas | undefined): boolean {
  const { f, names } = events;
  const { length, invoke, complete, outcome } = calls;
  const blind = Uint8Array.from(names, (name) => (model.blind?.includes(name) ? 1 : 0));
  for (let i = 0; i < length; i++) {
    if (complete[i] === OPEN || blind[f[invoke[i]!]!] === 1) continue;
    if (outcome[i] === OK || failedAs(events, model, invoke[i]!, complete[i]!, failedCas)) return true;
  }
  return false;
}

class LinearCheck {
  readonly #events: Events;
  readonly #options: LinearOptions;
  readonly #model: Model<unknown>;
  readonly #initial: unknown;
  readonly calls: Calls;
  readonly #transitions: Transitions<unknown>;
  readonly #zones = new Zones();
  readonly #problems: RegisterProblems;
  readonly #bounds: SearchBounds;
  /** Made when the first key needs it: where zones decide, its tables would cost more than the check. */
  #search: Search<unknown> | undefined;
  #explained = 0;

  constructor(events: Events, options: LinearOptions) {
    this.#events = events;
    this.#options = options;
    this.#model = modelOf(options.model);
    this.#initial = this.#model.init(options.initial);
    this.calls = pairCalls(events);
    this.#transitions = new Transitions(this.#model);
    const initial = this.#transitions.state(this.#initial);
    this.#problems = new RegisterProblems(events, this.#transitions, initial);
    this.#bounds = boundsOf(options);
  }

  get #searching(): Search<unknown> {
    this.#search ??= new Search(this.#transitions, this.#bounds, this.#options.certificate === true);
    return this.#search;
  }

  keys(only: ReadonlySet<Ref> | undefined): KeyVerdict[] {
    const groups = groupCalls(this.calls, this.#events.key);
    const registers = isRegister(this.#model)
      ? new Registers(this.#events, this.calls, groups.places, this.#model, this.#options.failedCas)
      : undefined;
    const initial = this.#events.ref(this.#options.initial ?? null);
    const verdicts: KeyVerdict[] = [];
    for (const [at, key] of groups.keys.entries()) {
      if (only !== undefined && !only.has(key)) continue;
      const from = groups.offsets[at]!;
      const to = groups.offsets[at + 1]!;
      const own = groups.order.subarray(from, to);
      const register = registers?.slice(from, to, initial);
      verdicts.push(register === undefined ? this.#general(key, own) : this.#register(key, own, register));
    }
    return verdicts;
  }

  #register(key: Ref, own: Int32Array, register: RegisterCalls): KeyVerdict {
    const operations = own.length;
    const zones = this.#zones.check(register);
    if (zones !== undefined) {
      const { conflict } = zones;
      if (conflict !== undefined) {
        return {
          key,
          valid: false,
          path: 'zones',
          operations,
          anomaly: this.#anomaly(key, () => this.#conflicting(own, register, conflict), conflict.reason),
        };
      }
      if (this.#options.certificate !== true) return { key, valid: true, path: 'zones', operations };
      const order = this.#zones.order(register).map((i) => register.invoke[i]!);
      return { key, valid: true, path: 'zones', operations, order };
    }
    const { problem, names } = this.#problems.of(register);
    const result = this.#searching.run(problem);
    return this.#searched(key, own, result, (call) => register.invoke[names[call]!]!);
  }

  #general(key: Ref, own: Int32Array): KeyVerdict {
    const calls = this.#callsOf(own);
    const initial = this.#transitions.state(this.#initial);
    const elements = this.#elements(calls);
    // The paths by elements give no order of their own: where one is wanted, the search looks for it.
    if (elements !== undefined && (elements.suspects !== undefined || this.#options.certificate !== true)) {
      const { suspects } = elements;
      const base = { key, path: 'elements' as const, operations: own.length };
      if (suspects === undefined) return { ...base, valid: true };
      return { ...base, valid: false, anomaly: this.#anomaly(key, () => suspects, 'elements') };
    }
    const parts = this.#model === models.set && this.#options.certificate !== true ? byElement(calls) : undefined;
    if (parts !== undefined) return this.#elementwise(key, own, initial, parts);
    const result = searchCalls(this.#searching, this.#transitions, initial, calls);
    return this.#searched(key, own, result, (call) => calls[call]!.invoke);
  }

  /** Judges the calls on each element of a set by themselves: they are objects of their own. */
  #elementwise(key: Ref, own: Int32Array, initial: number, parts: readonly (readonly Call[])[]): KeyVerdict {
    let undecided: KeyVerdict | undefined;
    for (const part of parts) {
      const result = searchCalls(this.#searching, this.#transitions, initial, part);
      if (result.valid === true) continue;
      const verdict = this.#searched(key, own, result, (call) => part[call]!.invoke);
      if (result.valid === false) return { ...verdict, path: 'elements' };
      undecided ??= verdict;
    }
    return undecided ?? { key, valid: true, path: 'elements', operations: own.length };
  }

  #elements(calls: readonly Call[]): Suspects {
    const { initial } = this.#options;
    if (this.#model === models.set) return checkSet(calls, Array.isArray(initial) ? (initial as readonly Value[]) : []);
    if (initial !== undefined) return undefined;
    if (this.#model === models['fifo-queue']) return checkFifo(calls);
    if (this.#model === models.stack) return checkStack(calls);
    return this.#model === models['unordered-queue'] ? checkBag(calls) : undefined;
  }

  #searched(key: Ref, own: Int32Array, result: SearchResult, nameOf: (call: number) => number): KeyVerdict {
    const operations = own.length;
    if (result.valid === true) {
      const order = result.order?.map(nameOf);
      return { key, valid: true, path: 'search', operations, ...(order === undefined ? {} : { order }) };
    }
    if (result.valid === 'unknown') {
      const { reason, verifiedTo, configurations, prefixes } = result;
      const describe = ({ state, ahead, hidden, pending }: Prefix): Value => ({
        state: describeState(this.#model, this.#transitions.states[state]),
        ahead: ahead.map(nameOf),
        hidden: hidden.map(nameOf),
        pending: pending.map(nameOf),
      });
      const frontier = {
        ...(key === NONE ? {} : { key: this.#events.value(key) }),
        reason,
        verifiedTo,
        configurations,
        prefixes: prefixes.map(describe),
      };
      return { key, valid: 'unknown', path: 'search', operations, reason, frontier };
    }
    const suspects = (): readonly Call[] => {
      // Only what was invoked before the completion that nothing reaches can matter.
      const at = nameOf(result.call);
      const end = this.calls.complete[own.find((call) => this.calls.invoke[call] === at)!]!;
      return this.#callsOf(own.filter((call) => this.calls.invoke[call]! < end));
    };
    return { key, valid: false, path: 'search', operations, anomaly: this.#anomaly(key, suspects, 'search') };
  }

  #callsOf(own: Iterable<number>): Call[] {
    const calls: Call[] = [];
    for (const call of own) {
      const operation = operationOf(this.#events, this.calls, call, this.#model, this.#options.failedCas);
      if (operation === undefined) continue;
      calls.push({ operation, invoke: this.calls.invoke[call]!, complete: this.calls.complete[call]! });
    }
    return calls;
  }

  /** The calls of a conflict, the writes of what they observed, and what proves that those of unknown outcome happened. */
  #conflicting(own: Int32Array, register: RegisterCalls, conflict: ZoneConflict): Call[] {
    if (conflict.reason === 'cas-mismatch') return this.#prefix(own, register, conflict);
    const picked = new Set(conflict.calls.filter((i) => i >= 0));
    const { kind, first, second, complete, length } = register;
    const written = (i: number): Ref => (kind[i] === CAS ? second[i]! : first[i]!);
    for (let size = -1; size !== picked.size; ) {
      size = picked.size;
      const sources = new Set<Ref>();
      const proofs = new Set<Ref>();
      for (const i of picked) {
        if (kind[i] === READ || kind[i] === CAS) sources.add(first[i]!);
        if (kind[i] !== READ && complete[i] === OPEN) proofs.add(written(i));
      }
      // One that completed proves it best; else one of unknown outcome that is proven itself.
      const proof = new Map<Ref, number>();
      for (let i = 0; i < length; i++) {
        if ((kind[i] === WRITE || kind[i] === CAS) && sources.has(written(i))) picked.add(i);
        if ((kind[i] !== READ && kind[i] !== CAS) || !proofs.has(first[i]!) || !this.#zones.happened(register, i))
          continue;
        const known = proof.get(first[i]!);
        if (known === undefined || complete[known] === OPEN) proof.set(first[i]!, i);
      }
      for (const i of proof.values()) picked.add(i);
    }
    return this.#callsOf([...picked].sort((a, b) => a - b).map((i) => own[i]!));
  }

  /**
   * What a failed cas could have seen instead is any other write, so only what came later can be left out: the
   * calls up to the first of some completions after which the conflict is known.
   */
  #prefix(own: Int32Array, register: RegisterCalls, { calls }: ZoneConflict): Call[] {
    const end = Math.max(...calls.map((i) => register.complete[i]!));
    const later = register.complete.filter((at) => at > end && at !== OPEN).sort();
    for (let more = 0; more < later.length; more = 2 * more + 1) {
      const until = more === 0 ? end : later[more]!;
      const part = callsUntil(register, until);
      if (this.#zones.check(part)?.conflict === undefined) continue;
      const known = this.#callsOf(own.subarray(0, part.length));
      return known
        .filter((call) => call.complete <= until || this.#model.observes?.(call.operation) !== true)
        .map((call) => (call.complete <= until ? call : { ...call, complete: OPEN }));
    }
    return this.#callsOf(own);
  }

  #anomaly(key: Ref, suspects: () => readonly Call[], conflict: string): Anomaly {
    const where = key === NONE ? {} : { key: this.#events.value(key) };
    if (this.#options.explain === false || ++this.#explained > EXPLAINED_MAX) {
      const message = 'not linearizable (a counterexample was not looked for)';
      return { kind: 'nonlinearizable', message, ...where, ops: [], evidence: { conflict } };
    }
    const { now } = this.#options;
    const until = (now?.() ?? 0) + SHRINK_MAX_MS;
    const {
      calls: kept,
      minimal,
      prefixes,
    } = shrink(this.#model, this.#initial, suspects(), () => now !== undefined && now() > until);
    const words = kept.slice(0, 6).map((call) => describeCall(call.operation));
    return {
      kind: 'nonlinearizable',
      message: `no order of ${kept.length} operations explains their answers: ${words.join(', ')}${kept.length > 6 ? ' …' : ''}`,
      ...where,
      ops: kept.flatMap((call) => (call.complete === OPEN ? [call.invoke] : [call.invoke, call.complete])),
      evidence: {
        conflict,
        minimal,
        initial: this.#options.initial ?? null,
        counterexample: kept.map(({ operation, invoke, complete }) => ({
          op: invoke,
          ...(complete === OPEN ? {} : { completion: complete }),
          process: operation.process,
          f: operation.f,
          argument: operation.argument,
          ...(operation.result === undefined ? {} : { result: operation.result }),
          outcome: operation.outcome,
        })),
        prefixes,
      },
    };
  }
}

/** The bounds of a search that starts now. */
export function boundsOf({ now, timeMaxMs, configurationsMax }: LinearOptions): SearchBounds {
  const deadline = (now?.() ?? 0) + (timeMaxMs ?? TIME_MAX_MS);
  return {
    configurationsMax: configurationsMax ?? CONFIGURATIONS_MAX,
    expired: () => now !== undefined && now() > deadline,
  };
}

export function modelOf(model: LinearOptions['model']): Model<unknown> {
  if (typeof model !== 'string') return model;
  if (isModelName(model)) return models[model];
  throw new RangeError(`no model has the name ${model}; there are ${modelNames.join(', ')}`);
}

function isRegister(model: Model<unknown>): boolean {
  return model === models.register || model === models['cas-register'] || model === models.kv;
}

function sectionOf(
  events: Events,
  model: Model<unknown>,
  verdicts: readonly KeyVerdict[],
  counts: { readonly [name: string]: number },
): Section {
  const valid = worst(verdicts.map((one) => one.valid));
  const anomalies = verdicts.flatMap((one) => one.anomaly ?? []);
  const undecided = verdicts.filter((one) => one.valid === 'unknown');
  const keys = verdicts.length;
  const certified = verdicts.filter((one) => one.order !== undefined);
  const looked = `${counts.operations} operations on ${keys} ${keys === 1 ? 'key' : 'keys'}`;
  const summaries = {
    true: `linearizable: ${looked}`,
    false: `not linearizable: ${anomalies.length} of ${keys} keys; ${looked}`,
    unknown: `not decided: ${undecided.length} of ${keys} keys; ${looked}`,
  };
  return {
    valid,
    summary: summaries[`${valid}`],
    ...(valid === 'unknown' ? { reason: undecided[0]?.reason ?? 'nothing was decided' } : {}),
    anomalies,
    counts,
    details: {
      model: model.name,
      paths: pathsOf(verdicts),
      ...(undecided.length === 0 ? {} : { undecided: undecided.slice(0, 10).map((one) => one.frontier ?? null) }),
      ...(certified.length === 0
        ? {}
        : {
            certificates: certified.map(({ key, order }) => ({
              ...(key === NONE ? {} : { key: events.value(key) }),
              order: order ?? [],
            })),
          }),
    },
  };
}

/** How many keys and operations each path decided. */
function pathsOf(verdicts: readonly KeyVerdict[]): Value {
  const paths: { [path in Path]?: { keys: number; operations: number } } = {};
  for (const { path, operations } of verdicts) {
    const { keys, operations: sum } = paths[path] ?? { keys: 0, operations: 0 };
    paths[path] = { keys: keys + 1, operations: sum + operations };
  }
  return paths;
}

import { type KeyedCalls, pairCalls, pairCallsByKey } from '../history/calls.ts';
import { Events, NONE, type Ref } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import type { Model } from '../model/model.ts';
import { models } from '../model/models.ts';
import { Transitions } from '../model/transitions.ts';
import type { Section } from '../verdict.ts';
import type { Suspects } from './elements.ts';
import { describeState } from './explain.ts';
import { operationOf } from './operations.ts';
import { boundsOf, type LinearOptions, modelOf } from './options.ts';
import { PlacedSearch } from './placed-search.ts';
import type { Prefix, SearchBounds, SearchResult } from './problem.ts';
import { checkBag, checkFifo } from './queues.ts';
import { type RegisterCalls, Registers } from './register-calls.ts';
import { RegisterProblems } from './register-problems.ts';
import { Search } from './search.ts';
import { type Call, searchCalls } from './search-calls.ts';
import { type KeyVerdict, sectionOf } from './section.ts';
import { byElement, checkSet } from './sets.ts';
import { checkStack } from './stacks.ts';
import { Violations } from './violations.ts';
import { Zones } from './zones.ts';

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
  const verdicts = check.keys(undefined);
  return sectionOf(events, options, check.calls, verdicts);
}

/** Judges keys one by one: all, or only these. The verdicts of several parts make one with `concludeLinear`. */
export function checkKeys(events: Events, options: LinearOptions, only?: ReadonlySet<Ref>): readonly KeyVerdict[] {
  return new LinearCheck(events, options).keys(only);
}

/** The section that the verdicts of all keys make. */
export function concludeLinear(events: Events, options: LinearOptions, verdicts: readonly KeyVerdict[]): Section {
  return sectionOf(events, options, pairCalls(events), verdicts);
}

/** A key, and where its calls are among all. */
interface KeyRange {
  readonly key: Ref;
  readonly from: number;
  readonly to: number;
}

class LinearCheck {
  readonly #events: Events;
  readonly #options: LinearOptions;
  readonly #model: Model<unknown>;
  readonly #initial: unknown;
  readonly calls: KeyedCalls;
  /** Present for models of registers. */
  readonly #registers: Registers | undefined;
  readonly #transitions: Transitions<unknown>;
  readonly #zones = new Zones();
  readonly #problems: RegisterProblems;
  readonly #bounds: SearchBounds;
  readonly #violations: Violations;
  /** Made when the first key needs it: where zones decide, its tables would cost more than the check. */
  #search: Search<unknown> | undefined;
  /** For keys that hold lists; likewise. */
  #placed: PlacedSearch | undefined;

  constructor(events: Events, options: LinearOptions) {
    this.#events = events;
    this.#options = options;
    this.#model = modelOf(options.model);
    this.#initial = this.#model.init(options.initial);
    let registers: Registers | undefined;
    const listenerOf = (length: number): Registers => {
      registers = new Registers(events, length, this.#model, options.failedCas);
      return registers;
    };
    this.calls = pairCallsByKey(events, isRegister(this.#model) ? listenerOf : undefined);
    this.#registers = registers;
    this.#transitions = new Transitions(this.#model);
    const initial = this.#transitions.state(this.#initial);
    this.#problems = new RegisterProblems(events, this.#transitions, initial);
    this.#bounds = boundsOf(options);
    this.#violations = new Violations(events, options);
  }

  get #searching(): Search<unknown> {
    this.#search ??= new Search(this.#transitions, this.#bounds, this.#options.certificate === true);
    return this.#search;
  }

  keys(only: ReadonlySet<Ref> | undefined): KeyVerdict[] {
    const { keys, offsets } = this.calls;
    const initial = this.#events.ref(this.#options.initial ?? null);
    const verdicts: KeyVerdict[] = [];
    for (const [at, key] of keys.entries()) {
      if (only !== undefined && !only.has(key)) continue;
      const range = { key, from: offsets[at]!, to: offsets[at + 1]! };
      const register = this.#registers?.slice(this.calls, range.from, range.to, initial);
      verdicts.push(register === undefined ? this.#general(range) : this.#register(range, register));
    }
    return verdicts;
  }

  #register({ key, from, to }: KeyRange, register: RegisterCalls): KeyVerdict {
    const operations = to - from;
    const zones = this.#zones.check(register);
    if (zones !== undefined) {
      const { conflict } = zones;
      if (conflict !== undefined) {
        const anomaly = this.#violations.ofZones(key, register, this.#zones, conflict);
        return { key, valid: false, path: 'zones', operations, anomaly };
      }
      if (this.#options.certificate !== true) return { key, valid: true, path: 'zones', operations };
      const order = this.#zones.order(register).map((i) => register.invoke[i]!);
      return { key, valid: true, path: 'zones', operations, order };
    }
    const { problem, names } = this.#problems.of(register);
    const result = this.#searching.run(problem);
    return this.#searched({ key, from, to }, result, (call) => register.invoke[names[call]!]!);
  }

  #general(range: KeyRange): KeyVerdict {
    const { key, from, to } = range;
    const calls = this.#callsOf(range);
    const initial = this.#transitions.state(this.#initial);
    const elements = this.#elements(calls);
    // The paths by elements give no order of their own: where one is wanted, the search looks for it.
    if (elements !== undefined && (elements.suspects !== undefined || this.#options.certificate !== true)) {
      const { suspects } = elements;
      const base = { key, path: 'elements' as const, operations: to - from };
      if (suspects === undefined) return { ...base, valid: true };
      return { ...base, valid: false, anomaly: this.#violations.anomaly(key, () => suspects, 'elements') };
    }
    const parts = this.#model === models.set && this.#options.certificate !== true ? byElement(calls) : undefined;
    if (parts !== undefined) return this.#elementwise(range, initial, parts);
    const nameOf = (call: number) => calls[call]!.invoke;
    if (this.#model === models.kv) {
      this.#placed ??= new PlacedSearch(
        this.#options.initial ?? null,
        this.#bounds,
        this.#options.certificate === true,
      );
      const result = this.#placed.run(calls);
      if (result !== undefined) return this.#searched(range, result, nameOf, this.#placed.transitions);
    }
    const result = searchCalls(this.#searching, this.#transitions, initial, calls);
    return this.#searched(range, result, nameOf);
  }

  /** Judges the calls on each element of a set by themselves: they are objects of their own. */
  #elementwise(range: KeyRange, initial: number, parts: readonly (readonly Call[])[]): KeyVerdict {
    let undecided: KeyVerdict | undefined;
    for (const part of parts) {
      const result = searchCalls(this.#searching, this.#transitions, initial, part);
      if (result.valid === true) continue;
      const verdict = this.#searched(range, result, (call) => part[call]!.invoke);
      if (result.valid === false) return { ...verdict, path: 'elements' };
      undecided ??= verdict;
    }
    const { key, from, to } = range;
    return undecided ?? { key, valid: true, path: 'elements', operations: to - from };
  }

  #elements(calls: readonly Call[]): Suspects {
    const { initial } = this.#options;
    if (this.#model === models.set) return checkSet(calls, Array.isArray(initial) ? (initial as readonly Value[]) : []);
    if (initial !== undefined) return undefined;
    if (this.#model === models['fifo-queue']) return checkFifo(calls);
    if (this.#model === models.stack) return checkStack(calls);
    return this.#model === models['unordered-queue'] ? checkBag(calls) : undefined;
  }

  #searched(
    range: KeyRange,
    result: SearchResult,
    nameOf: (call: number) => number,
    transitions = this.#transitions,
  ): KeyVerdict {
    const { key, from, to } = range;
    const operations = to - from;
    if (result.valid === true) {
      const order = result.order?.map(nameOf);
      return { key, valid: true, path: 'search', operations, ...(order === undefined ? {} : { order }) };
    }
    if (result.valid === 'unknown') {
      const { reason, verifiedTo, configurations, prefixes } = result;
      const describe = ({ state, ahead, hidden, pending }: Prefix): Value => ({
        state: describeState(transitions.model, transitions.states[state]),
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
      if (transitions !== this.#transitions) return this.#callsOf(range);
      // Only what was invoked before the completion that nothing reaches can matter.
      const { invoke, complete } = this.calls;
      const end = complete[from + invoke.subarray(from, to).indexOf(nameOf(result.call))]!;
      return this.#callsOf(range).filter((call) => call.invoke < end);
    };
    return {
      key,
      valid: false,
      path: 'search',
      operations,
      anomaly: this.#violations.anomaly(key, suspects, 'search'),
    };
  }

  #callsOf({ from, to }: KeyRange): Call[] {
    const { invoke, complete } = this.calls;
    const calls: Call[] = [];
    for (let i = from; i < to; i++) {
      const operation = operationOf(this.#events, invoke[i]!, complete[i]!, this.#model, this.#options.failedCas);
      if (operation !== undefined) calls.push({ operation, invoke: invoke[i]!, complete: complete[i]! });
    }
    return calls;
  }
}

function isRegister(model: Model<unknown>): boolean {
  return model === models.register || model === models['cas-register'] || model === models.kv;
}

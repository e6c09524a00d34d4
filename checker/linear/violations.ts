import { OPEN } from '../history/calls.ts';
import { type Events, NONE, type Ref } from '../history/events.ts';
import type { Model } from '../model/model.ts';
import type { Anomaly } from '../verdict.ts';
import type { ZoneConflict } from './clusters.ts';
import { describeCall, shrink } from './explain.ts';
import { operationOf } from './operations.ts';
import { type LinearOptions, modelOf } from './options.ts';
import { CAS, callsUntil, READ, type RegisterCalls, WRITE } from './register-calls.ts';
import type { Call } from './search-calls.ts';
import type { Zones } from './zones.ts';

/** Bound on the time for making a violation small, beyond that of finding it. */
const SHRINK_MAX_MS = 2_000;
/** How many violations are shrunk and explained; further keys are only named. */
const EXPLAINED_MAX = 8;
/** How many operations a message names. */
const NAMED_MAX = 6;

/** Makes the anomalies of a history: each with a counterexample that was made small and checked again. */
export class Violations {
  readonly #events: Events;
  readonly #options: LinearOptions;
  readonly #model: Model<unknown>;
  #explained = 0;

  constructor(events: Events, options: LinearOptions) {
    this.#events = events;
    this.#options = options;
    this.#model = modelOf(options.model);
  }

  /** A conflict of zones, which were the last that `zones` checked. */
  ofZones(key: Ref, register: RegisterCalls, zones: Zones, conflict: ZoneConflict): Anomaly {
    return this.anomaly(key, () => this.#conflicting(register, zones, conflict), conflict.reason);
  }

  /**
   * A violation on a key.
   *
   * @param suspects calls that are not linearizable by themselves; asked for only when they are to be made few
   * @param conflict what showed it
   */
  anomaly(key: Ref, suspects: () => readonly Call[], conflict: string): Anomaly {
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
    } = shrink(
      this.#model,
      this.#model.init(this.#options.initial),
      suspects(),
      () => now !== undefined && now() > until,
    );
    return {
      kind: 'nonlinearizable',
      message: inWords(kept),
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

  /** The calls of a conflict, the writes of what they observed, and what proves that those of unknown outcome happened. */
  #conflicting(register: RegisterCalls, zones: Zones, conflict: ZoneConflict): Call[] {
    if (conflict.reason === 'cas-mismatch') return this.#prefix(register, zones, conflict);
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
        if ((kind[i] !== READ && kind[i] !== CAS) || !proofs.has(first[i]!) || !zones.happened(register, i)) continue;
        const known = proof.get(first[i]!);
        if (known === undefined || complete[known] === OPEN) proof.set(first[i]!, i);
      }
      for (const i of proof.values()) picked.add(i);
    }
    return this.#callsOf(
      register,
      [...picked].sort((a, b) => a - b),
    );
  }

  /**
   * What a failed cas could have seen instead is any other write, so only what came later can be left out: the
   * calls up to the first of some completions after which the conflict is known.
   */
  #prefix(register: RegisterCalls, zones: Zones, { calls }: ZoneConflict): Call[] {
    const end = Math.max(...calls.map((i) => register.complete[i]!));
    const later = register.complete.filter((at) => at > end && at !== OPEN).sort();
    for (let more = 0; more < later.length; more = 2 * more + 1) {
      const until = more === 0 ? end : later[more]!;
      const part = callsUntil(register, until);
      if (zones.check(part)?.conflict === undefined) continue;
      const known = this.#callsOf(register, upTo(part.length));
      return known
        .filter((call) => call.complete <= until || this.#model.observes?.(call.operation) !== true)
        .map((call) => (call.complete <= until ? call : { ...call, complete: OPEN }));
    }
    return this.#callsOf(register, upTo(register.length));
  }

  #callsOf({ invoke, complete }: RegisterCalls, picked: Iterable<number>): Call[] {
    const calls: Call[] = [];
    for (const i of picked) {
      const operation = operationOf(this.#events, invoke[i]!, complete[i]!, this.#model, this.#options.failedCas);
      if (operation !== undefined) calls.push({ operation, invoke: invoke[i]!, complete: complete[i]! });
    }
    return calls;
  }
}

function inWords(calls: readonly Call[]): string {
  const named = calls.slice(0, NAMED_MAX).map((call) => describeCall(call.operation));
  const words = `${named.join(', ')}${calls.length > NAMED_MAX ? ' …' : ''}`;
  if (calls.length === 1) return `no order of the operations explains the answer of one: ${words}`;
  return `no order of ${calls.length} operations explains their answers: ${words}`;
}

function upTo(length: number): Iterable<number> {
  return Array(length).keys();
}

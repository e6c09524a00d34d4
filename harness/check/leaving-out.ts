import { canonical } from '../../checker/history/events.ts';
import type { Op, Value } from '../../checker/history/op.ts';

/** An invocation with its completion; either may be missing. */
export interface Call {
  readonly invocation: Op | undefined;
  readonly completion: Op | undefined;
}

/**
 * What may be left out of a history so that no anomaly comes in that was not there.
 *
 * - `anything`: the anomaly is in the operations that show it, whatever else happened.
 * - `not-sources`: it is that something was seen which nobody did; who sees keeps those who did.
 * - `not-observers`: it is that something was done and not seen; who did keeps those who saw.
 * - `only-reads`: it is in a sum of all that was done.
 * - `nothing`: the checker's own evidence is as small as can be told.
 */
export type LeavingOut = 'anything' | 'not-sources' | 'not-observers' | 'only-reads' | 'nothing';

const WRITES = new Set<unknown>(['w', 'append', 'insert', 'delete', 'write', 'put', 'add', 'enqueue', 'init']);
const OBSERVES = new Set<unknown>(['r', 'read', 'get', 'dequeue', 'drain']);
/** What takes a value away without saying which when its outcome is unknown. */
const TAKES = new Set<unknown>(['dequeue', 'drain']);

/** What each call of a history did and saw, as far as leaving out depends on it. */
export class Dependencies {
  readonly #rule: LeavingOut;
  /** By what was done or seen: the calls that did it, and those that saw it. */
  readonly #sources = new Map<string, Call[]>();
  readonly #observers = new Map<string, Call[]>();

  constructor(calls: readonly Call[], rule: LeavingOut) {
    this.#rule = rule;
    if (rule !== 'not-sources' && rule !== 'not-observers') return;
    for (const call of calls) {
      for (const name of done(call)) push(this.#sources, name, call);
      for (const name of seen(call)) push(this.#observers, name, call);
    }
  }

  /** Whether a call may be left out at all. */
  mayGo(call: Call): boolean {
    const { f } = (call.invocation ?? call.completion)!;
    if (this.#rule === 'nothing') return false;
    if (this.#rule === 'only-reads') return done(call).length === 0;
    return this.#rule !== 'not-observers' || call.completion?.type === 'ok' || !TAKES.has(f);
  }

  /** The calls that are to be left out together with some. */
  closure(some: Iterable<Call>): ReadonlySet<Call> {
    const all = new Set(some);
    // A set's iteration goes on over what is added to it.
    for (const call of all) {
      if (this.#rule === 'not-sources') {
        for (const name of done(call)) for (const other of this.#observers.get(name) ?? []) all.add(other);
      } else if (this.#rule === 'not-observers') {
        for (const name of seen(call)) for (const other of this.#sources.get(name) ?? []) all.add(other);
      }
    }
    return all;
  }
}

/** The keys that a call is on. */
export function keysOf({ invocation, completion }: Call): string[] {
  const { key, value = null } = (completion ?? invocation)!;
  if (key !== undefined) return [canonical(key)];
  return microOperations(value ?? null).map(([, k]) => canonical(k));
}

function push(map: Map<string, Call[]>, name: string, call: Call): void {
  const list = map.get(name);
  if (list) list.push(call);
  else map.set(name, [call]);
}

function done({ invocation, completion }: Call): string[] {
  const op = (invocation ?? completion)!;
  const { value = null, key = null } = op;
  if (WRITES.has(op.f)) return [nameOf(key, value)];
  return microOperations(value).flatMap(([f, k, v]) => (WRITES.has(f) ? [nameOf(k, v)] : []));
}

function seen({ completion }: Call): string[] {
  if (completion?.type !== 'ok') return [];
  const { f, value = null, key = null } = completion;
  const elements = (of: Value): readonly Value[] => (Array.isArray(of) ? (of as readonly Value[]) : [of]);
  if (OBSERVES.has(f)) return elements(value).map((one) => nameOf(key, one));
  return microOperations(value).flatMap(([f, k, v]) =>
    OBSERVES.has(f) ? elements(v).map((one) => nameOf(k, one)) : [],
  );
}

function nameOf(key: Value, value: Value): string {
  return `${canonical(key)} ${canonical(value)}`;
}

function microOperations(value: Value): (readonly [f: Value, key: Value, value: Value])[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly Value[]).flatMap((mop) =>
    Array.isArray(mop) ? [[mop[0] ?? null, mop[1] ?? null, mop[2] ?? null] as const] : [],
  );
}

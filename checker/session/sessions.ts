import { type Calls, outcomeOf, pairCalls } from '../history/calls.ts';
import { type Events, FAIL, OK, type Ref } from '../history/events.ts';
import { HistoryError } from '../history/history-error.ts';
import type { Value } from '../history/op.ts';

/** A read or a write of a register. A cas that was answered with `ok` is a read and then a write. */
export interface Access {
  readonly id: number;
  readonly isRead: boolean;
  readonly process: number;
  readonly key: Ref;
  readonly value: Value;
  /** Its place in its session, from 0. */
  readonly place: number;
  /** How many writes of its session there are up to it, itself included. */
  readonly writes: number;
  /** Of a read: the write that it saw; undefined for the initial value. */
  from: Access | undefined;
  readonly invoked: number;
  /** `OPEN` when the outcome is not known. */
  readonly completed: number;
}

/** A read of what nobody can have written by then. */
interface GarbageRead {
  readonly op: number;
  readonly key: Ref;
  readonly value: Value;
  readonly why: string;
}

/** What the processes of a history did to registers. A process is a session. */
export interface Sessions {
  readonly byProcess: ReadonlyMap<number, readonly Access[]>;
  /** In order of invocation. */
  readonly all: readonly Access[];
  /** Not among the accesses: they say nothing of any order. */
  readonly garbage: readonly GarbageRead[];
}

/**
 * Sorts reads and writes of registers (`read`, `write`, `cas`) into sessions.
 *
 * @throws HistoryError when two writes that may have happened wrote the same value to a key: then nobody can tell
 * which of them a read saw
 */
export function readSessions(events: Events, initial: Value): Sessions {
  const calls = pairCalls(events);
  const { writers, failed } = writersOf(events, calls);
  const byProcess = new Map<number, Access[]>();
  const all: Access[] = [];
  const garbage: GarbageRead[] = [];
  const writeOf = new Map<number, Access>();
  const sources: (readonly [read: Access, writer: number])[] = [];
  const add = (call: number, isRead: boolean, value: Value): Access => {
    const [invoked, completed] = [calls.invoke[call]!, calls.complete[call]!];
    const process = events.process[invoked]!;
    const session = byProcess.get(process) ?? [];
    byProcess.set(process, session);
    const writes = (session.at(-1)?.writes ?? 0) + (isRead ? 0 : 1);
    const where = { id: all.length, process, key: events.key[invoked]!, place: session.length };
    const access: Access = { ...where, isRead, value, writes, from: undefined, invoked, completed };
    session.push(access);
    all.push(access);
    return access;
  };
  const addRead = (call: number, value: Value): void => {
    const [at, op] = [calls.invoke[call]!, calls.complete[call]!];
    const name = nameOf(events, at, value);
    const writer = writers.get(name);
    if (writer !== undefined && calls.invoke[writer]! < op) sources.push([add(call, true, value), writer]);
    else if (writer === undefined && events.ref(value) === events.ref(initial)) add(call, true, value);
    else {
      const later = writer === undefined ? undefined : 'which was written only later';
      const why = later ?? (failed.has(name) ? 'whose write failed' : 'which nobody wrote');
      garbage.push({ op, key: events.key[at]!, value, why });
    }
  };
  for (let call = 0; call < calls.length; call++) {
    const outcome = outcomeOf(events, calls.complete[call]!);
    if (outcome === FAIL) continue;
    const at = calls.invoke[call]!;
    const f = events.names[events.f[at]!];
    if (outcome === OK) {
      if (f === 'read') addRead(call, events.valueAt(calls.complete[call]!));
      else if (f === 'cas') addRead(call, pairAt(events, at)[0]);
    }
    const written = writtenBy(events, at);
    if (written !== undefined) writeOf.set(call, add(call, false, written));
  }
  for (const [read, writer] of sources) read.from = writeOf.get(writer);
  return { byProcess, all, garbage };
}

/** By key and value: the call that may have written it; and what only failed calls wrote. */
function writersOf(events: Events, calls: Calls): { writers: Map<string, number>; failed: Set<string> } {
  const writers = new Map<string, number>();
  const failed = new Set<string>();
  for (let call = 0; call < calls.length; call++) {
    const at = calls.invoke[call]!;
    const written = writtenBy(events, at);
    if (written === undefined) continue;
    const name = nameOf(events, at, written);
    if (outcomeOf(events, calls.complete[call]!) === FAIL) {
      failed.add(name);
      continue;
    }
    const other = writers.get(name);
    if (other !== undefined) {
      throw new HistoryError(
        `operations ${calls.invoke[other]} and ${at} both wrote ${JSON.stringify(written)} to one key: values must be unique for each key`,
      );
    }
    writers.set(name, call);
  }
  return { writers, failed };
}

function nameOf(events: Events, at: number, value: Value): string {
  return `${events.key[at]} ${events.ref(value)}`;
}

function writtenBy(events: Events, at: number): Value | undefined {
  const f = events.names[events.f[at]!];
  return f === 'write' ? events.valueAt(at) : f === 'cas' ? pairAt(events, at)[1] : undefined;
}

function pairAt(events: Events, at: number): readonly [expected: Value, written: Value] {
  const value = events.valueAt(at);
  if (Array.isArray(value) && value.length === 2) return value as readonly Value[] as readonly [Value, Value];
  throw new HistoryError(`operation ${at}: a cas is of [expected, new], not ${JSON.stringify(value)}`);
}

import { HistoryError } from './history-error.ts';
import type { Op, OpType, Value } from './op.ts';

const PROCESS_MAX = 0x3fffffff;
const TYPES = new Set<unknown>(['invoke', 'ok', 'fail', 'info']);

function isType(type: unknown): type is OpType {
  return TYPES.has(type);
}

/**
 * An operation from a record that some format gave, with our names or Jepsen's (they are the same).
 *
 * @throws HistoryError when it has no type or process, or one that makes no sense.
 */
export function opOf(record: unknown, index: number, line?: number): Op {
  if (record === null || typeof record !== 'object' || Array.isArray(record)) {
    throw new HistoryError(`not an operation: ${excerpt(record)}`, line);
  }
  const { time, process, type, f, key, value, error, op, node } = record as { readonly [name: string]: unknown };
  if (!isType(type)) throw new HistoryError(`"type" must be invoke, ok, fail or info, not ${excerpt(type)}`, line);
  if (typeof process === 'string' ? /^-?\d+$/.test(process) : !isProcess(process)) {
    throw new HistoryError(`"process" must be a number from 0, or "nemesis", not ${excerpt(process)}`, line);
  }
  if (f !== undefined && typeof f !== 'string') throw new HistoryError(`"f" must be a name, not ${excerpt(f)}`, line);
  return {
    index,
    time: timeOf(time) ?? index,
    process: typeof process === 'number' ? process : 'nemesis',
    type,
    f: f ?? 'txn',
    ...(key === undefined ? {} : { key: key as Value }),
    ...(value === undefined ? {} : { value: value as Value }),
    ...(error === undefined || error === null
      ? {}
      : { error: typeof error === 'string' ? error : JSON.stringify(error) }),
    ...(typeof op === 'string' ? { op } : {}),
    ...(typeof node === 'string' ? { node } : {}),
  };
}

/** Nanoseconds since 1970 are integers beyond those that numbers tell apart, of which the text is left. */
function timeOf(time: unknown): number | undefined {
  if (typeof time === 'number') return time;
  return typeof time === 'string' && /^\d+$/.test(time) ? Number(time) : undefined;
}

function isProcess(process: unknown): process is number {
  return typeof process === 'number' && Number.isInteger(process) && process >= 0 && process <= PROCESS_MAX;
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

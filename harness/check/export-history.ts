import type { History, Op, Value } from '../../checker/history/op.ts';
import { transactionKeys } from '../workload/transactions.ts';

/** A history cannot be said in a format. The message is one line. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
}

/** Formats of others, by the name that `--format` takes; each gives the lines of a file. */
export const exportFormats: ReadonlyMap<string, (history: History) => Iterable<string>> = new Map([
  ['edn', jepsenEdn],
  ['porcupine', porcupine],
]);

/** Text that EDN can say as a keyword, which is how Jepsen says functions, errors and types. */
const keyword = /^[A-Za-z][\w.*+!?<>=-]*$/;

/**
 * Jepsen's `history.edn`: a map a line. The key of an independent object stands before the value, as Jepsen's tuples
 * do: `["r1" 5]`.
 */
function* jepsenEdn(history: History): Iterable<string> {
  for (const { index, time, process, type, f, key, value, error, node } of history) {
    const independent = key !== undefined && process !== 'nemesis';
    const parts = [
      `:index ${index}, :time ${time}, :type :${type}, :process ${process === 'nemesis' ? ':nemesis' : process}`,
      `:f ${named(f)}`,
      `:value ${independent ? `[${edn(key)} ${edn(value ?? null)}]` : f === 'txn' ? micros(value) : edn(value ?? null)}`,
      ...(error === undefined ? [] : [`:error ${named(error)}`]),
      ...(node === undefined ? [] : [`:node ${JSON.stringify(node)}`]),
    ];
    yield `{${parts.join(', ')}}`;
  }
}

function named(name: string): string {
  return keyword.test(name) ? `:${name}` : JSON.stringify(name);
}

/** Micro-operations have their functions as keywords. */
function micros(value: Value | undefined): string {
  if (!Array.isArray(value)) return edn(value ?? null);
  const list = (value as readonly Value[]).map((micro) => {
    const [f, ...rest] = Array.isArray(micro) ? (micro as readonly Value[]) : [];
    return typeof f === 'string' ? `[${[named(f), ...rest.map(edn)].join(' ')}]` : edn(micro);
  });
  return `[${list.join(' ')}]`;
}

function edn(value: Value): string {
  if (value === null) return 'nil';
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(edn).join(' ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, member]) => `${named(name)} ${edn(member)}`)
    .join(', ')}}`;
}

const porcupineNames: ReadonlyMap<string, string> = new Map([
  ['read', ':get'],
  ['write', ':put'],
  ['get', ':get'],
  ['put', ':put'],
  ['append', ':append'],
]);

/**
 * Porcupine's kv format (its `test_data/kv`): get, put and append of strings, a key that nobody wrote being the empty
 * one. It has no failures: what failed is left out, and what has no answer stays open.
 * @throws ExportError for a history with other functions
 */
function* porcupine(history: History): Iterable<string> {
  const ends = completions(history);
  for (const op of history) {
    if (op.process === 'nemesis' || op.type === 'fail' || op.type === 'info') continue;
    const f = porcupineNames.get(op.f);
    if (f === undefined || transactionKeys(op.value).length > 0) {
      throw new ExportError(`Porcupine's kv format knows get, put and append: this history has ${op.f}`);
    }
    const end = ends.get(op);
    if (op.type === 'invoke' && end?.type === 'fail') continue;
    const isRead = f === ':get';
    const value = isRead && op.type === 'invoke' ? 'nil' : quoted(plain(op.value ?? end?.value ?? null));
    yield `{:process ${op.process}, :type :${op.type}, :f ${f}, :key ${quoted(plain(op.key ?? null))}, :value ${value}}`;
  }
}

/** What became of each invocation. */
function completions(history: History): ReadonlyMap<Op, Op> {
  const open = new Map<Op['process'], Op>();
  const ends = new Map<Op, Op>();
  for (const op of history) {
    if (op.type === 'invoke') open.set(op.process, op);
    else {
      const invoked = open.get(op.process);
      if (invoked !== undefined) ends.set(invoked, op);
      open.delete(op.process);
    }
  }
  return ends;
}

/** Text as it is, nothing as nothing, all else as JSON. */
function plain(value: Value): string {
  return value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}

/** @throws ExportError for text that Porcupine's reader, which knows no escapes, would not read back */
function quoted(text: string): string {
  if (/["\\\n]/.test(text)) throw new ExportError(`Porcupine's kv format cannot say ${JSON.stringify(text)}`);
  return `"${text}"`;
}

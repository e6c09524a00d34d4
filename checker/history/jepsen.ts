import { counted } from '../words.ts';
import { DEPTH_MAX, EdnReader } from './edn.ts';
import { HistoryError } from './history-error.ts';
import { parseJson } from './json.ts';
import type { Op, Value } from './op.ts';
import { opOf } from './record.ts';

interface Read {
  readonly ops: Op[];
  readonly warnings: readonly string[];
}

/** Jepsen's and Porcupine's EDN: a list or vector of maps, or one map after another. */
export function parseEdn(text: string): Read {
  const reader = new EdnReader(text);
  const ops: Op[] = [];
  const warnings: string[] = [];
  if (!reader.more()) return { ops, warnings };
  const close = { '[': ']', '(': ')' }[reader.peek()];
  if (close !== undefined) reader.skip();
  for (;;) {
    if (!reader.more()) {
      if (close !== undefined)
        throw new HistoryError(`the history is cut: ${close} is missing`, reader.lineOf(text.length));
      return { ops, warnings };
    }
    if (reader.peek() === close) {
      reader.skip();
      if (reader.more()) throw new HistoryError('more follows after the history', reader.lineOf(reader.position));
      return { ops, warnings };
    }
    const from = reader.position;
    let form: Value;
    try {
      form = reader.read();
    } catch (error) {
      // One operation a line, and the last line was not written to its end.
      if (
        close !== undefined ||
        !(error instanceof HistoryError) ||
        text.indexOf('\n', from) !== -1 ||
        ops.length === 0
      ) {
        throw error;
      }
      warnings.push('the last line is cut: it was dropped');
      return { ops, warnings };
    }
    ops.push(jepsenOp(form, ops.length, () => reader.lineOf(from)));
  }
}

/** Jepsen's and elle-cli's JSON: one list of objects. */
export function parseJsonList(text: string): Read {
  let list: unknown;
  try {
    list = parseJson(text);
  } catch (error) {
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    if (position === undefined) throw new HistoryError('the JSON list ends in the middle, or is broken');
    throw new HistoryError('broken JSON', new EdnReader(text).lineOf(Number(position)));
  }
  if (!Array.isArray(list)) throw new HistoryError('a JSON history must be a list of operations');
  return { ops: list.map((record: unknown, index) => listedOp(record, index)), warnings: [] };
}

function listedOp(record: unknown, index: number): Op {
  try {
    return opOf(record, index);
  } catch (error) {
    throw new HistoryError(`operation ${index}: ${error instanceof Error ? error.message : 'not an operation'}`);
  }
}

/** A process that is no number is no client, whatever it is called. */
const LOGGED = /(?:^|\s)(\d+|:[^\s:]+)\s+:(invoke|ok|fail|info)\s+:(\S+)(?:\s+(.*))?$/;
/** What only a broken line of an operation has: a process and a type, or a type and a function. */
const NEARLY_LOGGED = /(?:^|\s)(?:\d+|:[^\s:]+)\s+:(?:invoke|ok|fail|info)(?:\s|$)|\s:(?:invoke|ok|fail|info)\s+:/;

/** Whether a text has lines of Jepsen's log. */
export function looksLogged(text: string): boolean {
  return /\s:(invoke|ok|fail|info)\s+:/.test(text) && !/:type\s+:(invoke|ok|fail|info)/.test(text);
}

/** Jepsen's text log: lines `… jepsen.util - PROCESS :TYPE :F VALUE ERROR`, with white space between. Other lines are not ours. */
export function parseLog(text: string): Read {
  const ops: Op[] = [];
  const warnings: string[] = [];
  let others = 0;
  const lines = text.split('\n');
  for (const [at, raw] of lines.entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line === '') continue;
    const match = LOGGED.exec(line);
    const last = at === lines.length - 1;
    if (match === null) {
      if (last) warnings.push('the last line is cut: it was dropped');
      else if (NEARLY_LOGGED.test(line)) throw new HistoryError('not an operation', at + 1);
      else others++;
      continue;
    }
    const [, process, type, f, rest] = match;
    const forms: Value[] = [];
    try {
      const reader = new EdnReader(rest ?? 'nil');
      while (reader.more()) forms.push(reader.read());
    } catch (error) {
      if (last) {
        warnings.push('the last line is cut: it was dropped');
        break;
      }
      throw new HistoryError(error instanceof Error ? error.message.replace(/^line \d+: /, '') : 'broken', at + 1);
    }
    // In place of the value, an uncertain or failed operation may have only its error.
    const valueIsError = (type === 'info' || type === 'fail') && /^:/.test(rest ?? '');
    const [value, error] = valueIsError ? [undefined, forms[0]] : forms;
    ops.push(
      jepsenOp(
        {
          process: process?.startsWith(':') === true ? 'nemesis' : Number(process),
          type: type ?? '',
          f: f ?? '',
          value: value ?? null,
          error: error ?? null,
        },
        ops.length,
        () => at + 1,
      ),
    );
  }
  if (others > 0)
    warnings.push(`${counted(others, 'line of the log is no operation', 'lines of the log are no operations')}`);
  return { ops, warnings };
}

function jepsenOp(form: Value, index: number, line: () => number): Op {
  try {
    return opOf(form, index);
  } catch (error) {
    throw new HistoryError(error instanceof Error ? error.message : 'not an operation', line());
  }
}

/**
 * Histories over independent keys have values `[key value]`, which look like any list of two. They are taken as
 * such when every value that a client was invoked with is a list of two with a plain key, not all are a cas, and no
 * value that a client was answered with is something else.
 */
export function looksIndependent(ops: readonly Op[]): boolean {
  let plain = false;
  let any = false;
  for (const { process, type, f, key, value } of ops) {
    if (process === 'nemesis' || (type !== 'invoke' && type !== 'ok')) continue;
    if (type === 'ok') {
      if (value !== undefined && value !== null && !(Array.isArray(value) && value.length === 2)) return false;
      continue;
    }
    if (key !== undefined) return false;
    if (!Array.isArray(value) || value.length !== 2) return false;
    const [first, second] = value as readonly Value[];
    if (first === null || typeof first === 'object') return false;
    if (f !== 'cas' || Array.isArray(second)) plain = plain || f !== 'cas';
    any = true;
  }
  return any && plain;
}

/** Takes the key out of every value. */
export function splitKeys(ops: readonly Op[]): Op[] {
  return ops.map((op) => {
    if (op.process === 'nemesis' || !Array.isArray(op.value) || op.value.length !== 2) return op;
    const [key, value] = op.value as readonly Value[];
    return { ...op, key: key ?? null, value: value ?? null };
  });
}

/**
 * Looks at the brackets of a text, outside strings, without reading it.
 *
 * @throws HistoryError when they nest deeper than any history.
 */
export function checkDepth(bytes: Uint8Array, line?: number): void {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < bytes.length; at++) {
    const c = bytes[at]!;
    if (quoted) {
      if (c === 0x5c) at++;
      else if (c === 0x22) quoted = false;
    } else if (c === 0x22) quoted = true;
    // A character of EDN may be a quote or a bracket.
    else if (c === 0x5c) at++;
    else if (c === 0x5b || c === 0x7b || c === 0x28) {
      if (++depth > DEPTH_MAX) throw new HistoryError(`brackets nest deeper than ${DEPTH_MAX}: not a history`, line);
    } else if (c === 0x5d || c === 0x7d || c === 0x29) depth--;
  }
}

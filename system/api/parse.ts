import type { ByteString, Compare, Relation, TxnOperation, Value } from '../kv/index.ts';
import { byteStringOf } from '../kv/index.ts';
import { utf8Of } from '../utf8.ts';
import { HttpError } from './http-parser.ts';

/** Everything a request says is parsed here, once, into what the node takes. All errors are 400. */
export function bad(message: string): HttpError {
  return new HttpError(400, 'bad-request', message);
}

type JsonObject = { readonly [name: string]: unknown };

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Percent-decodes strictly: a `%` must be followed by two hexadecimal digits. */
export function decodePercent(text: string): ByteString {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9A-Fa-f]{2})?/g, (_, digits: string | undefined) => {
    if (digits === undefined) throw bad(`a % that is not followed by two hexadecimal digits: ${text.slice(0, 80)}`);
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
}

export interface Target {
  readonly path: string;
  readonly query: ReadonlyMap<string, ByteString>;
}

export function splitTarget(target: string): Target {
  const mark = target.indexOf('?');
  if (mark < 0) return { path: target, query: noQuery };
  const query = new Map<string, ByteString>();
  for (const part of target.slice(mark + 1).split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    if (query.has(name)) throw bad(`${name} is given twice`);
    query.set(name, equals < 0 ? '' : decodePercent(part.slice(equals + 1)));
  }
  return { path: target.slice(0, mark), query };
}

export const noQuery: ReadonlyMap<string, ByteString> = new Map();

/** Refuses parameters that nobody would look at: a misspelled condition must not be a silent no. */
export function allowQuery(query: ReadonlyMap<string, ByteString>, ...allowed: readonly string[]): void {
  for (const name of query.keys()) if (!allowed.includes(name)) throw bad(`unknown parameter ${name}`);
}

export function naturalNumber(
  text: string | undefined,
  name: string,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value > max) throw bad(`${name} is not a number from 0 to ${max}`);
  return value;
}

export function jsonBody(body: Uint8Array): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(strictDecoder.decode(body));
  } catch {
    throw bad('the body is not JSON');
  }
  return object(parsed, 'the body');
}

function object(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${what} is not an object`);
  return value as JsonObject;
}

function array(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw bad(`${what} is not an array`);
  return value;
}

/** A value in JSON: text stands for its UTF-8 bytes, else `{"base64":"…"}`. */
export function jsonBytes(value: unknown, what: string): Uint8Array {
  if (typeof value === 'string') return utf8Of(value);
  if (typeof value === 'object' && value !== null && 'base64' in value && typeof value.base64 === 'string') {
    const { base64 } = value;
    if (base64.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
      return Uint8Array.from(atob(base64), (unit) => unit.charCodeAt(0));
    }
  }
  throw bad(`${what} is neither a string nor {"base64":"…"}`);
}

function jsonKey(value: unknown, what: string): ByteString {
  const key = byteStringOf(jsonBytes(value, what));
  if (key === '') throw bad(`${what} is empty`);
  return key;
}

/** How a value stands in JSON; a list is an array of its elements. */
export function toJson(value: Value): unknown {
  return value instanceof Uint8Array ? bytesJson(value) : value.map(bytesJson);
}

export function bytesJson(bytes: Uint8Array): unknown {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return { base64: btoa(byteStringOf(bytes)) };
  }
}

const relations: readonly Relation[] = ['=', '!=', '<', '>'];

function relationOf(value: unknown): Relation {
  const relation = relations.find((one) => one === value);
  if (relation === undefined) throw bad('`is` of a comparison is none of =, !=, <, >');
  return relation;
}

function numberOf(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw bad(`${what} is not a number`);
  return value;
}

export function compares(value: unknown): Compare[] {
  return array(value, 'compare').map((one): Compare => {
    const compare = object(one, 'a comparison');
    const key = jsonKey(compare.key, 'the key of a comparison');
    if (compare.value === null) {
      if (compare.is !== '=' && compare.is !== '!=') throw bad('null can only be compared with = and !=');
      return { type: 'exists', key, exists: compare.is === '!=' };
    }
    const relation = relationOf(compare.is);
    if (compare.value !== undefined) {
      return { type: 'value', key, relation, value: jsonBytes(compare.value, 'the value of a comparison') };
    }
    if (compare.revision !== undefined) {
      return { type: 'revision', key, relation, number: numberOf(compare.revision, 'revision') };
    }
    if (compare.createRevision !== undefined) {
      return { type: 'create-revision', key, relation, number: numberOf(compare.createRevision, 'createRevision') };
    }
    return { type: 'version', key, relation, number: numberOf(compare.version, 'version') };
  });
}

export function txnOperations(value: unknown, name: string, limitMax: number): TxnOperation[] {
  return array(value, name).map((one): TxnOperation => {
    const step = object(one, `a step of ${name}`);
    switch (step.op) {
      case 'get':
      case 'delete':
        return { type: step.op, key: jsonKey(step.key, 'key') };
      case 'put':
        return { type: 'put', key: jsonKey(step.key, 'key'), value: jsonBytes(step.value, 'value') };
      case 'append':
        return { type: 'append', key: jsonKey(step.key, 'key'), element: jsonBytes(step.value, 'value') };
      case 'range': {
        const from = step.from === undefined ? '' : byteStringOf(jsonBytes(step.from, 'from'));
        const limit = Math.min(limitMax, step.limit === undefined ? limitMax : numberOf(step.limit, 'limit'));
        if (step.to === undefined) return { type: 'range', from, limit };
        return { type: 'range', from, to: byteStringOf(jsonBytes(step.to, 'to')), limit };
      }
      default:
        throw bad(`a step of ${name} is none of get, put, delete, append, range`);
    }
  });
}

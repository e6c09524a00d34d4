import { textOf } from '../utf8.ts';
import type { Item, Member, Status, TxnOp, TxnResult, WatchedChange } from './types.ts';
import { fromJsonBytes, type JsonBytes, toJsonBytes } from './value.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Undefined: not an answer of this kind. */
export type Parse<T> = (answer: Answer) => T | undefined;

type JsonObject = { readonly [name: string]: unknown };

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function json<T>(read: (body: JsonObject) => T | undefined): Parse<T> {
  return ({ body }) => {
    const parsed = parseJson(textOf(body));
    return isObject(parsed) ? read(parsed) : undefined;
  };
}

/** Undefined for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function withRevision(body: JsonObject): { revision: number } | undefined {
  return typeof body.revision === 'number' ? { revision: body.revision } : undefined;
}

export function opJson(op: TxnOp): { op: string; key: JsonBytes; value?: JsonBytes } {
  const key = toJsonBytes(op.key);
  return 'value' in op ? { op: op.op, key, value: toJsonBytes(op.value) } : { op: op.op, key };
}

export function txnResult(result: unknown): TxnResult | undefined {
  if (!isObject(result)) return undefined;
  const { op, value, revision, deleted, length } = result;
  if (op === 'put') return { op };
  if (op === 'delete' && typeof deleted === 'boolean') return { op, deleted };
  if (op === 'append' && typeof length === 'number') return { op, length };
  if (op !== 'get' || typeof revision !== 'number') return undefined;
  if (value === null) return { op, value, revision };
  const bytes = fromJsonBytes(value);
  return bytes && { op, value: bytes, revision };
}

export function itemOf(item: unknown): Item | undefined {
  if (!isObject(item) || typeof item.revision !== 'number') return undefined;
  const key = fromJsonBytes(item.key);
  const value = fromJsonBytes(item.value);
  return key && value && { key, value, revision: item.revision };
}

/** Whole server-sent events; of one that was cut off nothing was told. */
export function watchedIn(text: string): readonly WatchedChange[] | undefined {
  const changes: WatchedChange[] = [];
  for (const event of text.split('\n\n').slice(0, -1)) {
    const data = event.split('\n').find((line) => line.startsWith('data: '));
    if (data === undefined || event.startsWith('event: ')) continue;
    const told = parseJson(data.slice('data: '.length));
    if (!isObject(told) || typeof told.revision !== 'number' || !Array.isArray(told.events)) return undefined;
    for (const one of told.events as readonly unknown[]) {
      if (!isObject(one)) return undefined;
      const key = fromJsonBytes(one.key);
      const value = one.type === 'delete' ? null : fromJsonBytes(one.value);
      if (key === undefined || value === undefined) return undefined;
      changes.push({ revision: told.revision, key, value });
    }
  }
  return changes;
}

function memberOf(member: unknown): Member | undefined {
  if (!isObject(member)) return undefined;
  const { id, url, learner } = member;
  return typeof id === 'string' && typeof url === 'string' && typeof learner === 'boolean'
    ? { id, url, learner }
    : undefined;
}

export function membersOf(body: JsonObject): readonly Member[] | undefined {
  if (!Array.isArray(body.members)) return undefined;
  const members = body.members.map(memberOf);
  return members.every((member) => member !== undefined) ? members : undefined;
}

const roles = ['leader', 'follower', 'candidate', 'pre-candidate'] as const;

export function statusOf(body: JsonObject): Status | undefined {
  const { id, clusterId, term, leader, commit, applied, lastIndex, snapshotIndex, hash, clock, incarnation } = body;
  const role = roles.find((name) => name === body.role);
  const members = membersOf(body);
  if (
    role === undefined ||
    members === undefined ||
    typeof id !== 'string' ||
    typeof clusterId !== 'string' ||
    typeof term !== 'number' ||
    (leader !== null && typeof leader !== 'string') ||
    typeof commit !== 'number' ||
    typeof applied !== 'number' ||
    typeof lastIndex !== 'number' ||
    typeof snapshotIndex !== 'number' ||
    typeof hash !== 'string' ||
    typeof incarnation !== 'string' ||
    !isObject(clock) ||
    typeof clock.wallMs !== 'number' ||
    typeof clock.monotonicMs !== 'number'
  ) {
    return undefined;
  }
  const times = { wallMs: clock.wallMs, monotonicMs: clock.monotonicMs };
  const indexes = { commit, applied, lastIndex, snapshotIndex };
  return { id, clusterId, role, term, leader, ...indexes, members, hash, clock: times, incarnation };
}

import type { ByteString } from './byte-string.ts';
import type { Command, Compare, Relation, TxnOperation } from './command.ts';
import { readRange } from './range.ts';
import type { Item, RefusalReason, TxnResult } from './result.ts';
import type { State } from './state.ts';
import { itemOf, type List, type Version } from './version.ts';

type Transaction = Extract<Command, { type: 'txn' }>;

/**
 * Runs a transaction: all of it at one revision, or, when it is refused, nothing. Its writes are drafts until it
 * is through; a key that it writes several times changes once.
 */
export function runTransaction(
  state: State,
  { compare, then, else: otherwise }: Transaction,
): { readonly succeeded: boolean; readonly results: readonly TxnResult[]; readonly drafts: Drafts } | RefusalReason {
  if (compare.length + then.length + otherwise.length > state.limits.txnOperationsMax) return 'too-large';
  const succeeded = compare.every((condition) => holds(condition, state.keys.get(condition.key)));
  const drafts = new Drafts(state);
  const results: TxnResult[] = [];
  for (const operation of succeeded ? then : otherwise) {
    const result = runOperation(state, drafts, operation);
    if (typeof result === 'string') {
      drafts.discard();
      return result;
    }
    results.push(result);
  }
  return { succeeded, results, drafts };
}

function runOperation(state: State, drafts: Drafts, operation: TxnOperation): TxnResult | RefusalReason {
  switch (operation.type) {
    case 'get': {
      const version = drafts.get(operation.key);
      const item = version && itemOf(version);
      return drafts.answers(item === undefined ? [] : [item]) ? { type: 'get', item } : 'too-large';
    }
    case 'range': {
      const { items, more } = readRange(state, operation, operation.limit, drafts.differences);
      return drafts.answers(items) ? { type: 'range', items, more } : 'too-large';
    }
    case 'put':
      if (!state.allows(operation.key, operation.value)) return 'too-large';
      drafts.put(operation.key, operation.value);
      return { type: 'put' };
    case 'delete': {
      const deleted = drafts.get(operation.key) !== undefined;
      if (deleted) drafts.delete(operation.key);
      return { type: 'delete', deleted };
    }
    case 'append': {
      if (!state.allows(operation.key, operation.element)) return 'too-large';
      const list = state.appended(drafts.get(operation.key), operation.element);
      if (typeof list === 'string') return list;
      drafts.put(operation.key, list);
      return { type: 'append', length: list.length };
    }
  }
}

function holds(condition: Compare, version: Version | undefined): boolean {
  switch (condition.type) {
    case 'exists':
      return condition.exists === (version !== undefined);
    case 'value': {
      if (version === undefined || version.list !== undefined) return condition.relation === '!=';
      return relates(compareBytes(version.bytes(), condition.value), condition.relation);
    }
    case 'revision':
      return relates((version?.revision ?? 0) - condition.number, condition.relation);
    case 'create-revision':
      return relates((version?.createRevision ?? 0) - condition.number, condition.relation);
    case 'version':
      return relates((version?.version ?? 0) - condition.number, condition.relation);
  }
}

function relates(difference: number, relation: Relation): boolean {
  switch (relation) {
    case '=':
      return difference === 0;
    case '!=':
      return difference !== 0;
    case '<':
      return difference < 0;
    case '>':
      return difference > 0;
  }
}

/** Negative, zero or positive, in byte order. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return a.length - b.length;
}

/** What a transaction has written so far, over the state that it has not touched yet. */
class Drafts {
  /** In the order in which keys were first written. */
  readonly differences = new Map<ByteString, Version | undefined>();
  private readonly state: State;
  private readonly revision: number;
  private answerBytes = 0;

  constructor(state: State) {
    this.state = state;
    this.revision = state.revision + 1;
  }

  get(key: ByteString): Version | undefined {
    return this.differences.has(key) ? this.differences.get(key) : this.state.keys.get(key);
  }

  put(key: ByteString, value: Uint8Array | List): void {
    const version = this.state.newVersion(key, value, this.get(key), this.revision);
    this.replace(key, version);
  }

  delete(key: ByteString): void {
    this.replace(key, undefined);
  }

  /** Counts what is answered. @returns whether it is still within the limit */
  answers(items: readonly Item[]): boolean {
    for (const { key, value } of items) {
      this.answerBytes += key.length;
      if (value instanceof Uint8Array) this.answerBytes += value.length;
      else for (const element of value) this.answerBytes += element.length;
    }
    return this.answerBytes <= this.state.limits.txnResultBytesMax;
  }

  discard(): void {
    for (const version of this.differences.values()) if (version !== undefined) this.state.slabs.release(version);
  }

  private replace(key: ByteString, version: Version | undefined): void {
    const draft = this.differences.get(key);
    if (draft !== undefined) this.state.slabs.release(draft);
    this.differences.set(key, version);
  }
}

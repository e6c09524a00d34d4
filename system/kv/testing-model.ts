import { byteStringOf } from './byte-string.ts';
import type { Command, Compare, Outcome, Result, TxnOperation, TxnResult, Value, WatchEvent } from './index.ts';
import type { Limits } from './limits.ts';

interface Held {
  readonly value: Value;
  readonly createRevision: number;
  readonly revision: number;
  readonly version: number;
}

type Keys = ReadonlyMap<string, Held>;

/** The state machine said naively: whole copies of the state for every revision. What the real one is held against. */
export class Model {
  appliedIndex = 0;
  revision = 0;
  compactedRevision = 0;
  /** By revision. */
  readonly states: Keys[] = [new Map()];
  readonly events: WatchEvent[] = [];
  private kept: WatchEvent[] = [];
  private sessions: { id: number; sequence: number; answer: Result | undefined }[] = [];
  private readonly limits: Limits;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  get keys(): Keys {
    return this.states[this.revision]!;
  }

  apply(index: number, command: Command): Outcome {
    this.appliedIndex = index;
    const { operationId, session: use } = command;
    const outcome = (effect: Outcome['effect'], result: Result): Outcome => ({ effect, result, operationId });
    if (use === undefined) {
      const result = this.run(command);
      return outcome(result.type === 'refused' ? 'refused' : 'applied', result);
    }
    const session = this.sessions.find(({ id }) => id === use.session);
    if (session === undefined) return outcome('refused', this.refused('session-expired'));
    if (use.sequence < session.sequence || use.sequence === 0)
      return outcome('refused', this.refused('sequence-stale'));
    const use1 = () => {
      const rest = this.sessions.filter((other) => other !== session);
      if (rest.length < this.sessions.length) this.sessions = [...rest, session];
    };
    if (use.sequence === session.sequence) {
      use1();
      return outcome('deduplicated', session.answer!);
    }
    const result = this.run(command);
    use1();
    session.sequence = use.sequence;
    session.answer = result;
    return outcome(result.type === 'refused' ? 'refused' : 'applied', result);
  }

  private run(command: Command): Result {
    switch (command.type) {
      case 'open-session':
        this.sessions.push({ id: this.appliedIndex, sequence: 0, answer: undefined });
        if (this.sessions.length > this.limits.sessionsMax) this.sessions.shift();
        return { type: 'open-session', session: this.appliedIndex };
      case 'close-session': {
        const left = this.sessions.filter(({ id }) => id !== command.id);
        const closed = left.length < this.sessions.length;
        this.sessions = left;
        return { type: 'close-session', closed };
      }
      case 'put':
      case 'delete':
        if (command.ifRevision !== undefined && command.ifRevision !== (this.keys.get(command.key)?.revision ?? 0)) {
          return this.refused('cas-mismatch');
        }
        return this.single(command);
      case 'cas': {
        const value = this.keys.get(command.key)?.value;
        const matches = command.expected === null ? value === undefined : same(value, command.expected);
        if (!matches) return this.refused('cas-mismatch');
        const put = this.single({ type: 'put', key: command.key, value: command.value });
        return put.type === 'put' ? { type: 'cas', revision: put.revision } : put;
      }
      case 'append':
        return this.single(command);
      case 'txn': {
        const succeeded = command.compare.every((compare) => this.holds(compare));
        const results = this.transaction(succeeded ? command.then : command.else);
        if (typeof results === 'string') return this.refused(results);
        return { type: 'txn', revision: this.revision, succeeded, results };
      }
    }
  }

  private single(operation: Exclude<TxnOperation, { type: 'get' | 'range' }>): Result {
    const results = this.transaction([operation]);
    if (typeof results === 'string') return this.refused(results);
    const { revision } = this;
    const [result] = results;
    if (result?.type === 'put') return { type: 'put', revision };
    if (result?.type === 'delete') return { type: 'delete', revision, deleted: result.deleted };
    if (result?.type === 'append') return { type: 'append', revision, length: result.length };
    throw new Error('not a single operation');
  }

  private transaction(operations: readonly TxnOperation[]): TxnResult[] | 'not-a-list' | 'too-large' {
    const before = this.keys;
    const keys = new Map(before);
    const touched = new Set<string>();
    const revision = this.revision + 1;
    const write = (key: string, value: Value) => {
      const held = keys.get(key);
      const version = held === undefined ? 1 : held.version + (held.revision === revision ? 0 : 1);
      keys.set(key, { value, createRevision: held?.createRevision ?? revision, revision, version });
      touched.add(key);
    };
    const item = (key: string) => ({ key, ...keys.get(key)! });
    const results: TxnResult[] = [];
    for (const operation of operations) {
      switch (operation.type) {
        case 'get':
          results.push({ type: 'get', item: keys.has(operation.key) ? item(operation.key) : undefined });
          break;
        case 'range': {
          const all = inRange(keys, operation.from, operation.to);
          const items = all.slice(0, operation.limit).map(item);
          results.push({ type: 'range', items, more: all.length > items.length });
          break;
        }
        case 'put':
          if (operation.value.length > this.limits.valueBytesMax) return 'too-large';
          write(operation.key, operation.value);
          results.push({ type: 'put' });
          break;
        case 'delete':
          if (keys.has(operation.key)) touched.add(operation.key);
          results.push({ type: 'delete', deleted: keys.delete(operation.key) });
          break;
        case 'append': {
          const value = keys.get(operation.key)?.value ?? [];
          if (value instanceof Uint8Array) return 'not-a-list';
          write(operation.key, [...value, operation.element]);
          results.push({ type: 'append', length: value.length + 1 });
          break;
        }
      }
    }
    this.commit(keys, before, [...touched]);
    return results;
  }

  private commit(keys: Keys, before: Keys, touched: readonly string[]): void {
    const changed = touched.filter((key) => keys.get(key) !== before.get(key));
    if (changed.length === 0) return;
    this.revision++;
    this.states.push(keys);
    const { revision } = this;
    for (const key of changed) {
      const held = keys.get(key);
      const event: WatchEvent =
        held === undefined
          ? { type: 'delete', key, revision, createRevision: 0, version: 0, value: undefined }
          : { type: 'put', key, ...held };
      this.events.push(event);
      this.kept.push(event);
    }
    while (this.kept.length > this.limits.historyEventsMax && this.kept[0]!.revision < revision) {
      this.compactedRevision = this.kept[0]!.revision;
      this.kept = this.kept.filter((event) => event.revision > this.compactedRevision);
    }
  }

  private holds(compare: Compare): boolean {
    const held = this.keys.get(compare.key);
    if (compare.type === 'exists') return compare.exists === (held !== undefined);
    let order: number | undefined;
    if (compare.type === 'value') {
      if (held?.value instanceof Uint8Array) order = ordered(byteStringOf(held.value), byteStringOf(compare.value));
    } else {
      const figures = {
        revision: held?.revision ?? 0,
        'create-revision': held?.createRevision ?? 0,
        version: held?.version ?? 0,
      };
      order = Math.sign(figures[compare.type] - compare.number);
    }
    return { '=': order === 0, '!=': order !== 0, '<': order === -1, '>': order === 1 }[compare.relation];
  }

  private refused(reason: 'cas-mismatch' | 'session-expired' | 'sequence-stale' | 'not-a-list' | 'too-large'): Result {
    return { type: 'refused', reason, revision: this.revision };
  }
}

function same(value: Value | undefined, bytes: Uint8Array): boolean {
  return value instanceof Uint8Array && byteStringOf(value) === byteStringOf(bytes);
}

export function inRange(keys: Keys, from: string, to: string | undefined): string[] {
  return [...keys.keys()].filter((key) => key >= from && (to === undefined || key < to)).sort(ordered);
}

function ordered(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

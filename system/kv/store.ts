import { invariant } from '../assert.ts';
import type { ByteString } from './byte-string.ts';
import type { Command } from './command.ts';
import { decodeCommand } from './command-codec.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { type Bounds, differencesAt, readRange } from './range.ts';
import type { Item, Outcome, RangeResult, RefusalReason, Result } from './result.ts';
import { decodeResult, encodeResult } from './result-codec.ts';
import { StateReader, type StateView, viewOf } from './snapshot.ts';
import { State } from './state.ts';
import { compareBytes, runTransaction } from './transaction.ts';
import { itemOf, type Version } from './version.ts';
import type { Watcher, WatchFilter } from './watch.ts';
import { WatchHub } from './watch-hub.ts';

/** Where and what to read. */
export interface RangeQuery extends Bounds {
  /** At most this many items. */
  readonly limit: number;
  /** Read as of this revision; without it, the current one. */
  readonly revision?: number;
}

/** Builds a state from the bytes of a view; however they were cut into pieces. */
export interface Restore {
  /** The chunk becomes part of the state and must not be changed. @throws SnapshotError when it is not a state's */
  add(chunk: Uint8Array): void;
  /**
   * Puts the state in place of the store's own.
   * @throws SnapshotError when bytes are missing or the state does not have the hash that it was saved with
   */
  finish(): void;
}

/**
 * The replicated state machine: a multi-version key-value store (in the manner of etcd's mvcc) with client
 * sessions (Raft thesis, section 6.3). Deterministic: the same entries give the same state, answers and hash.
 */
export class Store {
  private state: State;
  private readonly hub = new WatchHub();

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.state = new State(limits);
  }

  /** Log index of the last entry applied: part of the state. */
  get appliedIndex(): number {
    return this.state.appliedIndex;
  }

  /** Rises by one with each command that changes a key. */
  get revision(): number {
    return this.state.revision;
  }

  /** Reads reach back to this revision, watches to the one after it. */
  get compactedRevision(): number {
    return this.state.history.compactedRevision;
  }

  /** Keys that exist. */
  get size(): number {
    return this.state.keys.size;
  }

  /** 16 hex digits over the whole state, the same on every node at the same applied index. Constant time. */
  hash(): string {
    return this.state.hash();
  }

  /**
   * Applies the entry of a client's command. `index` must follow the last applied one (invariant: no entry is
   * ever applied twice or left out). Nothing of the bytes is kept.
   * @param from where in the bytes the command begins
   */
  apply(index: number, bytes: Uint8Array, from = 0): Outcome {
    this.advance(index);
    const command = decodeCommand(bytes, from);
    if (command === undefined) {
      return { effect: 'refused', result: this.refused('malformed'), operationId: undefined };
    }
    const outcome = this.applyInSession(command);
    this.state.history.trim();
    this.hub.wakeAll();
    return outcome;
  }

  /** Takes note of an entry that is no command: a new leader's empty one, a configuration change. */
  skip(index: number): Outcome {
    this.advance(index);
    return { effect: 'none', result: undefined, operationId: undefined };
  }

  /** What a key holds now. The bytes belong to the store and must not be changed. */
  get(key: ByteString): Item | undefined {
    const version = this.state.keys.get(key);
    return version && itemOf(version);
  }

  /** What a key held at a revision: `compacted` when it is below compactedRevision, `future` above the present one. */
  getAt(key: ByteString, revision: number): Item | undefined | 'compacted' | 'future' {
    const unreadable = this.unreadable(revision);
    if (unreadable !== undefined) return unreadable;
    const differences = differencesAt(this.state, revision, (changed) => changed === key);
    const version = differences.has(key) ? differences.get(key) : this.state.keys.get(key);
    return version && itemOf(version);
  }

  range(query: RangeQuery): RangeResult | 'compacted' | 'future' {
    const revision = query.revision ?? this.revision;
    const unreadable = this.unreadable(revision);
    if (unreadable !== undefined) return unreadable;
    const differences = differencesAt(this.state, revision, () => true);
    return { revision, ...readRange(this.state, query, query.limit, differences) };
  }

  /**
   * Watches changes from a revision on; without one, those that come after now. What has already happened is
   * there to be taken at once, without a wake.
   * @param wake called from inside `apply` or a restore's `finish` when something new may be there; then not
   *   again before `take` has answered with no events
   */
  watch(filter: WatchFilter, from: number | undefined, wake: () => void): Watcher | 'compacted' {
    const next = from ?? this.revision + 1;
    if (next <= this.compactedRevision) return 'compacted';
    const store = this;
    const source = {
      get history() {
        return store.state.history;
      },
      get revision() {
        return store.revision;
      },
    };
    return this.hub.add(source, filter, next, next <= this.revision, wake);
  }

  /** The present state, to be streamed out. Takes well under a millisecond whatever the number of keys. */
  view(): StateView {
    return viewOf(this.state);
  }

  /** Begins to build another state. Watchers stay, and go on if its history reaches back to where they are. */
  restore(): Restore {
    const reader = new StateReader(this.state.limits);
    return {
      add: (chunk) => reader.add(chunk),
      finish: () => {
        const known = this.revision;
        const state = reader.finish();
        invariant(
          state.appliedIndex >= this.appliedIndex,
          'a restored state is never older than what was applied',
          () => ({
            applied: this.appliedIndex,
            restored: state.appliedIndex,
          }),
        );
        this.state = state;
        if (state.revision > known) this.hub.replaced(known);
        this.hub.wakeAll();
      },
    };
  }

  private advance(index: number): void {
    invariant(index === this.state.appliedIndex + 1, 'entries are applied in order, each once', () => ({
      index,
      applied: this.state.appliedIndex,
    }));
    this.state.appliedIndex = index;
  }

  private unreadable(revision: number): 'compacted' | 'future' | undefined {
    if (revision > this.revision) return 'future';
    return revision < this.compactedRevision ? 'compacted' : undefined;
  }

  private applyInSession(command: Command): Outcome {
    const { operationId, session: use } = command;
    if (use === undefined) {
      const result = this.run(command);
      return { effect: result.type === 'refused' ? 'refused' : 'applied', result, operationId };
    }
    const { sessions, appliedIndex } = this.state;
    const session = sessions.get(use.session);
    if (session === undefined) return { effect: 'refused', result: this.refused('session-expired'), operationId };
    if (use.sequence < session.sequence || use.sequence === 0) {
      return { effect: 'refused', result: this.refused('sequence-stale'), operationId };
    }
    if (use.sequence === session.sequence) {
      sessions.put(session.id, appliedIndex, session.sequence, session.answer);
      return { effect: 'deduplicated', result: decodeResult(session.answer), operationId };
    }
    const result = this.run(command);
    // A command may close its own session.
    if (sessions.get(session.id) !== undefined) {
      sessions.put(session.id, appliedIndex, use.sequence, encodeResult(result));
    }
    return { effect: result.type === 'refused' ? 'refused' : 'applied', result, operationId };
  }

  private run(command: Command): Result {
    const { state } = this;
    switch (command.type) {
      case 'put': {
        const current = state.keys.get(command.key);
        if (command.ifRevision !== undefined && command.ifRevision !== (current?.revision ?? 0)) {
          return this.refused('cas-mismatch');
        }
        return this.put('put', command.key, command.value, current);
      }
      case 'cas': {
        const current = state.keys.get(command.key);
        const { expected } = command;
        const matches =
          expected === null
            ? current === undefined
            : current?.list === undefined && current !== undefined && compareBytes(current.bytes(), expected) === 0;
        return matches ? this.put('cas', command.key, command.value, current) : this.refused('cas-mismatch');
      }
      case 'delete': {
        const current = state.keys.get(command.key);
        if (command.ifRevision !== undefined && command.ifRevision !== (current?.revision ?? 0)) {
          return this.refused('cas-mismatch');
        }
        if (current !== undefined) this.change(++state.revision, command.key, undefined);
        return { type: 'delete', revision: state.revision, deleted: current !== undefined };
      }
      case 'append': {
        if (!state.allows(command.key, command.element)) return this.refused('too-large');
        const current = state.keys.get(command.key);
        const list = state.appended(current, command.element);
        if (typeof list === 'string') return this.refused(list);
        const revision = ++state.revision;
        const version = state.newVersion(command.key, list, current, revision);
        this.change(revision, version.key, version);
        return { type: 'append', revision, length: list.length };
      }
      case 'txn': {
        const done = runTransaction(state, command);
        if (typeof done === 'string') return this.refused(done);
        const revision = state.revision + 1;
        for (const [key, version] of done.drafts.differences) {
          // Made and deleted again by the same transaction: nobody sees a change.
          if (version === undefined && state.keys.get(key) === undefined) continue;
          state.revision = revision;
          this.change(revision, key, version);
        }
        return { type: 'txn', revision: state.revision, succeeded: done.succeeded, results: done.results };
      }
      case 'open-session':
        // No other session can have the index of this entry.
        state.sessions.put(state.appliedIndex, state.appliedIndex, 0);
        return { type: 'open-session', session: state.appliedIndex };
      case 'close-session':
        return { type: 'close-session', closed: state.sessions.remove(command.id) };
    }
  }

  private put(type: 'put' | 'cas', key: ByteString, value: Uint8Array, current: Version | undefined): Result {
    const { state } = this;
    if (!state.allows(key, value)) return this.refused('too-large');
    const revision = ++state.revision;
    const version = state.newVersion(key, value, current, revision);
    this.change(revision, version.key, version);
    return { type, revision };
  }

  private change(revision: number, key: ByteString, version: Version | undefined): void {
    this.state.change(revision, key, version);
    this.hub.changed(key, revision);
  }

  private refused(reason: RefusalReason): Result {
    return { type: 'refused', reason, revision: this.state.revision };
  }
}

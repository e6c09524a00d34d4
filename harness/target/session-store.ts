import type { CallOptions, Failure, Result, Client as StoreClient } from '../../system/client/index.ts';
import type { Store } from './kv-operations.ts';

/** A majority may be away for longer than all of them; the outcome is not known then. */
const triesMax = 5;
/** What the state machine says of a write that it has carried out, the first time and again. */
const definite: ReadonlySet<string> = new Set(['cas-mismatch', 'not-a-list']);

/** A process's store in a session: its own node first, then the others. */
export function inSession(node: string, nodes: readonly string[], storeOf: (node: string) => StoreClient): Store {
  return new SessionStore([storeOf(node), ...nodes.filter((other) => other !== node).map(storeOf)]);
}

type Write<T> = (store: StoreClient, options: CallOptions) => Promise<Result<T>>;

/**
 * A store whose writes are sent again while nobody knows what became of them, to one node after the other, in a
 * session: each takes effect once (Raft thesis, section 6.3). For one process, which writes one thing at a time.
 */
class SessionStore implements Required<Store> {
  readonly #stores: readonly [StoreClient, ...StoreClient[]];
  #session: string | undefined;
  #sequence = 0;

  /** @param stores the process's own node, which is asked first, and those that are asked after it */
  constructor(stores: readonly [StoreClient, ...StoreClient[]]) {
    this.#stores = stores;
  }

  get: StoreClient['get'] = (...words) => this.#stores[0].get(...words);
  range: StoreClient['range'] = (...words) => this.#stores[0].range(...words);
  watch: StoreClient['watch'] = (...words) => this.#stores[0].watch(...words);

  put: StoreClient['put'] = (key, value, options = {}) =>
    this.#once(options, (store, inSession) => store.put(key, value, { ...options, ...inSession }));
  delete: StoreClient['delete'] = (key, options = {}) =>
    this.#once(options, (store, inSession) => store.delete(key, inSession));
  cas: StoreClient['cas'] = (key, expected, value, options = {}) =>
    this.#once(options, (store, inSession) => store.cas(key, expected, value, inSession));
  append: StoreClient['append'] = (key, element, options = {}) =>
    this.#once(options, (store, inSession) => store.append(key, element, inSession));
  txn: StoreClient['txn'] = (txn, options = {}) => this.#once(options, (store, inSession) => store.txn(txn, inSession));

  async #once<T>(options: CallOptions, write: Write<T>): Promise<Result<T>> {
    const opened = await this.#open(options);
    if (typeof opened !== 'string') return opened;
    const session = { id: opened, sequence: ++this.#sequence };
    for (let attempt = 0; ; attempt++) {
      const store = this.#stores[attempt % this.#stores.length]!;
      const result = await write(store, { ...options, session });
      if (result.ok || definite.has(result.error)) return result;
      if (result.error === 'session-expired') this.#session = undefined;
      // Nothing came of the first, so nothing will.
      if (attempt === 0 && result.outcome === 'none') return result;
      const isOver = result.error === 'session-expired' || result.error === 'sequence-stale';
      if (isOver || attempt + 1 === triesMax) return { ...result, outcome: 'unknown' };
    }
  }

  /** @returns the session, or why nothing was written */
  async #open({ timeoutMs }: CallOptions): Promise<string | Failure> {
    if (this.#session !== undefined) return this.#session;
    // Not by the operation's name: that is the write's alone.
    const opened = await this.#stores[0].openSession(timeoutMs === undefined ? {} : { timeoutMs });
    if (!opened.ok) return { ...opened, outcome: 'none' };
    this.#session = opened.value.session;
    this.#sequence = 0;
    return this.#session;
  }
}

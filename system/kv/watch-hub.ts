import { invariant } from '../assert.ts';
import type { ByteString } from './byte-string.ts';
import type { Change, History } from './history.ts';
import type { WatchBatch, WatchEvent, Watcher, WatchFilter } from './watch.ts';

/** All watchers of a store, and whom a change concerns. */
export class WatchHub {
  private readonly byKey = new Map<ByteString, Set<Place>>();
  private readonly byPrefix = new Set<Place>();
  private woken: Place[] = [];

  get idle(): boolean {
    return this.byKey.size === 0 && this.byPrefix.size === 0;
  }

  /** @param next the first revision not yet known to the watcher; `awake` when it is there already */
  add(source: WatchSource, filter: WatchFilter, next: number, awake: boolean, wake: () => void): Watcher {
    const place = new Place(source, filter, next, awake, wake, () => this.remove(place));
    if ('key' in filter) {
      const watchers = this.byKey.get(filter.key);
      if (watchers === undefined) this.byKey.set(filter.key, new Set([place]));
      else watchers.add(place);
    } else this.byPrefix.add(place);
    return place;
  }

  /** A key changes. Watchers hear of it when the whole revision is there: call `wakeAll` then. */
  changed(key: ByteString, revision: number): void {
    const watchers = this.byKey.get(key);
    if (watchers !== undefined) for (const place of watchers) if (place.rouse(revision)) this.woken.push(place);
    for (const place of this.byPrefix) {
      if (place.concerns(key) && place.rouse(revision)) this.woken.push(place);
    }
  }

  /** The state was replaced: whoever slept knew everything up to `revision`. */
  replaced(revision: number): void {
    for (const watchers of [...this.byKey.values(), this.byPrefix]) {
      for (const place of watchers) if (place.rouse(revision + 1)) this.woken.push(place);
    }
  }

  wakeAll(): void {
    if (this.woken.length === 0) return;
    const woken = this.woken;
    this.woken = [];
    for (const place of woken) place.callWake();
  }

  private remove(place: Place): void {
    this.byPrefix.delete(place);
    if (!('key' in place.filter)) return;
    const watchers = this.byKey.get(place.filter.key);
    watchers?.delete(place);
    if (watchers?.size === 0) this.byKey.delete(place.filter.key);
  }
}

/** What a watcher reads; both may be replaced as a whole by a restored state. */
export interface WatchSource {
  readonly history: History;
  readonly revision: number;
}

class Place implements Watcher {
  readonly filter: WatchFilter;
  private readonly source: WatchSource;
  private readonly wake: () => void;
  private readonly forget: () => void;
  /** The first revision not looked at; while asleep, nothing up to the present one concerned it. */
  private next: number;
  private awake: boolean;
  private closed = false;

  constructor(
    source: WatchSource,
    filter: WatchFilter,
    next: number,
    awake: boolean,
    wake: () => void,
    forget: () => void,
  ) {
    this.source = source;
    this.filter = filter;
    this.next = next;
    this.awake = awake;
    this.wake = wake;
    this.forget = forget;
  }

  concerns(key: ByteString): boolean {
    return 'key' in this.filter ? key === this.filter.key : key.startsWith(this.filter.prefix);
  }

  /** @returns whether it slept and must be woken */
  rouse(revision: number): boolean {
    // A watch from a revision that is yet to come sleeps until then.
    if (this.awake || revision < this.next) return false;
    this.next = revision;
    this.awake = true;
    return true;
  }

  callWake(): void {
    if (!this.closed) this.wake();
  }

  take(eventsMax: number): WatchBatch {
    invariant(!this.closed, 'a closed watcher is not read');
    if (!this.awake) return NOTHING;
    const { history, revision } = this.source;
    if (this.next <= history.compactedRevision) {
      this.close();
      return { type: 'too-slow', compactedRevision: history.compactedRevision };
    }
    const events: WatchEvent[] = [];
    let place = history.placeOf(this.next);
    for (let change = history.at(place); change !== undefined; change = history.at(++place)) {
      if (events.length >= eventsMax && change.revision !== history.at(place - 1)?.revision) {
        this.next = change.revision;
        return { type: 'events', events };
      }
      if (this.concerns(change.key)) events.push(eventOf(change));
    }
    this.next = Math.max(this.next, revision + 1);
    this.awake = events.length > 0;
    return { type: 'events', events };
  }

  close(): void {
    this.closed = true;
    this.forget();
  }
}

const NOTHING: WatchBatch = { type: 'events', events: [] };

function eventOf(change: Change): WatchEvent {
  const { key, revision, version } = change;
  return version === undefined
    ? { type: 'delete', key, revision, createRevision: 0, version: 0, value: undefined }
    : {
        type: 'put',
        key,
        revision,
        createRevision: version.createRevision,
        version: version.version,
        value: version.read(),
      };
}

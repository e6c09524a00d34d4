import { bytesOf, type Store, type WatchEvent, type Watcher, type WatchFilter } from '../kv/index.ts';
import type { Clock, Timer } from '../ports.ts';
import { bytesJson, toJson } from './parse.ts';
import { type ApiResponse, failure, type StreamSink } from './request.ts';

/** Taken from the store at once. */
const eventsMax = 256;
/** A reader that has not taken so much gets no more until it has; the store's bounded history waits for it so long. */
const unsentBytesMax = 1024 * 1024;
/** Looks again at a slow reader. */
const retryMs = 50;
/** Says that the connection lives, so that a silent one can be told from a dead one. */
const keepAliveMs = 10_000;

const encoder = new TextEncoder();
const headers = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } as const;

/**
 * A watch as server-sent events: one a revision, its `id` the revision, its data `{"revision":N,"events":[…]}`; in
 * order, none missed. A reader that fell out of the store's history gets the event `too-slow` and then the end.
 * @param from the first revision wanted; undefined: what comes after now
 */
export function watch(store: Store, clock: Clock, filter: WatchFilter, from: number | undefined): ApiResponse {
  if (from !== undefined && from <= store.compactedRevision) {
    const oldest = store.compactedRevision + 1;
    return failure(404, 'compacted', `revision ${from} is no longer kept, ${oldest} is the oldest`);
  }
  // The subscription begins with the stream, so that one whose client has gone meanwhile is never made.
  const stream = (sink: StreamSink) => {
    let one: Watch | undefined;
    const watcher = store.watch(filter, from, () => one?.pumpLater());
    if (watcher === 'compacted') {
      sink.end();
      return () => {};
    }
    one = new Watch(watcher, clock, sink);
    one.pumpLater();
    return () => one.close();
  };
  return { status: 200, headers, body: new Uint8Array(0), stream };
}

class Watch {
  readonly #watcher: Watcher;
  readonly #clock: Clock;
  readonly #sink: StreamSink;
  #isDue = false;
  #closed = false;
  #retry: Timer | undefined;
  #keepAlive: Timer | undefined;

  constructor(watcher: Watcher, clock: Clock, sink: StreamSink) {
    this.#watcher = watcher;
    this.#clock = clock;
    this.#sink = sink;
    this.#armKeepAlive();
  }

  /** From inside the store's apply: what it tells leaves after the turn, with the audit's record before it. */
  pumpLater(): void {
    if (this.#isDue || this.#closed) return;
    this.#isDue = true;
    this.#clock.endOfTurn(() => {
      this.#isDue = false;
      this.#pump();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watcher.close();
    this.#retry?.cancel();
    this.#keepAlive?.cancel();
  }

  #pump(): void {
    while (!this.#closed) {
      if (this.#sink.bufferedBytes > unsentBytesMax) {
        this.#retry?.cancel();
        this.#retry = this.#clock.setTimer(retryMs, () => this.#pump());
        return;
      }
      const batch = this.#watcher.take(eventsMax);
      if (batch.type === 'too-slow') {
        const { compactedRevision } = batch;
        this.#sink.write(encoder.encode(`event: too-slow\ndata: ${JSON.stringify({ compactedRevision })}\n\n`));
        this.close();
        this.#sink.end();
        return;
      }
      if (batch.events.length === 0) return;
      this.#sink.write(encoder.encode(eventText(batch.events)));
    }
  }

  #armKeepAlive(): void {
    this.#keepAlive = this.#clock.setTimer(keepAliveMs, () => {
      if (this.#sink.bufferedBytes === 0) this.#sink.write(encoder.encode(':\n\n'));
      this.#armKeepAlive();
    });
  }
}

/** Events of one revision follow each other; each revision becomes one server-sent event. */
function eventText(events: readonly WatchEvent[]): string {
  let text = '';
  for (let at = 0; at < events.length; ) {
    const { revision } = events[at]!;
    const group: unknown[] = [];
    for (; at < events.length && events[at]!.revision === revision; at++) group.push(eventJson(events[at]!));
    text += `id: ${revision}\ndata: ${JSON.stringify({ revision, events: group })}\n\n`;
  }
  return text;
}

function eventJson({ type, key, value, createRevision, version }: WatchEvent): unknown {
  const name = bytesJson(bytesOf(key));
  return type === 'delete'
    ? { type, key: name }
    : { type, key: name, value: value === undefined ? null : toJson(value), createRevision, version };
}

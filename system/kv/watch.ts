import type { ByteString } from './byte-string.ts';
import type { Value } from './command.ts';

/** A change of one key. A transaction's changes share a revision and come one after another. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  readonly key: ByteString;
  readonly revision: number;
  /** Of the key: 0 for a delete. */
  readonly createRevision: number;
  readonly version: number;
  /** Undefined for a delete. For a list, all of it. */
  readonly value: Value | undefined;
}

/** Which keys: one, or all that start with a prefix (the empty prefix: all). */
export type WatchFilter = { readonly key: ByteString } | { readonly prefix: ByteString };

/**
 * - `events`: in order, none missed, each once, revisions never torn apart; empty when there is nothing new
 * - `too-slow`: what comes next is no longer in the bounded history. Nothing more will come; subscribe again
 *   after reading the current state.
 */
export type WatchBatch =
  | { readonly type: 'events'; readonly events: readonly WatchEvent[] }
  | { readonly type: 'too-slow'; readonly compactedRevision: number };

/**
 * A subscription. It buffers nothing of its own: it is a place in the history that all watchers share, so a slow
 * one costs no memory and falls out when the history's bound passes it by.
 */
export interface Watcher {
  /** The next events, at most `eventsMax` but a whole revision at least. */
  take(eventsMax: number): WatchBatch;
  /** Afterwards `wake` is not called again. */
  close(): void;
}

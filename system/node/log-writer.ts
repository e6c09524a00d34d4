import { invariant } from '../assert.ts';
import type { PortError } from '../ports.ts';
import type { Entry, HardState, Message, SnapshotMetadata } from '../raft/index.ts';
import type { WriteAheadLog } from '../storage/index.ts';

/** Batches with the disk at once: one being synced while the next is gathered and begun. */
const inFlightMax = 2;

/** What became durable, and whom to tell. */
export interface Written {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  readonly snapshot: SnapshotMetadata | undefined;
  readonly responses: readonly Message[];
}

/**
 * Carries the core's StorageAppend messages to the log: while two batches are with the disk, all that comes is gathered
 * into the third, so that a slow disk makes larger batches, not a longer queue. Its size is bounded by what the core
 * lets be uncommitted and in flight.
 */
export class LogWriter {
  readonly #log: WriteAheadLog;
  readonly #written: (written: Written) => void;
  readonly #failed: (error: PortError) => void;
  #queue: Message[] = [];
  #inFlight = 0;
  /** As given to the log, or about to be. */
  #hardState: HardState;
  /** A commit index that waits for the next batch to take it along: it needs no sync of its own. */
  #commitWaits = false;
  batches = 0;

  constructor(
    log: WriteAheadLog,
    hardState: HardState,
    written: (written: Written) => void,
    failed: (error: PortError) => void,
  ) {
    this.#log = log;
    this.#hardState = hardState;
    this.#written = written;
    this.#failed = failed;
  }

  get pending(): number {
    return this.#queue.length + this.#inFlight;
  }

  add(message: Message): void {
    this.#queue.push(message);
    this.#pump();
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#inFlight < inFlightMax) {
      const messages = this.#take();
      const last = messages[messages.length - 1]!;
      const hardState = hardStateOf(messages);
      const entries = entriesOf(messages);
      const responses = messages.length === 1 ? messages[0]!.responses : messages.flatMap((one) => one.responses);
      const snapshot = last.snapshot?.metadata;
      const before = this.#hardState;
      if (hardState !== undefined) this.#hardState = hardState;
      const votes = hardState !== undefined && (hardState.term !== before.term || hardState.vote !== before.vote);
      const needsSync = entries.length > 0 || snapshot !== undefined || votes;
      if (!needsSync) {
        this.#commitWaits ||= hardState !== undefined;
        // Answers may not overtake those of batches before: they wait for those.
        if (this.#inFlight > 0 && responses.length > 0) {
          this.#queue.unshift(...messages);
          return;
        }
        if (responses.length > 0 || hardState !== undefined) {
          this.#written({ entries, hardState, snapshot, responses });
        }
        continue;
      }
      const batchState = hardState !== undefined || this.#commitWaits ? this.#hardState : undefined;
      this.#commitWaits = false;
      this.#inFlight++;
      this.batches++;
      this.#log.append({ entries, hardState: batchState, snapshot }, (error) => {
        if (error !== undefined) return this.#failed(error);
        this.#inFlight--;
        this.#written({ entries, hardState: batchState, snapshot, responses });
        this.#pump();
      });
    }
  }

  /** All that waits, up to and including the first snapshot, or nothing but a snapshot. */
  #take(): readonly Message[] {
    const queue = this.#queue;
    const at = queue.findIndex((message) => message.snapshot !== undefined);
    const count = at < 0 ? queue.length : at === 0 ? 1 : at;
    this.#queue = queue.slice(count);
    return count === queue.length ? queue : queue.slice(0, count);
  }
}

/** The last one that says something: term, vote and commit are all 0 when unchanged. */
function hardStateOf(messages: readonly Message[]): HardState | undefined {
  for (let i = messages.length - 1; i >= 0; i--) {
    const { term, vote, commit } = messages[i]!;
    if (term !== 0 || vote !== 0 || commit !== 0) return { term, vote, commit };
  }
  return undefined;
}

/** One run of entries; a later message's first entry cuts off what the earlier ones had at or after it. */
function entriesOf(messages: readonly Message[]): readonly Entry[] {
  if (messages.length === 1) return messages[0]!.entries;
  let all: Entry[] = [];
  for (const { entries } of messages) {
    const first = entries[0];
    if (first === undefined) continue;
    const start = all[0]?.index ?? first.index;
    const end = start + all.length;
    invariant(first.index <= end, 'batches of entries follow each other', () => ({ first: first.index, end }));
    if (first.index <= start) all = [];
    else if (first.index < end) all.length = first.index - start;
    for (const entry of entries) all.push(entry);
  }
  return all;
}

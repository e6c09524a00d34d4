import { type Deadlines, Waiting } from './deadlines.ts';

const countMax = 65_536;

export type ReadOutcome =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly reason: 'too-many-requests' | 'no-leader' | 'timeout' | 'stopping' };

class Read extends Waiting {
  readonly #owner: { waiting: number };
  #done: ((outcome: ReadOutcome) => void) | undefined;

  constructor(owner: { waiting: number }, deadlineMs: number, done: (outcome: ReadOutcome) => void) {
    super(deadlineMs);
    this.#owner = owner;
    this.#done = done;
  }

  get isDone(): boolean {
    return this.#done === undefined;
  }

  expire(): void {
    this.answer({ type: 'failed', reason: 'timeout' });
  }

  answer(outcome: ReadOutcome): void {
    const done = this.#done;
    if (done === undefined) return;
    this.#done = undefined;
    this.#owner.waiting--;
    this.leave();
    done(outcome);
  }
}

const ready: ReadOutcome = { type: 'ready' };

/** One confirmation by a quorum, for all reads that came before it began. */
interface Round {
  readonly reads: readonly Read[];
  /** Contexts of its tries: an answer to any of them is good for all of its reads. */
  firstContext: number;
  lastContext: number;
  readonly startedMs: number;
  triedMs: number;
}

/**
 * Linearizable reads (Raft thesis, section 6.4): one ReadIndex round at a time for all reads that came meanwhile, each
 * try with a context never used before (etcd#20418), tried again when no answer comes. A read is served once the index
 * is applied here.
 */
export class Reads {
  readonly #deadlines: Deadlines;
  readonly #retryMs: number;
  #lastContext = 0;
  #queued: Read[] = [];
  #round: Round | undefined;
  /** Confirmed, waiting for the index to be applied; in order of index. */
  #confirmed: { readonly index: number; readonly reads: readonly Read[] }[] = [];
  readonly #count = { waiting: 0 };
  #rounds = 0;

  /** @param retryMs after which an unanswered round is asked for again */
  constructor(deadlines: Deadlines, retryMs: number) {
    this.#deadlines = deadlines;
    this.#retryMs = retryMs;
  }

  add(deadlineMs: number, done: (outcome: ReadOutcome) => void): void {
    if (this.#count.waiting >= countMax) {
      done({ type: 'failed', reason: 'too-many-requests' });
      return;
    }
    this.#count.waiting++;
    const read = new Read(this.#count, deadlineMs, done);
    this.#queued.push(read);
    this.#deadlines.add(read);
  }

  get count(): number {
    return this.#count.waiting;
  }

  /** Confirmed so far. */
  get rounds(): number {
    return this.#rounds;
  }

  /**
   * Begins a round, or tries the present one again when it has waited long enough.
   * @param ask sends the question with this context; false: there is nobody to ask
   */
  advance(nowMs: number, ask: (context: Uint8Array) => boolean): void {
    const round = this.#round ?? this.#begin(nowMs);
    if (round === undefined || (round.lastContext > 0 && nowMs - round.triedMs < this.#retryMs)) return;
    const context = ++this.#lastContext;
    if (round.lastContext === 0) round.firstContext = context;
    round.lastContext = context;
    round.triedMs = nowMs;
    if (!ask(encodeContext(context))) this.#fail('no-leader');
  }

  #begin(nowMs: number): Round | undefined {
    const reads = this.#queued.filter((read) => !read.isDone);
    this.#queued = [];
    this.#round =
      reads.length === 0 ? undefined : { reads, firstContext: 0, lastContext: 0, startedMs: nowMs, triedMs: nowMs };
    return this.#round;
  }

  /** @returns when the confirmed round began, for a lease; undefined for an answer that came too late */
  confirmed(context: Uint8Array, index: number): number | undefined {
    const round = this.#round;
    const answered = decodeContext(context);
    if (round === undefined || answered < round.firstContext || answered > round.lastContext) return undefined;
    this.#round = undefined;
    this.#rounds++;
    this.#confirmed.push({ index, reads: round.reads });
    return round.startedMs;
  }

  /** Serves the reads whose index is applied. */
  applied(index: number): void {
    if (this.#confirmed.length === 0 || this.#confirmed[0]!.index > index) return;
    const later = this.#confirmed.filter((batch) => batch.index > index);
    const now = this.#confirmed.filter((batch) => batch.index <= index);
    this.#confirmed = later;
    for (const { reads } of now) for (const read of reads) read.answer(ready);
  }

  stop(): void {
    this.#fail('stopping');
    for (const { reads } of this.#confirmed) failAll(reads, 'stopping');
    this.#confirmed = [];
  }

  #fail(reason: 'no-leader' | 'stopping'): void {
    const queued = this.#queued;
    const round = this.#round?.reads ?? [];
    this.#queued = [];
    this.#round = undefined;
    failAll(round, reason);
    failAll(queued, reason);
  }
}

function failAll(reads: readonly Read[], reason: 'no-leader' | 'stopping'): void {
  for (const read of reads) read.answer({ type: 'failed', reason });
}

function encodeContext(context: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, context, true);
  return bytes;
}

function decodeContext(bytes: Uint8Array): number {
  return bytes.length === 8 ? new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true) : 0;
}

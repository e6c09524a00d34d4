import { invariant } from '../invariant.ts';
import type { EventLog } from './event-log.ts';

/** A simulated operating-system process: what owns events, and may be paused or killed. */
export class SimProcess {
  readonly node: string;
  /** Number of the node, for the event log; 0 is the harness. */
  readonly number: number;
  alive = true;
  paused = false;
  /** Events that came while it was paused, in order; bounded by what is under way to it. */
  readonly backlog: ScheduledEvent[] = [];

  constructor(node: string, number: number) {
    this.node = node;
    this.number = number;
  }
}

/** Owns what happens outside every node: wires, clients, nemeses. Never paused, never dead. */
export const harnessProcess = new SimProcess('harness', 0);

/** What kind of thing happens, for the event log. */
export const eventKind = {
  timer: 1,
  turn: 2,
  deliver: 3,
  connect: 4,
  close: 5,
  disk: 6,
  request: 7,
  harness: 8,
} as const;

export type EventKind = (typeof eventKind)[keyof typeof eventKind];

/** What happens: a function, or, where there are many and each has things of its own, an object that holds them. */
export type Happening = (() => void) | { run(): void };

export class ScheduledEvent {
  timeUs: number;
  readonly sequence: number;
  readonly kind: EventKind;
  readonly owner: SimProcess;
  /** What makes this event differ from another of its kind, for the event log: a length, a checksum. */
  readonly detail: number;
  run: Happening | undefined;

  constructor(timeUs: number, sequence: number, kind: EventKind, owner: SimProcess, detail: number, run: Happening) {
    this.timeUs = timeUs;
    this.sequence = sequence;
    this.kind = kind;
    this.owner = owner;
    this.detail = detail;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

/** Taken before any guard replaces it. */
const realSetImmediate = setImmediate;
/** So many parts of events happen between two looks at the real event loop: signals, messages to a thread. */
const partsATurn = 20_000;

/**
 * Runs all microtasks and ticks that are waiting, as Node does between two immediates, and returns when none is left.
 * Node has no other way to do that in the middle of a function. Where there is nothing to drain it costs some 30 ns: less
 * than to be told by promise hooks whether there is, and to go round through immediates.
 */
const drain: unknown = Reflect.get(process, '_tickCallback');

/**
 * Virtual time. Events happen one after another in the order of (time, when they were scheduled); nothing waits
 * for real time. After each part of an event microtasks are drained until none is left; a fixed number of awaits would
 * not do.
 */
export class Scheduler {
  nowUs = 0;
  /** Events run so far. */
  count = 0;
  readonly #log: EventLog;
  readonly #heap: ScheduledEvent[] = [];
  #sequence = 0;
  #stopped = false;
  /**
   * Called after each event with its owner, when all that it set off is done. Returns whether it told anybody of
   * anything: they act on it before the next event.
   */
  afterEvent: ((owner: SimProcess) => boolean) | undefined;
  /** What an event of the harness threw: the run ends with it. */
  #error: { readonly thrown: unknown } | undefined;
  /** Takes what an event of a node threw; without it the run ends with that. */
  onError: ((owner: SimProcess, error: unknown) => void) | undefined;
  /** Whose event happens now; undefined between events. */
  #current: SimProcess | undefined;
  #lastPart: (() => void) | undefined;
  #isLastPart = false;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /**
   * @param delayUs from now, an integer, at least 0
   * @param detail goes into the event log's hash
   */
  schedule(delayUs: number, kind: EventKind, owner: SimProcess, run: Happening, detail = 0): ScheduledEvent {
    const event = new ScheduledEvent(this.nowUs + delayUs, this.#sequence++, kind, owner, detail, run);
    this.#push(event);
    return event;
  }

  /**
   * Makes this the last part of the process's present event, after everything else that the event sets off.
   * @returns false when it cannot be: it is another's event, or has come to its last part
   */
  finishWith(owner: SimProcess, run: () => void): boolean {
    if (owner !== this.#current || this.#isLastPart || this.#lastPart !== undefined) return false;
    this.#lastPart = run;
    return true;
  }

  /** Lets what came while the process was paused happen now, in the order in which it came. */
  resume(process: SimProcess): void {
    process.paused = false;
    for (const event of process.backlog.splice(0)) {
      event.timeUs = this.nowUs;
      this.#push(event);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Runs until stopped, or until `untilUs`, or until nothing is left to happen.
   * @throws what an event of the harness throws; the run cannot go on after that
   */
  async run(untilUs: number): Promise<void> {
    // What a process would die of: a rejection that nobody took, met while its event's microtasks were drained.
    const rejected = (error: unknown) => this.#failed(this.#current ?? harnessProcess, error);
    process.on('unhandledRejection', rejected);
    const endCatching = catchingDeferred(rejected);
    try {
      // Within a microtask no other can be drained: an immediate is none.
      await new Promise<void>((resolve, reject) => {
        const turn = () => {
          try {
            if (this.#runTurn(untilUs)) realSetImmediate(turn);
            else resolve();
          } catch (error) {
            reject(error);
          }
        };
        realSetImmediate(turn);
      });
    } finally {
      endCatching();
      process.off('unhandledRejection', rejected);
    }
  }

  /** Goes on for a while (true), or until the run is over (false). */
  #runTurn(untilUs: number): boolean {
    invariant(typeof drain === 'function', 'this Node cannot drain microtasks');
    for (let part = 0; part < partsATurn; part++) {
      if (!this.#runPart(untilUs)) return false;
      drain();
    }
    return true;
  }

  /** The next part of the event that happens, or the next event; false when the run is over. */
  #runPart(untilUs: number): boolean {
    if (this.#error !== undefined) throw this.#error.thrown;
    const current = this.#current;
    if (current !== undefined) {
      const run = this.#lastPart;
      if (run !== undefined) {
        this.#lastPart = undefined;
        this.#isLastPart = true;
        if (current.alive) this.#guard(current, run);
        return true;
      }
      this.#current = undefined;
      this.#isLastPart = false;
      if (this.afterEvent?.(current)) return true;
    }
    if (this.#stopped) return false;
    const event = this.#next(untilUs);
    if (event === undefined) return false;
    this.#happen(event);
    return true;
  }

  /** The next event that still matters; undefined when there is none before `untilUs`. */
  #next(untilUs: number): ScheduledEvent | undefined {
    for (;;) {
      const event = this.#pop(untilUs);
      if (event === undefined) return undefined;
      const { owner } = event;
      if (event.run === undefined || !owner.alive) continue;
      if (!owner.paused) return event;
      owner.backlog.push(event);
    }
  }

  #happen({ timeUs, kind, owner, detail, run }: ScheduledEvent): void {
    this.nowUs = timeUs;
    this.count++;
    this.#current = owner;
    this.#log.event(timeUs, kind, owner, detail);
    if (run !== undefined) this.#guard(owner, run);
  }

  #guard(owner: SimProcess, run: Happening): void {
    try {
      if (typeof run === 'function') run();
      else run.run();
    } catch (error) {
      this.#failed(owner, error);
    }
  }

  #failed(owner: SimProcess, error: unknown): void {
    if (owner === harnessProcess || this.onError === undefined) this.#error ??= { thrown: error };
    else this.onError(owner, error);
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent]!;
      if (!before(event, other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(untilUs: number): ScheduledEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.timeUs > untilUs) return undefined;
    const last = heap.pop()!;
    const size = heap.length;
    if (size === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++;
      const other = heap[child]!;
      if (!before(other, last)) break;
      heap[at] = other;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/**
 * What a tick or a queued microtask throws is its event's, as what the event itself throws: a tick that ends in an
 * exception leaves Node's own stack in disorder. Returns what ends it.
 */
function catchingDeferred(failed: (error: unknown) => void): () => void {
  const { queueMicrotask: queue } = globalThis;
  const { nextTick } = process;
  const caught = (act: () => void) => () => {
    try {
      act();
    } catch (error) {
      failed(error);
    }
  };
  globalThis.queueMicrotask = (callback) => queue(caught(callback));
  process.nextTick = (callback, ...given) => nextTick(caught(() => callback(...given)));
  return () => {
    globalThis.queueMicrotask = queue;
    process.nextTick = nextTick;
  };
}

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.sequence < b.sequence);
}

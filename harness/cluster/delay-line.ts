/** How a frame came out. */
export interface Held {
  readonly heldMs: number;
  /** One that was put in later came out before it. */
  readonly wasOvertaken: boolean;
}

interface Waiting {
  readonly putMs: number;
  readonly dueMs: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** Holds frames for a while and lets them out in the order in which they are due. */
export class DelayLine {
  readonly #deliver: (bytes: Uint8Array, held: Held) => void;
  /** By due time; few. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastSequence = 0;
  #lastDelivered = 0;
  #lastDueMs = 0;

  constructor(deliver: (bytes: Uint8Array, held: Held) => void) {
    this.#deliver = deliver;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Of all that wait. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** What waits is due now, in its order. */
  expedite(): void {
    const now = performance.now();
    this.#waiting = this.#waiting.map((frame) => ({ ...frame, dueMs: Math.min(frame.dueMs, now) }));
    this.#lastDueMs = Math.min(this.#lastDueMs, now);
    this.#arm();
  }

  /** @param overtaken it may come after frames that are put in later; else order is kept */
  put(bytes: Uint8Array, delayMs: number, overtaken: boolean): void {
    const putMs = performance.now();
    const dueMs = overtaken ? putMs + delayMs : Math.max(putMs + delayMs, this.#lastDueMs);
    if (!overtaken) this.#lastDueMs = dueMs;
    const at = this.#waiting.findIndex((other) => other.dueMs > dueMs);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, {
      putMs,
      dueMs,
      sequence: ++this.#lastSequence,
      bytes,
    });
    this.#waitingBytes += bytes.length;
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#waiting[0];
    if (next !== undefined) this.#timer = setTimeout(() => this.#release(), Math.ceil(next.dueMs - performance.now()));
  }

  #release(): void {
    const now = performance.now();
    while (this.#waiting[0] !== undefined && this.#waiting[0].dueMs <= now) {
      const { bytes, sequence, putMs } = this.#waiting.shift()!;
      this.#waitingBytes -= bytes.length;
      this.#deliver(bytes, { heldMs: now - putMs, wasOvertaken: sequence < this.#lastDelivered });
      this.#lastDelivered = Math.max(this.#lastDelivered, sequence);
    }
    this.#arm();
  }
}

import type { EventKind, SimProcess } from './scheduler.ts';

/**
 * What happened in a simulated run, as a hash that two runs of the same code, seed and options share, and as
 * text on demand (for a diff of two runs that should have been the same).
 */
export class EventLog {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;
  readonly #write: ((line: string) => void) | undefined;

  /** @param write takes each line of the text form; without it only the hash is made */
  constructor(write?: (line: string) => void) {
    this.#write = write;
  }

  event(timeUs: number, kind: EventKind, owner: SimProcess, detail: number): void {
    this.#mix(timeUs >>> 0);
    this.#mix((kind << 16) ^ owner.number ^ Math.trunc(timeUs / 2 ** 32));
    this.#mix(detail);
    this.#write?.(`${timeUs} ${owner.node} ${kind} ${detail}`);
  }

  /** Anything else that two equal runs must share: a line of the history, a fault. */
  text(line: string): void {
    for (let i = 0; i < line.length; i++) this.#mix(line.charCodeAt(i));
    this.#write?.(line);
  }

  /** 16 hexadecimal digits. */
  hash(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#b = Math.imul((this.#b ^ value) + (this.#a >>> 15), 0x85ebca6b);
  }
}

import type { EventKind, SimProcess } from './scheduler.ts';

/** A number's 64 bits as two numbers. */
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** What kind of value follows. */
const mark = {
  null: 0x10000000,
  array: 0x20000000,
  object: 0x30000000,
  end: 0x40000000,
  true: 0x50000000,
  false: 0x60000000,
  text: 0x70000000,
} as const;

/**
 * What happened in a simulated run, as a hash that two runs of the same code, seed and options share, and as
 * text on demand (for a diff of two runs that should have been the same).
 */
export class EventLog {
  // 32 bits with a sign: as others they would be numbers on the heap, made anew with each step.
  #a = 0x811c9dc5 | 0;
  #b = 0x9e3779b9 | 0;
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

  /**
   * Anything else that two equal runs must share: a line of the history, a fault. JSON, of which the values and the order
   * and names of fields count; the text is made only for whoever wants to see it.
   */
  record(value: object): void {
    this.#json(value);
    this.#write?.(JSON.stringify(value));
  }

  /** 16 hexadecimal digits. */
  hash(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #json(value: unknown): void {
    switch (typeof value) {
      case 'number':
        double[0] = value;
        this.#mix(halves[0]!);
        this.#mix(halves[1]!);
        break;
      case 'string':
        this.#text(value);
        break;
      case 'object':
        if (value === null) this.#mix(mark.null);
        else if (Array.isArray(value)) {
          this.#mix(mark.array ^ value.length);
          for (const one of value) this.#json(one);
        } else {
          this.#mix(mark.object);
          for (const name of Object.keys(value)) {
            const field = (value as { readonly [name: string]: unknown })[name];
            if (field === undefined) continue;
            this.#text(name);
            this.#json(field);
          }
          this.#mix(mark.end);
        }
        break;
      case 'boolean':
        this.#mix(value ? mark.true : mark.false);
        break;
      case 'undefined':
        this.#mix(mark.null);
        break;
      default:
        throw new TypeError(`${typeof value} in a record of the event log`);
    }
  }

  #text(text: string): void {
    this.#mix(mark.text ^ text.length);
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#b = Math.imul((this.#b ^ value) + (this.#a >>> 15), 0x85ebca6b);
  }
}

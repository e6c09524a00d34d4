import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { ClockFault } from '../../nemesis/world.ts';
import { withinMs } from './within.ts';

/** The harness's end of the pipe to the clock module in a node (`preload/clock.ts`). */
export class ClockControl {
  readonly #pipe: Duplex;
  readonly #waiting = new Map<number, () => void>();
  #lastId = 0;

  constructor(pipe: Duplex) {
    this.#pipe = pipe;
    pipe.on('error', () => {}); // The process is gone, which its exit tells better.
    createInterface({ input: pipe }).on('line', (line) => this.#acknowledged(line));
  }

  /**
   * Resolves when the fault is in force in the process.
   * @throws {WaitTimeout} when it does not say so in time
   */
  async set(fault: ClockFault, timeoutMs: number): Promise<void> {
    const id = ++this.#lastId;
    const acknowledged = new Promise<void>((resolve) => void this.#waiting.set(id, resolve));
    this.#pipe.write(`${JSON.stringify({ id, fault })}\n`);
    try {
      await withinMs(timeoutMs, 'the clock module did not answer', acknowledged);
    } finally {
      this.#waiting.delete(id);
    }
  }

  #acknowledged(line: string): void {
    const { id } = JSON.parse(line) as { readonly id: unknown };
    if (typeof id === 'number') this.#waiting.get(id)?.();
  }
}

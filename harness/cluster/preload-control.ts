import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { withinMs } from './within.ts';

/** The harness's end of the pipe to the modules that were loaded into a node (`preload/control.ts`). */
export class PreloadControl {
  readonly #pipe: Duplex;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #lastId = 0;

  constructor(pipe: Duplex) {
    this.#pipe = pipe;
    const lines = createInterface({ input: pipe });
    lines.on('line', (line) => this.#answered(line));
    // The process is gone, perhaps with an order unread, which its exit tells better. Of its input's errors readline
    // makes its own.
    lines.on('error', () => {});
  }

  /**
   * Resolves with the module's answer when it has done what it was told.
   * @throws {WaitTimeout} when it does not say so in time
   */
  async tell(module: 'clock' | 'disk', order: unknown, timeoutMs: number): Promise<unknown> {
    const id = ++this.#lastId;
    const answered = new Promise<unknown>((resolve) => void this.#waiting.set(id, resolve));
    this.#pipe.write(`${JSON.stringify({ id, module, order })}\n`);
    try {
      return await withinMs(timeoutMs, `the ${module} module did not answer`, answered);
    } finally {
      this.#waiting.delete(id);
    }
  }

  #answered(line: string): void {
    const { id, answer } = JSON.parse(line) as { readonly id: unknown; readonly answer: unknown };
    if (typeof id === 'number') this.#waiting.get(id)?.(answer);
  }
}

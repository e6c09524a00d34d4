import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type Reaper, startReaper } from '../cluster/reaper.ts';

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const outputBytesMax = 256 << 20;
/** How long a verb that was asked to end may take to heal, end its nodes and judge. */
const graceMs = 60_000;

export interface Said {
  readonly code: number;
  /** The JSON of each line of standard output that is JSON. */
  readonly lines: readonly unknown[];
  /** The last line of standard error. */
  readonly trouble: string;
}

/** Runs verbs of the command line in processes of their own, which end with this one, however it ends. */
export class Verbs {
  readonly #reaper: Reaper;

  private constructor(reaper: Reaper) {
    this.#reaper = reaper;
  }

  static async start(): Promise<Verbs> {
    return new Verbs(await startReaper());
  }

  /**
   * @param words such as `sim --json --seed 1`
   * @param timeoutMs after which it is asked to end
   * @param signal asks it to end
   */
  async run(words: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<Said> {
    const child = execa(process.execPath, [program, ...words], {
      reject: false,
      stdin: 'ignore',
      maxBuffer: outputBytesMax,
      // Ctrl-C on the terminal is for the night, which asks its verbs to end.
      detached: true,
      timeout: timeoutMs,
      cancelSignal: signal,
      killSignal: 'SIGINT',
      forceKillAfterDelay: graceMs,
      env: { ...this.#reaper.environment, NO_COLOR: '1' },
    });
    const { pid } = child;
    if (pid !== undefined) this.#reaper.processStarted(pid);
    const { exitCode, signal: endedBy, stdout, stderr, timedOut } = await child;
    if (pid !== undefined) this.#reaper.processGone(pid);
    const last = stderr.trim().split('\n').at(-1) ?? '';
    const trouble = timedOut ? `took longer than ${timeoutMs / 1000} s; ${last}` : (endedBy ?? last);
    return { code: exitCode ?? -1, lines: jsonLines(stdout), trouble };
  }

  close(): Promise<void> {
    return this.#reaper.close();
  }
}

function jsonLines(text: string): readonly unknown[] {
  return text.split('\n').flatMap((line): unknown[] => {
    if (!line.startsWith('{')) return [];
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

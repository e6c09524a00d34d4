import { processStat } from './proc.ts';

const stoppedMs = 90;
const runningMs = 10;

/** Lets a process run for only a tenth of the time, by stopping it: for want of a control group. */
export class DutyCycle {
  readonly #pid: number;
  readonly #isPaused: () => boolean;
  #timer: NodeJS.Timeout;
  #stopsSeen = 0;

  /** @param isPaused somebody else has stopped the process, and it is not to be woken */
  constructor(pid: number, isPaused: () => boolean) {
    this.#pid = pid;
    this.#isPaused = isPaused;
    this.#timer = setTimeout(() => this.#stop(), runningMs);
  }

  /** How often the kernel showed it as stopped at the end of a stop. */
  get stopsSeen(): number {
    return this.#stopsSeen;
  }

  stop(): void {
    clearTimeout(this.#timer);
    if (!this.#isPaused()) this.#signal('SIGCONT');
  }

  #stop(): void {
    this.#signal('SIGSTOP');
    this.#timer = setTimeout(() => this.#run(), stoppedMs);
  }

  #run(): void {
    if (processStat(this.#pid)?.state === 'T') this.#stopsSeen++;
    if (!this.#isPaused()) this.#signal('SIGCONT');
    this.#timer = setTimeout(() => this.#stop(), runningMs);
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.#pid, signal);
    } catch {
      // It has ended.
    }
  }
}

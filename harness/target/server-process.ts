import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { LineWriter } from '../../results/store/append.ts';
import type { ProcessRecord } from '../cluster/exits.ts';
import { lastWords, type NodeLog } from '../cluster/node-log.ts';
import type { Reaper } from '../cluster/reaper.ts';
import { withinMs } from '../cluster/within.ts';
import type { Expected, Machine } from './machine.ts';

/** A server that a node runs: any program that serves in the foreground. */
export interface ServerSpec {
  /** Tells it from the node's others: `etcd`, `sentinel`. */
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  /** Variables beside PATH. */
  readonly environment?: { readonly [name: string]: string };
  /** The working directory. */
  readonly folder?: string;
  /**
   * It syncs what it acknowledges, so that its disk can be broken by strace. @returns whether its end is one that a failed
   * sync makes it come to
   */
  readonly endsOnFailedSync?: (exit: Exit) => boolean;
  /** Whether it serves by now; asked again and again after it was started, until it says so. */
  ready(): Promise<boolean>;
  /** Takes its standard output, for a program that speaks there; what it is not given goes to the node's log. */
  readonly speak?: (output: Readable, input: Writable) => void;
}

export interface ServerContext {
  readonly node: string;
  readonly log: NodeLog;
  readonly records: LineWriter<ProcessRecord>;
  readonly reaper: Reaper;
  readonly machine: Machine;
  /** Nanoseconds since the start of the run. */
  readonly now: () => number;
  /** Called when it has ended, before anything that waits for it goes on. */
  readonly onExit: (exit: Exit) => void;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

interface Running {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  ordered: boolean;
}

const startTimeoutMs = 30_000;
const readyPollMs = 50;
/** Over SSH each look takes a connection. */
const endTimeoutMs = 15_000;

/** One server over all of its lives: starts it, stops, resumes and ends it with all of its children. */
export class ServerProcess {
  readonly spec: ServerSpec;
  readonly #context: ServerContext;
  #running: Running | undefined;
  #isPaused = false;
  /** An end of its own that it was made to come to. */
  #isExpected: ((exit: Exit, lastLogLines: readonly string[]) => boolean) | undefined;

  constructor(spec: ServerSpec, context: ServerContext) {
    this.spec = spec;
    this.#context = context;
  }

  /** undefined while it is down */
  get exited(): Promise<Exit> | undefined {
    return this.#running?.exited;
  }

  get lastLogLines(): readonly string[] {
    return this.#context.log.lastLines;
  }

  /** From now on such an end counts as ordered; undefined: no longer. */
  expect(_: string, isExpected: ((exit: Exit, lastLogLines: readonly string[]) => boolean) | undefined): void {
    this.#isExpected = isExpected;
  }

  get state(): 'down' | 'up' | 'paused' {
    return this.#running === undefined ? 'down' : this.#isPaused ? 'paused' : 'up';
  }

  /** undefined while it is down */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /**
   * Resolves when it serves.
   * @throws {ServerStartError} when it ends before that, or does not get there in time (it is ended then)
   */
  async start(): Promise<void> {
    const running = await this.#spawn();
    const { node, log } = this.#context;
    const name = `${this.spec.name} of node ${node}`;
    const first = await withinMs(startTimeoutMs, `${name} did not serve`, this.#untilReady(running)).catch(
      async (error: unknown) => {
        await this.kill();
        throw new ServerStartError(error instanceof Error ? error.message : String(error));
      },
    );
    if (first === undefined) return;
    throw new ServerStartError(
      `${name} ended before it served (${first.signal ?? `exit code ${first.code}`}): ${lastWords(log.lastLines)}`,
    );
  }

  /** SIGKILL to all of its processes, stopped first so that none acts on the end of another. */
  async kill(): Promise<Exit | undefined> {
    const running = this.#running;
    if (running === undefined) return undefined;
    running.ordered = true;
    await this.#signal('SIGSTOP');
    const pids = await this.#signal('SIGKILL');
    const exit = await withinMs(endTimeoutMs, `${this.spec.name} did not end on SIGKILL`, running.exited);
    const { reached } = await this.#untilStates(pids, 'gone');
    // Of a process elsewhere only the connection's end is seen here.
    return exit.code === 255 && reached ? { code: null, signal: 'SIGKILL' } : exit;
  }

  /** SIGSTOP to all of its processes. @returns what the kernel shows of them */
  async pause(): Promise<{ readonly reached: boolean; readonly states: string }> {
    this.#isPaused = true;
    return this.#untilStates(await this.#signal('SIGSTOP'), 'stopped');
  }

  async resume(): Promise<{ readonly reached: boolean; readonly states: string }> {
    const seen = await this.#untilStates(await this.#signal('SIGCONT'), 'running');
    this.#isPaused = false;
    return seen;
  }

  /** The end of the run: SIGTERM, and SIGKILL for one that does not follow. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    running.ordered = true;
    await this.#signal('SIGCONT');
    await this.#signal('SIGTERM');
    await withinMs(endTimeoutMs, 'it did not end', running.exited).catch(() => this.kill());
  }

  async #signal(signal: NodeJS.Signals): Promise<readonly number[]> {
    const { machine } = this.#context;
    return this.#running === undefined ? [] : machine.signal(this.spec.name, this.#running.pid, signal);
  }

  #untilStates(pids: readonly number[], expected: Expected) {
    return this.#context.machine.untilStates(this.spec.name, pids, expected, endTimeoutMs);
  }

  async #spawn(): Promise<Running> {
    const { node, log, records, reaper, machine, now } = this.#context;
    const { environment, folder, speak, name } = this.spec;
    const given = [this.spec.command, ...this.spec.arguments] as const;
    const [command, ...words] = machine.command(name, given, environment ?? {});
    // A session of its own: Ctrl-C on the terminal is for the harness, which ends nodes in its own order.
    const subprocess = execa(command, words, {
      stdio: [speak === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
      env: { PATH: process.env.PATH, ...environment, ...reaper.environment },
      extendEnv: false,
      ...(folder === undefined ? {} : { cwd: folder }),
    });
    const { pid, stdin, stdout, stderr } = subprocess;
    if (pid === undefined) {
      const { message = 'no reason given' } = await subprocess;
      throw new ServerStartError(`${name} of node ${node} could not be started: ${message}`);
    }
    reaper.processStarted(pid);
    records.append({ type: 'start', time: now(), pid });
    this.#isPaused = false;
    log.take(stderr, () => {});
    if (speak === undefined || stdin === null) log.take(stdout, () => {});
    else {
      stdin.on('error', () => {}); // It ended; its exit tells.
      speak(stdout, stdin);
    }
    const running: Running = {
      pid,
      ordered: false,
      // `close`, not `exit`: by then all of its log has been read.
      exited: new Promise((resolve) => {
        subprocess.once('close', (code: number | null, signal: string | null) => {
          this.#running = undefined;
          reaper.processGone(pid);
          const ordered = running.ordered || this.#isExpected?.({ code, signal }, log.lastLines) === true;
          const lastLogLines = ordered ? [] : log.lastLines;
          records.append({ type: 'exit', time: now(), pid, ordered, code, signal, lastLogLines });
          this.#context.onExit({ code, signal });
          resolve({ code, signal });
        });
      }),
    };
    this.#running = running;
    return running;
  }

  /** @returns undefined when it serves, how it ended when it did so first */
  async #untilReady(running: Running): Promise<Exit | undefined> {
    while (this.#running === running && !(await this.spec.ready().catch(() => false))) await delay(readyPollMs);
    return this.#running === running ? undefined : running.exited;
  }
}

/** A server did not get as far as serving. The message is one line for a person. */
class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
}

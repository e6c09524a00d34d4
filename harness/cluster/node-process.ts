import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { execa } from 'execa';
import type { NodeId } from '../../nemesis/world.ts';
import { LineWriter } from '../../results/store/append.ts';
import { files } from '../../results/store/layout.ts';
import { invariant } from '../invariant.ts';
import type { ProcessRecord } from './exits.ts';
import { type Listening, type LogRecord, lastWords, NodeLog, parseListening, parseRecord } from './node-log.ts';
import { PreloadControl } from './preload-control.ts';
import type { Reaper } from './reaper.ts';
import { withinMs } from './within.ts';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface NodeProcessOptions {
  readonly node: NodeId;
  /** `nodes/<n>/` of the run folder. */
  readonly folder: string;
  readonly reaper: Reaper;
  /** Nanoseconds since the start of the run. */
  readonly now: () => number;
  /** Called when the process was just sent a signal to end on. */
  readonly onEnding: () => void;
  /** Called when the process has ended, before anything that waits for it goes on. */
  readonly onExit: (exit: Exit) => void;
  /** Called when the node says that it was elected, at once. */
  readonly onRecord: (record: LogRecord) => void;
}

/** What to run: everything after `node` on its command line, and variables for the process. */
export interface NodeCommand {
  readonly arguments: readonly string[];
  readonly environment: { readonly [name: string]: string };
}

interface Running {
  readonly pid: number;
  readonly control: PreloadControl;
  readonly exited: Promise<Exit>;
  readonly kill: (signal: NodeJS.Signals) => boolean;
  ordered: boolean;
}

/** Whether an end is one that the process was made to come to. */
type IsExpected = (exit: Exit, lastLogLines: readonly string[]) => boolean;

const startTimeoutMs = 20_000;
const exitTimeoutMs = 5000;
const stopTimeoutMs = 5000;

/** One node's process over all of its lives: starts it, ends it, and keeps its log and the record of its exits. */
export class NodeProcess {
  readonly node: NodeId;
  readonly #options: NodeProcessOptions;
  readonly #log: NodeLog;
  readonly #records: LineWriter<ProcessRecord>;
  /** By what was done to it: the ends of its own that the process was made to come to. */
  readonly #expected = new Map<string, IsExpected>();
  #running: Running | undefined;

  constructor(options: NodeProcessOptions) {
    this.node = options.node;
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    this.#log = new NodeLog(join(options.folder, files.log));
    this.#records = new LineWriter(join(options.folder, files.exits));
  }

  /** undefined while the node is down. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** undefined while the node is down. */
  get control(): PreloadControl | undefined {
    return this.#running?.control;
  }

  /** undefined while the node is down. */
  get exited(): Promise<Exit> | undefined {
    return this.#running?.exited;
  }

  get lastLogLines(): readonly string[] {
    return this.#log.lastLines;
  }

  /**
   * Resolves when the process says that it listens.
   * @throws {NodeStartError} when it ends before that, or does not get there in time (it is ended then)
   */
  async start(command: NodeCommand): Promise<Listening> {
    const { reaper, now, onExit } = this.#options;
    invariant(this.#running === undefined, `node ${this.node} is one process`);
    // A session of its own: Ctrl-C on the terminal is for the harness, which ends nodes in its own order.
    const subprocess = execa(process.execPath, command.arguments, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
      // NODE_OPTIONS is not passed on: test runners add themselves to every child through it.
      env: { PATH: process.env.PATH, ...command.environment, ...reaper.environment },
      extendEnv: false,
    });
    const { pid, stdout, stderr } = subprocess;
    if (pid === undefined) {
      const result = await subprocess;
      throw new NodeStartError(`node ${this.node} could not be started: ${result.message ?? 'no reason given'}`);
    }
    reaper.processStarted(pid);
    this.#records.append({ type: 'start', time: now(), pid });

    let listening: (ports: Listening) => void = () => {};
    const served = new Promise<Listening>((resolve) => {
      listening = resolve;
    });
    let serves = false;
    this.#log.take(stdout, (line) => {
      const record = parseRecord(line);
      if (record === undefined) return;
      this.#options.onRecord(record);
      const ports = serves ? undefined : parseListening(record);
      if (ports === undefined) return;
      serves = true;
      listening(ports);
    });
    this.#log.take(stderr, () => {});

    const running: Running = {
      pid,
      // A socket pair, though execa's types know it as one way only.
      control: new PreloadControl(subprocess.stdio[3] as unknown as Duplex),
      kill: (signal) => subprocess.kill(signal),
      ordered: false,
      // `close`, not `exit`: by then all of its log has been read.
      exited: new Promise((resolve) => {
        subprocess.once('close', (code: number | null, signal: string | null) => {
          this.#running = undefined;
          reaper.processGone(pid);
          const isExpected = [...this.#expected.values()].some((is) => is({ code, signal }, this.#log.lastLines));
          const ordered = running.ordered || isExpected;
          const lastLogLines = ordered ? [] : this.#log.lastLines;
          this.#records.append({ type: 'exit', time: now(), pid, ordered, code, signal, lastLogLines });
          onExit({ code, signal });
          resolve({ code, signal });
        });
      }),
    };
    this.#running = running;

    const first = await withinMs(
      startTimeoutMs,
      `node ${this.node} did not serve`,
      Promise.race([served, running.exited]),
    ).catch(async (error: unknown) => {
      await this.kill();
      throw new NodeStartError(error instanceof Error ? error.message : String(error));
    });
    if ('clientPort' in first) return first;
    throw new NodeStartError(
      `node ${this.node} ended before it served (${first.signal ?? `exit code ${first.code}`}): ${lastWords(this.#log.lastLines)}`,
    );
  }

  /** SIGKILL. @returns how it ended; undefined when it was down already */
  async kill(): Promise<Exit | undefined> {
    return this.#end('SIGKILL', exitTimeoutMs);
  }

  /**
   * From now on such an end of the process counts as ordered: something that can make it end was done to it.
   * Undefined: no longer.
   */
  expect(because: string, isExpected: IsExpected | undefined): void {
    if (isExpected === undefined) this.#expected.delete(because);
    else this.#expected.set(because, isExpected);
  }

  /** The end of the run: SIGTERM, and SIGKILL for one that does not follow. */
  async stop(): Promise<void> {
    this.signal('SIGCONT');
    await this.#end('SIGTERM', stopTimeoutMs).catch(() => this.kill());
  }

  /** @returns whether there was a process to send it to */
  signal(signal: NodeJS.Signals): boolean {
    return this.#running?.kill(signal) ?? false;
  }

  /** After the last life: closes the log and the record of exits. */
  async close(): Promise<void> {
    this.#records.close();
    await this.#log.close();
  }

  async #end(signal: NodeJS.Signals, timeoutMs: number): Promise<Exit | undefined> {
    const running = this.#running;
    if (running === undefined) return undefined;
    running.ordered = true;
    this.signal(signal);
    this.#options.onEnding();
    return withinMs(timeoutMs, `node ${this.node} did not end on ${signal}`, running.exited);
  }
}

/** A node did not get as far as serving. The message is one line for a person. */
class NodeStartError extends Error {
  override readonly name = 'NodeStartError';
}

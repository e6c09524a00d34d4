import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClockFault, Damage, DiskFault, Effect, NodeId, Starvation } from '../../nemesis/world.ts';
import { type ClockChange, type ClockReading, clockFacts, type Instant, judgeClock, type Span } from './clock-proof.ts';
import type { Ext4Disk } from './ext4-disk.ts';
import { FileDamage } from './file-damage.ts';
import type { Chosen as Mechanisms } from './mechanisms.ts';
import { NodeDisk } from './node-disk.ts';
import type { LogRecord } from './node-log.ts';
import { NodeProcess } from './node-process.ts';
import { NodeStarvation } from './node-starvation.ts';
import { type NodeStatus, nodeStatus } from './node-status.ts';
import { processStat } from './proc.ts';
import type { Reaper } from './reaper.ts';
import { exitCodes } from './system-exits.ts';

export interface LocalNodeOptions {
  readonly id: NodeId;
  /** `nodes/<n>/` of the run folder. */
  readonly folder: string;
  readonly reaper: Reaper;
  readonly now: () => number;
  readonly clientPort: number;
  /** Where it keeps what it has on disk. */
  readonly dataFolder: string;
  /** Everything after `node` on the command line of its next process. */
  readonly arguments: () => readonly string[];
  /** Whether the disk module keeps a journal of what is not synced; the node's own file system. */
  readonly disk: { readonly journaled: boolean; readonly ext4?: Ext4Disk | undefined };
  /** Names of mechanisms, by power. */
  readonly mechanisms: Mechanisms;
  /** A seeded integer in [0, bound). */
  readonly random: (bound: number) => number;
  /** Told where the node listens for peers, and undefined when it has ended. */
  readonly onPeerPort: (port: number | undefined) => void;
  /** Told at once of each record of this node's log. */
  readonly onRecord: (record: LogRecord) => void;
  /** The other nodes, which a fault of this one must leave alone. */
  readonly siblings: () => readonly LocalNode[];
}

type State = 'down' | 'up' | 'paused';

const roleTimeoutMs = 500;
const readyTimeoutMs = 10_000;
const readingTimeoutMs = 2000;
const signalTimeoutMs = 2000;
const clockProofTimeoutMs = 3000;
const measuringPauseMs = 20;
const trueClock: ClockFault = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };

/** One node of the real world: a process, what is done to it, and the proof that it took effect. */
export class LocalNode {
  readonly id: NodeId;
  readonly address: string;
  readonly #options: LocalNodeOptions;
  readonly #process: NodeProcess;
  readonly #disk: NodeDisk;
  readonly #damage: FileDamage;
  readonly #starvation: NodeStarvation;
  #state: State = 'down';
  #stopping = false;
  /** Two faults may end at the same time: a node is one process. */
  #starting: Promise<Effect> | undefined;
  /** It ends in its next sync: until then whatever else is to happen to its process waits. */
  #losingPower: Promise<Effect> | undefined;
  #incarnation: string | undefined;
  /** How its clock is bent; outlives its process, as a machine's would. */
  #clock: { readonly fault: ClockFault; readonly setAt: Instant } = { fault: trueClock, setAt: since(instant()) };

  constructor(options: LocalNodeOptions) {
    this.id = options.id;
    this.address = `http://127.0.0.1:${options.clientPort}`;
    this.#options = options;
    this.#process = new NodeProcess({
      node: options.id,
      folder: options.folder,
      reaper: options.reaper,
      now: options.now,
      onEnding: () => this.#disk.ending(),
      onExit: (exit) => {
        this.#state = 'down';
        this.#disk.ended(exit);
        this.#starvation.ended();
        options.onPeerPort(undefined);
      },
      onRecord: options.onRecord,
    });
    const dataFolder = options.dataFolder;
    this.#disk = new NodeDisk({
      process: this.#process,
      dataFolder,
      ext4: options.disk.ext4,
      mechanisms: options.mechanisms,
      reaper: options.reaper,
      journalFolder: options.disk.journaled ? join(options.folder, 'disk') : undefined,
      random: options.random,
    });
    this.#damage = new FileDamage(options.id, options.folder, dataFolder, options.random);
    this.#process.expect(
      'damage',
      ({ code }, lines) => code === exitCodes.cannotStart && this.#damage.isRefusal(lines.join('\n')),
    );
    this.#starvation = new NodeStarvation({
      node: options.id,
      address: this.address,
      process: this.#process,
      reaper: options.reaper,
      mechanisms: options.mechanisms,
      isPaused: () => this.#state === 'paused',
    });
  }

  /** `up` until its process is seen to end, by whatever cause. */
  get state(): State {
    return this.#state;
  }

  /** Whether what becomes of its connections says anything: it runs, and could make new ones. */
  get isConnectable(): boolean {
    return this.#state === 'up' && !this.#starvation.unconnectable;
  }

  /** What it believes to be; undefined when it does not answer at once. */
  async role(): Promise<string | undefined> {
    return this.#state === 'up' ? (await nodeStatus(this.address, roleTimeoutMs))?.role : undefined;
  }

  /** Proven by a new incarnation that answers, or by a refusal to start with files that were damaged. */
  async start(mechanism: string): Promise<Effect> {
    if (this.#starting !== undefined) {
      await this.#starting;
      return { effect: 'moot', mechanism, proof: { reason: 'it was being started' } };
    }
    const started = this.#start(mechanism);
    this.#starting = started;
    try {
      return await started;
    } finally {
      this.#starting = undefined;
    }
  }

  async #start(mechanism: string): Promise<Effect> {
    await this.#losingPower;
    if (this.#state !== 'down') return { effect: 'moot', mechanism, proof: { state: this.#state } };
    if (this.#stopping) return { effect: 'moot', mechanism, proof: { reason: 'the run has ended' } };
    const unusable = this.#damage.isWiped ? 'its disk is empty: it must be added as a new member' : this.#disk.unusable;
    if (unusable !== undefined) return { effect: 'moot', mechanism, proof: { reason: unusable } };
    const before = this.#incarnation ?? null;
    const asked = instant();
    this.#rebaseClock(asked);
    try {
      const { peerPort } = await this.#process.start({
        arguments: this.#options.arguments(),
        environment: {
          SPLITBRAIN_CLOCK: JSON.stringify(this.#clock.fault),
          ...this.#disk.environment,
        },
      });
      this.#clock = { fault: this.#clock.fault, setAt: since(asked) };
      this.#state = 'up';
      this.#options.onPeerPort(peerPort);
      await this.#disk.started();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#damage.isRefusal(reason)) return { effect: 'proven', mechanism, proof: { refused: reason } };
      return { effect: 'ineffective', mechanism, proof: { reason } };
    }
    this.#damage.served();
    const pid = this.#process.pid ?? null;
    const status = await nodeStatus(this.address, readyTimeoutMs);
    const after = status?.incarnation ?? null;
    this.#incarnation = status?.incarnation ?? this.#incarnation;
    if (after !== null && after !== before) {
      return { effect: 'proven', mechanism, proof: { pid, incarnationBefore: before, incarnationAfter: after } };
    }
    const reason = after === null ? `node ${this.id} listens but does not answer` : 'the same incarnation answers';
    return { effect: 'ineffective', mechanism, proof: { reason, pid, incarnationBefore: before } };
  }

  /** Proven by the process having ended on that signal. */
  async kill(mechanism: string): Promise<Effect> {
    await this.#losingPower;
    const pid = this.#process.pid ?? null;
    try {
      const exit = await this.#process.kill();
      if (exit === undefined) return { effect: 'moot', mechanism, proof: { state: 'down' } };
      const effect = exit.signal === 'SIGKILL' ? 'proven' : 'moot'; // Ended by itself in the same moment.
      return { effect, mechanism, proof: { pid, signal: exit.signal, code: exit.code } };
    } catch (error) {
      return { effect: 'ineffective', mechanism, proof: { pid, reason: String(error) } };
    }
  }

  /** See `NodeDisk`. */
  async losePower(): Promise<Effect> {
    if (this.#losingPower !== undefined) {
      const { mechanism } = await this.#losingPower;
      return { effect: 'moot', mechanism, proof: { reason: 'it was losing power' } };
    }
    this.#losingPower = this.#disk.losePower(this.#state === 'paused');
    try {
      return await this.#losingPower;
    } finally {
      this.#losingPower = undefined;
    }
  }

  /** See `NodeDisk`. */
  setDisk(fault: DiskFault | undefined): Promise<Effect> {
    return this.#disk.set(fault);
  }

  /** See `FileDamage`. @throws while the node runs */
  damage(damage: Damage): Effect {
    this.#mustBeDown();
    return this.#damage.apply(damage);
  }

  /** See `FileDamage`. @throws while the node runs */
  wipe(): Effect {
    this.#mustBeDown();
    return this.#damage.wipe();
  }

  /** Its member is being removed from the cluster: it may end for that, orderly, until it is another one. */
  leaving(): void {
    this.#process.expect('removed', ({ code }) => code === 0);
  }

  /** It is another member from now on, with nothing on its disk. @throws while the node runs */
  renamed(): void {
    this.#mustBeDown();
    this.#damage.wipe();
    this.#damage.renamed();
    this.#process.expect('removed', undefined);
  }

  /** See `NodeStarvation`. */
  starve(starvation: Starvation | undefined): Promise<Effect> {
    return this.#starvation.set(starvation);
  }

  /** Proven by the state that the kernel shows, and the siblings' being as they were. */
  async pause(mechanism: string): Promise<Effect> {
    const pid = this.#process.pid;
    if (pid === undefined || this.#state !== 'up') {
      return { effect: 'moot', mechanism, proof: { state: this.#state } };
    }
    this.#state = 'paused';
    this.#process.signal('SIGSTOP');
    const state = await stateOf(pid, isStopped);
    const stray = this.#options.siblings().filter((other) => other.isStray());
    if (state === undefined) return { effect: 'moot', mechanism, proof: { pid, state: 'ended' } };
    // One that is traced is shown as such, paused or not.
    const seen = state === 't' ? 'moot' : state === 'T' ? 'proven' : 'ineffective';
    const effect = stray.length === 0 ? seen : 'ineffective';
    return { effect, mechanism, proof: { pid, state, siblingsStopped: stray.map((node) => node.id).join(' ') } };
  }

  /** Proven by the state that the kernel shows, and by its answering again. */
  async resume(mechanism: string): Promise<Effect> {
    const pid = this.#process.pid;
    if (pid === undefined || this.#state !== 'paused') {
      return { effect: 'moot', mechanism, proof: { state: this.#state } };
    }
    this.#process.signal('SIGCONT');
    const state = await stateOf(pid, (letter) => letter !== 'T');
    if (this.#state === 'paused') this.#state = 'up';
    if (state === undefined) return { effect: 'moot', mechanism, proof: { pid, state: 'ended' } };
    if (!this.isConnectable)
      return { effect: 'moot', mechanism, proof: { pid, state, reason: 'it takes no connections' } };
    const answers = (await nodeStatus(this.address, readyTimeoutMs)) !== undefined;
    return { effect: state !== 'T' && answers ? 'proven' : 'ineffective', mechanism, proof: { pid, state, answers } };
  }

  /** Stopped, though nobody paused it. */
  isStray(): boolean {
    const { pid } = this.#process;
    return pid !== undefined && this.#state === 'up' && !this.#starvation.stops && processStat(pid)?.state === 'T';
  }

  /** Proven by the node's own readings, compared with the harness's clocks; see `judgeClock`. */
  async setClock(fault: ClockFault, mechanism: string): Promise<Effect> {
    const before = this.#clock;
    if (isSame(before.fault, fault)) return { effect: 'moot', mechanism, proof: { reason: 'it is so already' } };
    const reference = this.#state === 'up' ? await this.#readClock() : undefined;
    const asked = instant();
    const acknowledged = await this.#process.control?.tell('clock', fault, signalTimeoutMs).then(
      () => true,
      () => false,
    );
    this.#clock = { fault, setAt: since(asked) };
    if (reference === undefined || this.#state !== 'up') {
      return { effect: 'moot', mechanism, proof: { state: this.#state } };
    }
    const change: ClockChange = {
      before: before.fault,
      beforeSetAt: before.setAt,
      after: fault,
      setAt: this.#clock.setAt,
      reference: reference.reading,
    };
    return this.#proveClock(change, reference.status.incarnation, mechanism, acknowledged ?? false);
  }

  /** The end of the run; the node cannot be started again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#process.stop();
    await this.#starting;
    await this.#process.stop();
    await this.#process.close();
    this.#options.disk.ext4?.close(join(this.#options.folder, 'data'));
  }

  async #proveClock(
    change: ClockChange,
    incarnation: string,
    mechanism: string,
    acknowledged: boolean,
  ): Promise<Effect> {
    const startedAt = performance.now();
    for (let readings = 1; ; readings++) {
      const seen = await this.#readClock();
      if (seen === undefined || seen.status.incarnation !== incarnation) {
        return { effect: 'moot', mechanism, proof: { acknowledged, reason: 'it was not up to be asked' } };
      }
      const verdict = judgeClock(change, seen.reading);
      const proof = { acknowledged, readings, ...clockFacts(change, seen.reading) };
      if (verdict === 'proven') return { effect: 'proven', mechanism, proof };
      if (verdict === 'refuted') return { effect: 'ineffective', mechanism, proof };
      if (performance.now() - startedAt > clockProofTimeoutMs) {
        return { effect: 'moot', mechanism, proof: { ...proof, reason: 'too small a change to be seen' } };
      }
      await delay(measuringPauseMs); // A change of rate needs time to show.
    }
  }

  async #readClock(): Promise<{ readonly status: NodeStatus; readonly reading: ClockReading } | undefined> {
    const asked = instant();
    const status = await nodeStatus(this.address, readingTimeoutMs);
    return status === undefined ? undefined : { status, reading: { at: since(asked), ...status.clock } };
  }

  #mustBeDown(): void {
    if (this.#state !== 'down') throw new Error(`node ${this.id} is running: its files are not to be touched`);
  }

  /** A new process begins with the wall clock's offset as far as it has drifted until now. */
  #rebaseClock(now: Instant): void {
    const { fault, setAt } = this.#clock;
    const driftMs = (fault.wallRate - 1) * (now.monotonicMs[0] - setAt.monotonicMs[0]);
    this.#clock = { fault: { ...fault, wallOffsetMs: fault.wallOffsetMs + driftMs }, setAt: now };
  }
}

/** Stopped by a signal, or in the hands of a tracer, which hides whether it is. */
function isStopped(letter: string): boolean {
  return letter === 'T' || letter === 't';
}

/** Now. */
function instant(): Instant {
  const [wallMs, monotonicMs] = [Date.now(), performance.now()];
  return { wallMs: [wallMs, wallMs], monotonicMs: [monotonicMs, monotonicMs] };
}

/** Some instant between that one and now. */
function since(earlier: Instant): Instant {
  const now = instant();
  const span = (from: Span, to: Span): Span => [from[0], to[1]];
  return { wallMs: span(earlier.wallMs, now.wallMs), monotonicMs: span(earlier.monotonicMs, now.monotonicMs) };
}

function isSame(a: ClockFault, b: ClockFault): boolean {
  return a.wallOffsetMs === b.wallOffsetMs && a.wallRate === b.wallRate && a.monotonicRate === b.monotonicRate;
}

/** Waits, bounded, for a process's state; the kernel tells nobody but its parent's `waitpid` of a stop. */
async function stateOf(pid: number, isExpected: (letter: string) => boolean): Promise<string | undefined> {
  const startedAt = performance.now();
  for (;;) {
    const state = processStat(pid)?.state;
    if (state === undefined || isExpected(state) || performance.now() - startedAt > signalTimeoutMs) return state;
    await delay(1);
  }
}

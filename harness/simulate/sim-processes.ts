import type { NodeId } from '../../nemesis/world.ts';
import type { NodeConfig } from '../../system/node/index.ts';
import type { Ports } from '../../system/ports.ts';
import type { Random } from '../generator/random.ts';
import type { Coverage } from './coverage.ts';
import { eventKind, harnessProcess, type Scheduler, SimProcess } from './scheduler.ts';
import { SimClock } from './sim-clock.ts';
import { isNemesisDoing, snapshotFiles } from './sim-disk-faults.ts';
import type { LogRecord, SimMachine } from './sim-machine.ts';
import type { SimNetwork } from './sim-network.ts';
import type { SystemModule } from './system-module.ts';

/** The peers' port: every simulated node is a host of its own. */
const peerPort = 2380;
/** The last log lines of a node that are kept for a crash. */
const logLinesKept = 20;
/** How long a node may take to start. */
const startMaxUs = 30_000_000;
const startLookUs = 250_000;

/** What a node's configuration is beyond its id and its peers. */
export type Tuning = Pick<
  NodeConfig,
  | 'tickMs'
  | 'electionTicks'
  | 'heartbeatTicks'
  | 'appendBytesMax'
  | 'snapshotEntries'
  | 'segmentBytes'
  | 'historyEventsMax'
>;

interface Parts {
  /** How many the cluster began with. */
  readonly nodes: number;
  readonly system: SystemModule;
  readonly scheduler: Scheduler;
  /** A stream of its own for each purpose, all of one seed. */
  readonly random: (purpose: string) => Random;
  readonly tuning: Tuning;
  readonly network: SimNetwork;
  readonly coverage: Coverage;
  /** Whose id of the store that is or was. */
  readonly owner: (id: number) => NodeId | undefined;
  /** Takes each record of a node's log, as it is logged. */
  readonly logged: (machine: SimMachine, event: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Takes each line of a node's log. */
  readonly log?: ((node: NodeId, line: string) => void) | undefined;
  /** A node has begun to serve. */
  readonly serves: () => void;
  /** A process is no more, and its connections neither. */
  readonly ended: (process: SimProcess) => void;
}

/** What became of a start. */
interface Started {
  readonly up: boolean;
  /** Why it would not: a file of it was damaged. */
  readonly refused?: string;
  /** The nemesis ended it, or holds it or its disk. */
  readonly ended?: boolean;
}

/** The processes on the machines: how they start with the system's real code in them, what they log, how they end. */
export class SimProcesses {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Starts a process on a machine that has none. Resolves when it serves, has ended, or takes too long. */
  start(machine: SimMachine): Promise<Started> {
    const { scheduler, coverage } = this.#parts;
    const process = new SimProcess(machine.node, machine.number);
    machine.process = process;
    machine.incarnations++;
    if (machine.incarnations > 1) coverage.add('restarts');
    machine.life.push({ type: 'start', time: scheduler.nowUs * 1000, pid: machine.incarnations });
    return new Promise((resolve) => {
      scheduler.schedule(0, eventKind.harness, process, () => {
        this.#launch(machine, process).then(
          () => resolve({ up: true }),
          (error: unknown) => {
            const byNemesis = isNemesisDoing(machine, error);
            this.crashed(machine, process, error);
            if (!byNemesis) resolve({ up: false });
            else resolve({ up: false, ...(machine.disk.caused(error) ? { ended: true } : { refused: String(error) }) });
          },
        );
      });
      const look = (lookedUs: number) => {
        // Another may run in its place by now.
        if (!process.alive) resolve({ up: false, ended: true });
        else if (machine.running !== undefined) return;
        else if (lookedUs >= startMaxUs) {
          const isHeld = process.paused || machine.disk.fault !== undefined;
          resolve({ up: false, ...(isHeld && { ended: true }) });
        } else scheduler.schedule(startLookUs, eventKind.harness, harnessProcess, () => look(lookedUs + startLookUs));
      };
      scheduler.schedule(startLookUs, eventKind.harness, harnessProcess, () => look(startLookUs));
    });
  }

  /** It was killed, or its disk ended it. */
  killed(machine: SimMachine, process: SimProcess): void {
    this.#end(machine, process);
    machine.life.push({ ...this.#exit(machine), ordered: true, code: null, signal: 'SIGKILL' });
  }

  /** The node ended by itself: an exception, a broken invariant, a fatal disk error. */
  crashed(machine: SimMachine, process: SimProcess, error: unknown): void {
    if (!process.alive) return;
    const ordered = isNemesisDoing(machine, error);
    if (ordered) machine.disk.dropClean();
    this.#log(machine, 'fatal', 'crash', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    this.#end(machine, process);
    machine.life.push({ ...this.#exit(machine), ordered, code: 70, signal: null });
  }

  async #launch(machine: SimMachine, process: SimProcess): Promise<void> {
    const { scheduler, random, system, tuning, network, coverage, nodes, owner } = this.#parts;
    const life = `${machine.node}/${machine.incarnations}`;
    const draws = random(`node ${life}`);
    const ports: Ports = {
      clock: new SimClock(scheduler, process, machine.clock, random(`turns ${life}`)),
      random: { uint32: () => draws.below(2 ** 32) },
      fileSystem: machine.disk.portOf(process, scheduler),
      network: network.portOf(process),
    };
    const isFirst = machine.number <= nodes;
    // At the place of each id stands where that member is, or was: there others are refused.
    const places = Math.max(nodes, machine.number);
    const cluster = Array.from({ length: places }, (_, at) => urlOf(owner(at + 1) ?? machine.node));
    const running = await system.startNode(
      ports,
      {
        ...tuning,
        id: machine.number,
        clusterId: 'simulated',
        cluster,
        join: !isFirst,
        listenPeer: { host: machine.node, port: peerPort },
      },
      {
        audit: (lines) => {
          machine.audit.push(lines);
          coverage.audited(lines);
        },
        log: (level, event, facts) => this.#log(machine, level, event, facts),
        stopped: (reason) => {
          if (reason.type === 'fatal') this.crashed(machine, process, reason.error);
          else this.#left(machine, process);
        },
      },
    );
    if (!process.alive) return;
    machine.running = running;
    machine.undamaged = undefined;
    machine.old = machine.disk.copy(snapshotFiles);
    this.#parts.serves();
  }

  #log(machine: SimMachine, level: string, event: string, facts: Readonly<Record<string, unknown>>): void {
    this.#parts.logged(machine, event, facts);
    const record = { level, time: machine.clock.wallMs(), event, facts };
    machine.logTail.push(record);
    if (machine.logTail.length > logLinesKept) machine.logTail.shift();
    this.#parts.log?.(machine.node, lineOf(record));
  }

  #end(machine: SimMachine, process: SimProcess): void {
    process.alive = false;
    process.backlog.length = 0;
    machine.running = undefined;
    this.#parts.network.processDied(process);
    this.#parts.ended(process);
  }

  /** It was removed from the cluster, and ended in order. */
  #left(machine: SimMachine, process: SimProcess): void {
    if (!process.alive) return;
    this.#end(machine, process);
    machine.life.push({ ...this.#exit(machine), ordered: true, code: 0, signal: null });
  }

  #exit({ incarnations, logTail }: SimMachine) {
    const time = this.#parts.scheduler.nowUs * 1000;
    return { type: 'exit', time, pid: incarnations, lastLogLines: logTail.map(lineOf) } as const;
  }
}

function lineOf({ level, time, event, facts }: LogRecord): string {
  return JSON.stringify({ level, time, event, ...facts });
}

/** Where its peers reach it. */
export function urlOf(node: NodeId): string {
  return `http://${node}:${peerPort}`;
}

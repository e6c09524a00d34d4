import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClockFault, DiskFault, Disturbance, Effect, Link, NodeId } from '../../nemesis/world.ts';
import { LineWriter } from '../../results/store/append.ts';
import { files } from '../../results/store/layout.ts';
import { freePort } from '../cluster/client-ports.ts';
import type { ProcessRecord } from '../cluster/exits.ts';
import { chooseMechanisms, foreign, type Chosen as Mechanisms, mechanismsByKind } from '../cluster/mechanisms.ts';
import { createNetwork, type Network } from '../cluster/network/network.ts';
import { NodeLog } from '../cluster/node-log.ts';
import { type Reaper, startReaper } from '../cluster/reaper.ts';
import { thisMachine } from './machine.ts';
import { NodeHardware } from './node-hardware.ts';
import { ServerProcess, type ServerSpec } from './server-process.ts';
import { SshMachine } from './ssh-machine.ts';
import type { SetUp } from './target.ts';
import type { ServerWorld } from './user-target.ts';

/** What can be done to any program. */
export const processFaults: readonly string[] = ['partition', 'pause', 'kill', 'loss', 'slow-link'];

/** What can be done to the disk of a program that syncs, and the first two also when a failed sync does not end it. */
export const diskFaults: readonly string[] = ['disk-slow', 'disk-hung', 'disk-error', 'disk-crash'];

/** What can be done to one on another computer. */
export const remoteFaults: readonly string[] = ['pause', 'kill'];

/** Those of them that need a network of namespaces. */
const networkFaults: readonly string[] = ['partition', 'loss', 'slow-link'];

const untilPollMs = 100;
const untilMaxMs = 30_000;

/** What one kind of store adds to processes. */
export interface ProcessWorldOptions {
  readonly setUp: Pick<SetUp, 'folder' | 'faults' | 'random' | 'now' | 'port' | 'signal' | 'ssh'>;
  readonly nodes: readonly NodeId[];
  /** The nodes that now believe to lead; asked of themselves. */
  readonly primaries: () => Promise<readonly NodeId[]>;
}

interface Place {
  readonly folder: string;
  readonly log: NodeLog;
  readonly records: LineWriter<ProcessRecord>;
  readonly servers: ServerProcess[];
  readonly hardware: NodeHardware;
}

/**
 * A world of other people's servers: ordinary processes, some a node, ended, stopped and started as a whole. Each
 * node's log and the record of its starts and ends go to `nodes/<n>/` of the run folder.
 */
export class ProcessWorld implements ServerWorld {
  readonly nodes: readonly NodeId[];
  readonly mechanisms: { readonly [kind: string]: string };
  readonly random: (bound: number) => number;
  readonly bendsWallClocksOnly = true;
  readonly reaper: Reaper;
  readonly #options: ProcessWorldOptions;
  /** Undefined: all nodes are on the loopback, and no link can be cut. */
  readonly #network: Network | undefined;
  /** Of nodes that are on other computers. */
  readonly #machines: ReadonlyMap<NodeId, SshMachine>;
  readonly #places: ReadonlyMap<NodeId, Place>;
  readonly #ended = new AbortController();
  readonly #ports = new Set<number>();
  #stopped: Promise<void> | undefined;

  private constructor(
    options: ProcessWorldOptions,
    reaper: Reaper,
    network: Network | undefined,
    machines: ReadonlyMap<NodeId, SshMachine>,
    chosen: Mechanisms,
  ) {
    const { nodes, setUp } = options;
    this.nodes = nodes;
    this.random = setUp.random;
    this.reaper = reaper;
    this.mechanisms = {
      pause: 'sigstop',
      kill: 'sigkill',
      ...mechanismsByKind(foreignKinds(setUp.faults), chosen),
      ...(network === undefined
        ? {}
        : { partition: network.mechanism, loss: network.mechanism, 'slow-link': 'tc-tbf' }),
    };
    this.#options = options;
    this.#network = network;
    this.#machines = machines;
    this.#places = new Map(
      nodes.map((node) => {
        const folder = join(setUp.folder, files.nodes, node);
        mkdirSync(folder, { recursive: true });
        const log = new NodeLog(join(folder, files.log));
        const records = new LineWriter(join(folder, files.exits));
        return [node, { folder, log, records, servers: [], hardware: new NodeHardware(reaper) }];
      }),
    );
  }

  /**
   * Nothing runs in it yet but the reaper, which ends what this process may leave behind, and what holds the network.
   * @throws when a fault was asked for that needs a network that this machine does not allow
   */
  static async create(options: ProcessWorldOptions): Promise<ProcessWorld> {
    const { nodes, setUp } = options;
    setUp.signal?.throwIfAborted();
    const reaper = await startReaper();
    const needed = setUp.faults.filter((kind) => networkFaults.includes(kind));
    const machines = new Map<NodeId, SshMachine>();
    try {
      for (const [at, node] of nodes.entries()) {
        const host = setUp.ssh?.hosts[at];
        if (setUp.ssh !== undefined && host !== undefined) {
          machines.set(node, await SshMachine.reach(host, setUp.ssh, reaper));
        }
      }
      const chosen = await chooseMechanisms(foreignKinds(setUp.faults), []);
      const network = needed.length > 0 ? await networkOf(nodes, reaper, needed) : undefined;
      return new ProcessWorld(options, reaper, network, machines, chosen);
    } catch (error) {
      for (const machine of machines.values()) await machine.close();
      await reaper.close();
      throw error;
    }
  }

  /** The address that the node's servers are to listen on. */
  address(node: NodeId): string {
    return this.#network?.address(node) ?? this.#machines.get(node)?.address ?? '127.0.0.1';
  }

  /** Where the harness reaches that port of the node: `127.0.0.1:20411`. */
  async reach(node: NodeId, port: number): Promise<string> {
    if (this.#network !== undefined) return `127.0.0.1:${await this.#network.forward(node, port)}`;
    return `${this.address(node)}:${port}`;
  }

  /** The folder for what the node's servers keep, on the computer where they run; it is there. */
  dataFolder(node: NodeId): string {
    const machine = this.#machines.get(node);
    if (machine !== undefined) return `${machine.folder}/data`;
    const folder = join(this.folder(node), 'data');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Writes a file for the node's servers, on their computer. @returns its path there */
  async write(node: NodeId, name: string, text: string): Promise<string> {
    const machine = this.#machines.get(node);
    if (machine !== undefined) return machine.write(name, text);
    const path = join(this.dataFolder(node), name);
    writeFileSync(path, text);
    return path;
  }

  /** `nodes/<n>/` of the run folder. */
  folder(node: NodeId): string {
    return this.#place(node).folder;
  }

  /** A port that no other server has: the next from `--port` on, or any. */
  async port(): Promise<number> {
    const { port: first } = this.#options.setUp;
    const port = first === undefined ? await freePort(this.#ports) : first + this.#ports.size;
    this.#ports.add(port);
    return port;
  }

  /** The node has this server, too, and starts it after those that it has already. */
  add(node: NodeId, spec: ServerSpec): ServerProcess {
    const place = this.#place(node);
    const { log, records, servers } = place;
    const given = [spec.command, ...spec.arguments] as const;
    const [command, ...words] = this.#network?.command(node, given) ?? given;
    const server = new ServerProcess(
      { ...spec, command, arguments: words },
      {
        node,
        log,
        records,
        reaper: this.reaper,
        machine: this.#machines.get(node) ?? thisMachine,
        now: this.#options.setUp.now,
        onExit: (exit) => place.hardware.ended(exit),
      },
    );
    servers.push(server);
    if (spec.endsOnFailedSync !== undefined) place.hardware.carries(server, spec.endsOnFailedSync);
    return server;
  }

  /**
   * Starts every server of every node, and resolves when all serve.
   * @throws with one clear line; everything is ended then
   */
  async startAll(): Promise<void> {
    const { signal } = this.#options.setUp;
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    try {
      await Promise.race([Promise.all(this.nodes.map((node) => this.#startServers(node))), aborted]);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Waits, bounded, for something that the servers bring about among themselves after they were started.
   * @throws with the reason; everything is ended then
   */
  async until(otherwise: string, holds: () => Promise<boolean>): Promise<void> {
    const { signal } = this.#options.setUp;
    const startedAt = performance.now();
    try {
      while (!(await holds())) {
        signal?.throwIfAborted();
        if (performance.now() - startedAt > untilMaxMs) throw new Error(`${otherwise} within ${untilMaxMs} ms`);
        await delay(untilPollMs);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * For a server in C whose wall clock is to be bent, where that was asked for.
   * @param wallMs what its clock says now; undefined when it does not answer
   * @returns variables for its process: none where its clock stays as it is
   */
  bendable(node: NodeId, wallMs: () => Promise<number | undefined>): { readonly [name: string]: string } {
    return this.#options.setUp.faults.includes('clock') ? this.#place(node).hardware.tells(wallMs) : {};
  }

  isUp(node: NodeId): boolean {
    return this.#place(node).servers.every(({ state }) => state === 'up');
  }

  primaries(): Promise<readonly NodeId[]> {
    return this.#options.primaries();
  }

  async cut(links: readonly Link[]): Promise<Effect> {
    if (this.#network !== undefined) return this.#network.cut(links);
    if (links.length === 0) return { effect: 'moot', mechanism: 'none', proof: { reason: 'nothing was cut' } };
    throw new Error('these processes were started without a network of their own');
  }

  async disturb(links: readonly Link[], { lossPercent, bytesPerS }: Disturbance): Promise<Effect> {
    const network = this.#network;
    if (network !== undefined) {
      const isWhole = (node: NodeId): boolean =>
        this.nodes.every((other) => other === node || links.some(({ from, to }) => from === node && to === other));
      const slowed = bytesPerS > 0 ? this.nodes.filter(isWhole) : [];
      const slow = await network.slow(slowed, bytesPerS);
      return bytesPerS > 0 || slow.effect !== 'moot' ? slow : network.lose(links, lossPercent);
    }
    if (links.length === 0) return { effect: 'moot', mechanism: 'none', proof: { reason: 'nothing was disturbed' } };
    throw new Error('these processes were started without a network of their own');
  }

  /** Proven by new processes that serve. */
  async start(node: NodeId): Promise<Effect> {
    const mechanism = 'sigkill';
    const { servers, hardware } = this.#place(node);
    const state = servers.map((server) => server.state).join(' ');
    if (this.#ended.signal.aborted) return { effect: 'moot', mechanism, proof: { reason: 'the run has ended' } };
    if (!servers.some((server) => server.state === 'down')) return { effect: 'moot', mechanism, proof: { state } };
    const { unusable } = hardware;
    if (unusable !== undefined) return { effect: 'moot', mechanism, proof: { reason: unusable } };
    try {
      await this.#startServers(node);
      return { effect: 'proven', mechanism, proof: { state, pids: pidsOf(servers) } };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { effect: 'ineffective', mechanism, proof: { state, reason } };
    }
  }

  /** Proven by the signal that ended them. */
  async kill(node: NodeId): Promise<Effect> {
    const { servers, hardware } = this.#place(node);
    hardware.ending();
    const pids = pidsOf(servers);
    const exits = await Promise.all(servers.map((server) => server.kill()));
    const seen = exits.filter((exit) => exit !== undefined);
    const signals = seen.map(({ signal, code }) => signal ?? `exit code ${code}`).join(' ');
    const proven = seen.some(({ signal }) => signal === 'SIGKILL'); // Otherwise ended by itself in the same moment.
    return { effect: proven ? 'proven' : 'moot', mechanism: 'sigkill', proof: { pids, signals } };
  }

  /** Proven by the state that the kernel shows. */
  pause(node: NodeId): Promise<Effect> {
    return this.#halt(node, 'up', (server) => server.pause());
  }

  resume(node: NodeId): Promise<Effect> {
    return this.#halt(node, 'paused', (server) => server.resume());
  }

  async setClock(node: NodeId, fault: ClockFault): Promise<Effect> {
    return this.#place(node).hardware.setClock(fault);
  }

  async setDisk(node: NodeId, fault: DiskFault | undefined): Promise<Effect> {
    return this.#place(node).hardware.setDisk(fault);
  }

  async sleep(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ended.signal });
  }

  /** Ends every server and waits until all are gone; again: waits for the same end. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#ended.abort();
    for (const { servers, log, records, hardware } of this.#places.values()) {
      hardware.close();
      await Promise.all(servers.map((server) => server.stop()));
      records.close();
      await log.close();
    }
    for (const machine of this.#machines.values()) await machine.close();
    await this.#network?.close();
    await this.reaper.close();
  }

  async #startServers(node: NodeId): Promise<void> {
    const { servers, hardware } = this.#place(node);
    for (const server of servers) {
      if (server.state === 'down' && !this.#ended.signal.aborted) await server.start();
    }
    await hardware.started();
  }

  async #halt(
    node: NodeId,
    from: 'up' | 'paused',
    act: (server: ServerProcess) => Promise<{ readonly reached: boolean; readonly states: string }>,
  ): Promise<Effect> {
    const mechanism = 'sigstop';
    const servers = this.#place(node).servers.filter(({ state }) => state === from);
    if (servers.length === 0) return { effect: 'moot', mechanism, proof: { reason: `not ${from}` } };
    const seen = await Promise.all(servers.map(act));
    const states = seen.map((server) => server.states).join(' ');
    const isHidden = from === 'up' && states.includes('t');
    const effect = !seen.every(({ reached }) => reached) ? 'ineffective' : isHidden ? 'moot' : 'proven';
    return { effect, mechanism, proof: { pids: pidsOf(servers), states } };
  }

  #place(node: NodeId): Place {
    const place = this.#places.get(node);
    if (place === undefined) throw new Error(`there is no node ${JSON.stringify(node)} (nodes: ${this.nodes})`);
    return place;
  }
}

function pidsOf(servers: readonly ServerProcess[]): string {
  return servers.map(({ pid }) => pid ?? '-').join(' ');
}

/** The kinds that take a mechanism of other programs' than ours, by the names that mechanisms go by. */
function foreignKinds(kinds: readonly string[]): readonly string[] {
  return kinds.filter((kind) => kind === 'clock' || diskFaults.includes(kind)).map(foreign);
}

/** @throws saying which faults cannot be had */
async function networkOf(nodes: readonly NodeId[], reaper: Reaper, needed: readonly string[]): Promise<Network> {
  try {
    return await createNetwork(nodes, reaper);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`no ${needed.join(' and no ')} on this machine: ${reason}; leave it out with --nemesis`);
  }
}

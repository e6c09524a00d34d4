import { undisturbed } from '../../nemesis/disturbance.ts';
import type { Disturbance } from '../../nemesis/world.ts';
import {
  type Address,
  type Connection,
  type ConnectionHandlers,
  type Listener,
  type Network,
  PortError,
} from '../../system/ports.ts';
import type { Random } from '../generator/random.ts';
import type { CoverageName } from './coverage.ts';
import { eventKind, harnessProcess, type Scheduler, type SimProcess } from './scheduler.ts';
import { SimConnection } from './sim-connection.ts';
import { type LinkCounters, SimLink } from './sim-link.ts';
import type { Wiretap } from './wiretap.ts';

/** How the network treats what is sent over it. Probabilities are in parts of 10,000 for each write. */
export interface NetworkConditions {
  /** Each way: a base and a uniformly drawn rest. */
  readonly latencyUs: number;
  readonly jitterUs: number;
  /** A write vanishes, as if a proxy had discarded its frames. */
  readonly lose: number;
  /** A write comes twice. */
  readonly duplicate: number;
  /** A write is overtaken by later ones. */
  readonly reorder: number;
  /** The connection is reset. */
  readonly reset: number;
}

export const calmNetwork: NetworkConditions = {
  latencyUs: 150,
  jitterUs: 500,
  lose: 0,
  duplicate: 0,
  reorder: 0,
  reset: 0,
};

/** How long a dial waits for an answer that a cut link swallows. */
const dialTimeoutUs = 500_000;
/** How late a reordered or duplicated write may come. */
const strayUsMax = 200_000;
/** Parts that probabilities are given in. */
const parts = 10_000;

interface Bound {
  readonly process: SimProcess;
  readonly accept: (connection: Connection) => void;
}

/**
 * The wires between simulated nodes. A host's name is the node's name. Writes are the units that are delivered,
 * lost, repeated and overtaken; they hold whole frames (see `Connection.write`), except that now and then one
 * arrives in two pieces, as a stream may.
 */
export class SimNetwork {
  conditions: NetworkConditions = calmNetwork;
  /** That anybody has said, whatever became of it. */
  bytes = 0;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #listeners = new Map<string, Bound>();
  readonly #connections = new Set<SimConnection>();
  #cut: ReadonlySet<string> = new Set();
  /** By name, `from>to`. */
  readonly #links = new Map<string, SimLink>();
  #ephemeralPort = 32_768;
  /** Listens to all that is said. */
  wiretap: Wiretap | undefined;
  /** Told of each mishap. */
  readonly happened: (what: CoverageName) => void;

  constructor(scheduler: Scheduler, random: Random, happened: (what: CoverageName) => void = () => {}) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.happened = happened;
  }

  /** The Network port of one process. */
  portOf(process: SimProcess): Network {
    return {
      listen: (address, accept) => this.#listen(process, address, accept),
      connect: (address, handlers) => this.#connect(process, address, handlers),
    };
  }

  /** Cuts exactly these directed links, `from>to`. */
  cut(links: ReadonlySet<string>): void {
    this.#cut = links;
    this.#know(links);
    for (const link of this.#links.values()) {
      link.isCut = links.has(link.name);
      link.forgetCounters();
    }
  }

  /** Disturbs exactly these directed links, `from>to`. */
  disturb(links: ReadonlySet<string>, disturbance: Disturbance): void {
    this.#know(links);
    for (const link of this.#links.values()) {
      link.disturbance = links.has(link.name) ? disturbance : undisturbed;
      link.forgetCounters();
    }
  }

  /** Are these the links that are cut now? */
  hasCut(links: ReadonlySet<string>): boolean {
    return this.#cut === links;
  }

  isDisturbed(from: string, to: string): boolean {
    return this.link(from, to).disturbance !== undisturbed;
  }

  isCut(from: string, to: string): boolean {
    return this.link(from, to).isCut;
  }

  link(from: string, to: string): SimLink {
    return this.#linkNamed(`${from}>${to}`);
  }

  counters(from: string, to: string): LinkCounters {
    return this.link(from, to).counters;
  }

  /** The process is gone: its peers see their connections reset. */
  processDied(process: SimProcess): void {
    for (const [name, bound] of this.#listeners) if (bound.process === process) this.#listeners.delete(name);
    for (const connection of [...this.#connections]) {
      if (connection.process === process) connection.abandon();
    }
  }

  /** Resets every connection that carries one of these directed links, `from>to`. Returns how many there were. */
  reset(links: ReadonlySet<string>): number {
    let count = 0;
    for (const connection of [...this.#connections]) {
      if (!connection.dialled || !links.has(`${connection.process.node}>${connection.other?.process.node}`)) continue;
      connection.fail(new PortError('ECONNRESET', 'connection reset'));
      this.happened('connections reset');
      count++;
    }
    return count;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.#random.below(parts) < probability;
  }

  latencyUs(): number {
    return this.conditions.latencyUs + this.#random.below(this.conditions.jitterUs + 1);
  }

  /** Where a write is cut into two pieces: in [0, length). */
  pieceAt(length: number): number {
    return this.#random.below(length);
  }

  /** A hundredth, that many times. */
  percent(percent: number): boolean {
    return percent > 0 && this.#random.below(100) < percent;
  }

  /** Up to that many milliseconds. */
  jitterUs(ms: number): number {
    return ms === 0 ? 0 : this.#random.below(ms * 1000 + 1);
  }

  strayUs(): number {
    return this.#random.below(strayUsMax);
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  forget(connection: SimConnection): void {
    this.#connections.delete(connection);
  }

  #linkNamed(name: string): SimLink {
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new SimLink(name);
      this.#links.set(name, link);
    }
    return link;
  }

  /** Links that carried nothing yet can be cut, too. */
  #know(names: ReadonlySet<string>): void {
    for (const name of names) this.#linkNamed(name);
  }

  async #listen(process: SimProcess, address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    const bound = { host: process.node, port: address.port === 0 ? this.#ephemeralPort++ : address.port };
    const name = nameOf(bound);
    if (this.#listeners.has(name)) throw new PortError('EADDRINUSE', `${name} is taken`);
    this.#listeners.set(name, { process, accept });
    return {
      address: bound,
      close: async () => {
        this.#listeners.delete(name);
      },
    };
  }

  #connect(process: SimProcess, address: Address, handlers: ConnectionHandlers): Connection {
    const near = new SimConnection(this, process, address, true);
    near.handle(handlers);
    this.#connections.add(near);
    const target = address.host;
    const link = this.link(process.node, target);
    if (link.isCut) {
      link.counters.dropped++;
      near.failLater(dialTimeoutUs, new PortError('ETIMEDOUT', `no answer from ${nameOf(address)}`));
      return near;
    }
    // The dial is an event of the harness's: the target may be dead, and refuses then.
    const there = this.latencyUs();
    this.#scheduler.schedule(there, eventKind.connect, harnessProcess, () => this.#arrive(near, address));
    return near;
  }

  #arrive(near: SimConnection, address: Address): void {
    if (near.closed) return;
    const bound = this.#listeners.get(nameOf(address));
    if (bound === undefined || !bound.process.alive) {
      near.failLater(this.latencyUs(), new PortError('ECONNREFUSED', `${nameOf(address)} refused the connection`));
      return;
    }
    const far = new SimConnection(this, bound.process, { host: near.process.node, port: this.#ephemeralPort++ }, false);
    this.#connections.add(far);
    far.join(near);
    near.join(far);
    // The kernel accepts for a paused process; its `accept` happens when it goes on.
    this.#scheduler.schedule(0, eventKind.connect, bound.process, () => {
      if (!far.closed) bound.accept(far);
    });
    near.openLater(this.latencyUs());
  }
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

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
import { arrived, type Letter, type Wiretap } from './wiretap.ts';

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

/** What was seen on a directed link since its counters were last taken: the proof that a cut cuts. */
export interface LinkCounters {
  passed: number;
  /** Delayed, lost, repeated or overtaken by a disturbance of that link. */
  disturbed: number;
  dropped: number;
}

/** One way between two nodes: what is done to it now, and what was seen on it. */
class SimLink {
  readonly name: string;
  isCut = false;
  disturbance: Disturbance = undisturbed;
  readonly counters: LinkCounters = { passed: 0, disturbed: 0, dropped: 0 };

  constructor(name: string) {
    this.name = name;
  }

  forgetCounters(): void {
    this.counters.passed = 0;
    this.counters.disturbed = 0;
    this.counters.dropped = 0;
  }
}

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

/** One end of a simulated connection. */
export class SimConnection implements Connection {
  readonly remote: Address;
  readonly process: SimProcess;
  readonly dialled: boolean;
  readonly bufferedBytes = 0;
  closed = false;
  other: SimConnection | undefined;
  /** The way to the other end. */
  #link: SimLink | undefined;
  readonly #network: SimNetwork;
  #handlers: ConnectionHandlers | undefined;
  /** What was written before the other end was there. */
  #early: Uint8Array[] | undefined = [];
  #wrote = false;
  #paused = false;
  readonly #held: Uint8Array[] = [];
  /** Streams keep their order: nothing arrives before what was sent before it. */
  #lastArrivalUs = 0;

  constructor(network: SimNetwork, process: SimProcess, remote: Address, dialled: boolean) {
    this.#network = network;
    this.process = process;
    this.remote = remote;
    this.dialled = dialled;
  }

  handle(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  join(other: SimConnection): void {
    this.other = other;
    this.#link = this.#network.link(this.process.node, other.process.node);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const bytes of early) this.#send(bytes);
  }

  openLater(delayUs: number): void {
    this.#network.scheduler.schedule(delayUs, eventKind.connect, this.process, () => {
      if (!this.closed) this.#handlers?.opened?.();
    });
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.closed) return;
    const bytes = joinChunks(chunks);
    if (this.#early !== undefined) this.#early.push(bytes);
    else this.#send(bytes);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const bytes of this.#held.splice(0)) this.#arriveLater(0, bytes, undefined);
  }

  end(): void {
    this.#close(undefined, false);
  }

  destroy(): void {
    this.#close(undefined, true);
  }

  /** Both ends fail with the error. */
  fail(error: PortError): void {
    this.other?.failLater(0, error);
    this.failLater(0, error);
  }

  failLater(delayUs: number, error: PortError): void {
    this.#network.scheduler.schedule(delayUs, eventKind.close, this.process, () => this.closedBy(error));
  }

  /** Its process died: it hears nothing any more, the other end hears of a reset. */
  abandon(): void {
    if (this.closed) return;
    this.closed = true;
    this.#network.forget(this);
    this.other?.failLater(this.#network.latencyUs(), new PortError('ECONNRESET', 'the peer is gone'));
  }

  closedBy(error: PortError | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.#network.forget(this);
    this.#handlers?.closed(error);
  }

  #close(error: PortError | undefined, atOnce: boolean): void {
    if (this.closed) return;
    const { other } = this;
    if (other !== undefined) {
      const delayUs = atOnce ? this.#network.latencyUs() : this.#orderedDelay(this.#network.latencyUs());
      this.#network.scheduler.schedule(delayUs, eventKind.close, other.process, () => other.closedBy(error));
    }
    // Like every callback, `closed` comes in a later turn.
    this.#network.scheduler.schedule(0, eventKind.close, this.process, () => this.closedBy(error));
  }

  #send(bytes: Uint8Array): void {
    const { other } = this;
    const link = this.#link;
    if (other === undefined || link === undefined || other.closed) return;
    const network = this.#network;
    const { counters, disturbance } = link;
    const first = !this.#wrote;
    this.#wrote = true;
    const letters = network.wiretap?.sent(this.process.node, other.process.node, bytes, network.scheduler.nowUs);
    if (link.isCut) {
      counters.dropped++;
      // Without its handshake the stream says nothing: as a dial that nobody answers.
      if (first) this.fail(new PortError('ETIMEDOUT', 'no answer'));
      return;
    }
    const { conditions } = network;
    if (!first) {
      if (network.chance(conditions.reset)) {
        network.happened('connections reset');
        this.fail(new PortError('ECONNRESET', 'connection reset'));
        return;
      }
      if (network.chance(conditions.lose)) {
        network.happened('frames lost');
        counters.dropped++;
        return;
      }
    }
    const isDisturbed = !first && disturbance !== undisturbed;
    const { delayMs, jitterMs, lossPercent, duplicatePercent, reorderPercent } = disturbance;
    if (isDisturbed && network.percent(lossPercent)) {
      network.happened('frames lost');
      counters.disturbed++;
      return;
    }
    counters.passed++;
    const addedUs = delayMs * 1000 + network.jitterUs(jitterMs);
    if (addedUs > 0) counters.disturbed++;
    if (isDisturbed && network.percent(duplicatePercent)) {
      network.happened('frames repeated');
      counters.disturbed++;
      other.#arriveLater(addedUs + network.strayUs(), bytes, link, letters);
    }
    if (isDisturbed && network.percent(reorderPercent)) {
      network.happened('frames overtaken');
      counters.disturbed++;
      other.#arriveLater(addedUs + network.latencyUs() + network.strayUs(), bytes, link, letters);
      return;
    }
    if (!first && network.chance(conditions.duplicate)) {
      network.happened('frames repeated');
      other.#arriveLater(network.strayUs(), bytes, link, letters);
    }
    if (!first && network.chance(conditions.reorder)) {
      network.happened('frames overtaken');
      other.#arriveLater(network.latencyUs() + network.strayUs(), bytes, link, letters);
      return;
    }
    const delayUs = this.#orderedDelay(addedUs + network.latencyUs());
    if (bytes.length > 1 && network.chance(50)) {
      const cut = 1 + network.pieceAt(bytes.length - 1);
      other.#arriveLater(delayUs, bytes.subarray(0, cut), link);
      other.#arriveLater(delayUs, bytes.subarray(cut), link, letters);
      return;
    }
    other.#arriveLater(delayUs, bytes, link, letters);
  }

  #orderedDelay(delayUs: number): number {
    const now = this.#network.scheduler.nowUs;
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, now + delayUs);
    return this.#lastArrivalUs - now;
  }

  /**
   * @param link what the bytes come over; undefined: they are here already
   * @param letters what is whole when they come, where somebody listens
   */
  #arriveLater(delayUs: number, bytes: Uint8Array, link: SimLink | undefined, letters?: readonly Letter[]): void {
    const detail = bytes.length ^ ((bytes[bytes.length - 1] ?? 0) << 24) ^ ((bytes[bytes.length - 2] ?? 0) << 16);
    const arrive = () => {
      if (this.closed) return;
      // What was under way when the link was cut is lost, too.
      if (link?.isCut) {
        link.counters.dropped++;
        return;
      }
      if (letters !== undefined) arrived(letters, this.#network.scheduler.nowUs);
      if (this.#paused) this.#held.push(bytes);
      else this.#handlers?.data(bytes);
    };
    this.#network.scheduler.schedule(delayUs, eventKind.deliver, this.process, arrive, detail);
  }
}

function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

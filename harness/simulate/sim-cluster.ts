import type {
  ClockFault,
  Damage,
  DiskFault,
  Disturbance,
  Effect,
  Happening,
  Link,
  Moment,
  NodeId,
  World,
} from '../../nemesis/world.ts';
import { Client as StoreClient } from '../../system/client/client.ts';
import type { Exchange } from '../../system/client/exchange.ts';
import type { Inspection } from '../../system/node/index.ts';
import type { Random } from '../generator/random.ts';
import { Administration } from '../target/administration.ts';
import { loggedMoments, Moments } from '../target/moments.ts';
import { coreOf, isEverybodyVoter } from './core.ts';
import { Coverage } from './coverage.ts';
import { eventKind, harnessProcess, type Scheduler, type SimProcess } from './scheduler.ts';
import { Sights } from './sights.ts';
import { HardwareClock } from './sim-clock.ts';
import { type DiskConditions, SimDisk } from './sim-disk.ts';
import { SimDiskFaults } from './sim-disk-faults.ts';
import { SimExchange } from './sim-exchange.ts';
import { empty, type SimMachine } from './sim-machine.ts';
import { type NetworkConditions, SimNetwork } from './sim-network.ts';
import { SimProcesses, type Tuning, urlOf } from './sim-processes.ts';
import type { SystemModule } from './system-module.ts';

/** How long a cut link may take to show that it is cut. */
const proofUs = 250_000;
const disturbLooksMax = 8;

export interface SimClusterOptions {
  readonly nodes: number;
  readonly system: SystemModule;
  readonly scheduler: Scheduler;
  /** A stream of its own for each purpose, all of one seed. */
  readonly random: (purpose: string) => Random;
  readonly tuning: Tuning;
  /** See `World`. */
  readonly bendsWallClocksOnly?: boolean;
  /** Told when another majority, or none, is connected and sound (`coreOf`). */
  readonly onCore?: ((nodes: readonly NodeId[]) => void) | undefined;
  /** Takes each line of a node's log. */
  readonly log?: ((node: NodeId, line: string) => void) | undefined;
}

/** The simulated world: nodes are objects around the system's real code, behind simulated ports. */
export class SimCluster implements World {
  readonly nodes: readonly NodeId[];
  readonly machines: readonly SimMachine[];
  readonly network: SimNetwork;
  readonly coverage = new Coverage();
  readonly bendsWallClocksOnly: boolean;
  readonly moments: ReadonlySet<Moment> = new Set([...loggedMoments, 'old-append', 'committed']);
  readonly #options: SimClusterOptions;
  readonly #exchange: SimExchange;
  readonly #random: Random;
  readonly #diskFaults: SimDiskFaults;
  #ended = false;
  #core: readonly NodeId[] = [];
  /** Whose id of the store each is or was. */
  readonly #owners = new Map<number, NodeId>();
  readonly #moments: Moments;
  readonly #sights: Sights;
  readonly #administration: Administration;
  readonly #processes: SimProcesses;

  constructor(options: SimClusterOptions) {
    this.#options = options;
    this.bendsWallClocksOnly = options.bendsWallClocksOnly ?? false;
    this.#random = options.random('world');
    this.network = new SimNetwork(options.scheduler, options.random('network'), (what) => this.coverage.add(what));
    this.nodes = Array.from({ length: options.nodes }, (_, i) => String(i + 1));
    this.machines = this.nodes.map((node, i) => ({
      node,
      number: i + 1,
      disk: new SimDisk(options.random(`disk ${node}`)),
      clock: new HardwareClock(options.scheduler, 1000 + this.#random.below(1_000_000)),
      audit: [],
      life: [],
      logTail: [],
      damaged: new Set<string>(),
      undamaged: undefined,
      old: new Map(),
      isEmptied: false,
      process: undefined,
      running: undefined,
      incarnations: 0,
    }));
    for (const machine of this.machines) {
      machine.disk.onDeath = (process) => this.#processes.killed(machine, process);
    }
    this.#diskFaults = new SimDiskFaults(this, options.random('disk faults'), this.coverage);
    this.#exchange = new SimExchange(
      options.scheduler,
      (node) => {
        const { process, running } = this.machine(node);
        return process === undefined ? undefined : { process, handle: running?.handle.bind(running) };
      },
      () => this.network.latencyUs(),
    );
    for (const { number, node } of this.machines) this.#owners.set(number, node);
    this.#moments = new Moments(
      (ms, expired) => options.scheduler.schedule(ms * 1000, eventKind.harness, harnessProcess, expired),
      (id) => this.#owners.get(id),
    );
    const termsAt = (index: number) => this.machines.map(({ running }) => running?.inspect().termAt(index));
    this.#sights = new Sights({ count: options.nodes, termsAt }, this.#moments);
    this.#processes = new SimProcesses({
      ...options,
      network: this.network,
      coverage: this.coverage,
      owner: (id) => this.#owners.get(id),
      logged: (machine, event, facts) => this.#logged(machine, event, facts),
      serves: () => this.#lookAtCore(),
      ended: (process) => {
        this.#exchange.processDied(process);
        this.#lookAtCore();
      },
    });
    this.#administration = new Administration({
      client: (node) => new StoreClient(node, this.exchange),
      primaries: () => this.primaries(),
      idOf: (node) => String(this.machine(node).number),
      sleep: (ms) => this.sleep(ms),
    });
  }

  get exchange(): Exchange {
    return this.#exchange.exchange;
  }

  machine(node: NodeId): SimMachine {
    const machine = this.machines[Number(node) - 1];
    if (machine === undefined) throw new RangeError(`no node ${node}`);
    return machine;
  }

  /** The world is over: what still sleeps is told so. */
  end(): void {
    this.#ended = true;
  }

  /** How network and disks treat everyone, beside what nemeses do. */
  behave(network: NetworkConditions, disk: DiskConditions): void {
    this.network.conditions = network;
    for (const machine of this.machines) machine.disk.conditions = disk;
  }

  /** An event of the node's threw: as a process would, it ends. */
  failed(owner: SimProcess, error: unknown): void {
    this.#processes.crashed(this.machine(owner.node), owner, error);
  }

  /** A node after one of its events. @returns whether somebody was told of something */
  looked(machine: SimMachine, now: Inspection): boolean {
    this.coverage.look(machine, now);
    return this.#sights.look(machine, now);
  }

  async primaries(): Promise<readonly NodeId[]> {
    return this.machines
      .filter(({ running }) => running?.inspect().raft.softState.role === 'leader')
      .map(({ node }) => node);
  }

  async cut(links: readonly Link[]): Promise<Effect> {
    const cut = namesOf(links);
    this.network.cut(cut);
    this.#lookAtCore();
    if (links.length === 0) return { effect: 'proven', mechanism: 'simulated', proof: { cut: 0 } };
    await this.sleep(proofUs / 1000);
    if (!this.network.hasCut(cut)) return this.#moot({ reason: 'others were cut a moment later' });
    let dropped = 0;
    let passed = 0;
    for (const { from, to } of links) {
      const counters = this.network.counters(from, to);
      dropped += counters.dropped;
      passed += counters.passed;
    }
    // Pings every 100 ms: a cut link between two nodes that are up always has something to drop.
    const effect = passed > 0 ? 'ineffective' : dropped > 0 ? 'proven' : 'moot';
    return { effect, mechanism: 'simulated', proof: { dropped, passed } };
  }

  async disturb(links: readonly Link[], disturbance: Disturbance): Promise<Effect> {
    this.network.disturb(namesOf(links), disturbance);
    this.#lookAtCore();
    if (links.length === 0) return { effect: 'proven', mechanism: 'simulated', proof: { disturbed: 0 } };
    let disturbed = 0;
    // A rare loss may take a while to be seen on links that carry little.
    for (let look = 0; look < disturbLooksMax && disturbed === 0; look++) {
      await this.sleep(proofUs / 1000);
      for (const { from, to } of links) disturbed += this.network.counters(from, to).disturbed;
    }
    return { effect: disturbed > 0 ? 'proven' : 'moot', mechanism: 'simulated', proof: { disturbed } };
  }

  async reset(links: readonly Link[]): Promise<Effect> {
    const reset = this.network.reset(namesOf(links));
    return { effect: reset > 0 ? 'proven' : 'moot', mechanism: 'simulated', proof: { reset } };
  }

  async next(moment: Moment, withinMs: number): Promise<Happening | undefined> {
    const happening = await this.#moments.next(moment, withinMs);
    if (happening !== undefined) this.coverage.add('moments that a fault waited for');
    return happening;
  }

  async transferLeadership(to: NodeId): Promise<Effect> {
    const transferred = await this.#administration.transferLeadership(to);
    if (transferred.proof.leads === true) this.coverage.add('leaderships handed over');
    return transferred;
  }

  setVoters(voters: readonly NodeId[]): Promise<Effect> {
    return this.#administration.setVoters(voters);
  }

  async takeSnapshot(node: NodeId): Promise<Effect> {
    const taken = await this.#administration.takeSnapshot(node);
    if (taken.effect === 'proven') this.coverage.add('snapshots asked for');
    return taken;
  }

  async removeMember(node: NodeId): Promise<Effect> {
    const removed = await this.#administration.removeMember(node);
    await this.kill(node);
    return removed;
  }

  async addMember(node: NodeId): Promise<Effect> {
    if (!this.#administration.isGone(node)) return this.#moot({ reason: 'it is a member' });
    const removed = await this.removeMember(node);
    if (removed.effect !== 'proven') return removed;
    const id = Math.max(...this.#owners.keys()) + 1;
    this.#owners.set(id, node);
    return this.#administration.addMember({ id: String(id), url: urlOf(node) }, node, () => {
      const machine = this.machine(node);
      machine.number = id;
      empty(machine);
      machine.isEmptied = false;
      return this.start(node);
    });
  }

  async start(node: NodeId): Promise<Effect> {
    const machine = this.machine(node);
    if (machine.process?.alive) return this.#moot({ running: true });
    if (this.#administration.isGone(node)) return this.#moot({ reason: 'it is no member any more' });
    if (machine.isEmptied) return this.#moot({ reason: 'it has forgotten who it was' });
    const outcome = await this.#processes.start(machine);
    const { up, refused, ended } = outcome;
    if (refused !== undefined) this.coverage.add('starts refused for a damaged file');
    // Ended by another fault before it served: it may be, and shows nothing.
    const effect = up || refused !== undefined ? 'proven' : ended ? 'moot' : 'ineffective';
    return { effect, mechanism: 'simulated', proof: { incarnation: machine.incarnations, ...outcome } };
  }

  async kill(node: NodeId): Promise<Effect> {
    const machine = this.machine(node);
    const { process } = machine;
    if (process === undefined || !process.alive) return this.#moot({ running: false });
    this.#processes.killed(machine, process);
    return { effect: 'proven', mechanism: 'simulated', proof: { incarnation: machine.incarnations } };
  }

  async pause(node: NodeId): Promise<Effect> {
    const { process } = this.machine(node);
    if (process === undefined || !process.alive) return this.#moot({ running: false });
    process.paused = true;
    this.#lookAtCore();
    return { effect: 'proven', mechanism: 'simulated', proof: { paused: true } };
  }

  async resume(node: NodeId): Promise<Effect> {
    const { process } = this.machine(node);
    if (process === undefined || !process.alive || !process.paused) return this.#moot({ paused: false });
    const held = process.backlog.length;
    this.#options.scheduler.resume(process);
    this.#lookAtCore();
    return { effect: 'proven', mechanism: 'simulated', proof: { held } };
  }

  async setClock(node: NodeId, fault: ClockFault): Promise<Effect> {
    const { clock } = this.machine(node);
    const before = { wallMs: clock.wallMs(), rate: clock.monotonicRate };
    clock.bend(fault);
    this.#lookAtCore();
    const proof = {
      wallBeforeMs: before.wallMs,
      wallMs: clock.wallMs(),
      rateBefore: before.rate,
      rate: clock.monotonicRate,
    };
    return { effect: 'proven', mechanism: 'simulated', proof };
  }

  async setDisk(node: NodeId, fault: DiskFault | undefined): Promise<Effect> {
    const set = this.#diskFaults.set(this.machine(node), fault);
    this.#lookAtCore();
    return set;
  }

  async damage(node: NodeId, damage: Damage): Promise<Effect> {
    return this.#diskFaults.damage(this.machine(node), damage);
  }

  async wipe(node: NodeId): Promise<Effect> {
    return this.#diskFaults.wipe(this.machine(node));
  }

  async losePower(node: NodeId): Promise<Effect> {
    return this.#diskFaults.losePower(this.machine(node));
  }

  /**
   * A microsecond at least: who waits for a time that is less than that away would wait without end. Milliseconds are
   * off by what their fractions lose, which must not make a microsecond more.
   */
  sleep(ms: number): Promise<void> {
    const us = ms > 0 ? Math.max(1, Math.ceil(ms * 1000 - 1e-6)) : 0;
    return new Promise((resolve, reject) => {
      this.#options.scheduler.schedule(us, eventKind.harness, harnessProcess, () => {
        if (this.#ended) reject(new DOMException('the run is over', 'AbortError'));
        else resolve();
      });
    });
  }

  random(bound: number): number {
    return this.#random.below(bound);
  }

  #logged(machine: SimMachine, event: string, facts: Readonly<Record<string, unknown>>): void {
    this.coverage.logged(event, facts);
    this.#moments.logged(machine.number, event, facts);
    if (event === 'configuration-entered') this.#lookAtCore();
  }

  #lookAtCore(): void {
    const { network } = this;
    const core = coreOf({
      nodes: this.nodes,
      isLive: (node) => this.#isLive(this.machine(node)),
      isSound: (node) => this.#isSound(this.machine(node)),
      isCut: (from, to) => network.isCut(from, to),
      isDisturbed: (from, to) => network.isDisturbed(from, to),
    });
    if (core.join() === this.#core.join()) return;
    this.#core = core;
    this.#options.onCore?.(core);
  }

  #isLive({ process, running }: SimMachine): boolean {
    return running !== undefined && process?.paused === false;
  }

  /** Also: as far as it knows every node has a vote. */
  #isSound({ clock, disk, running }: SimMachine): boolean {
    const allVote = running !== undefined && isEverybodyVoter(running.inspect().configuration(), this.nodes.length);
    return clock.monotonicRate === 1 && disk.fault === undefined && allVote;
  }

  #moot(proof: Effect['proof']): Effect {
    return { effect: 'moot', mechanism: 'simulated', proof };
  }
}

/** As the simulated network names directed links. */
function namesOf(links: readonly Link[]): ReadonlySet<string> {
  return new Set(links.map(({ from, to }) => `${from}>${to}`));
}

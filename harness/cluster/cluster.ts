import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
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
  Starvation,
  World,
} from '../../nemesis/world.ts';
import { files } from '../../results/store/layout.ts';
import { createHttpExchange, Client as StoreClient } from '../../system/client/index.ts';
import { Administration } from '../target/administration.ts';
import { loggedMoments, Moments } from '../target/moments.ts';
import { freePort, isFree } from './client-ports.ts';
import { CutProver } from './cut-proof.ts';
import { DisturbanceProver } from './disturbance-proof.ts';
import { Ext4Disk } from './ext4-disk.ts';
import { LinkTable } from './links.ts';
import { LocalNode } from './local-node.ts';
import { chooseMechanisms, type Chosen as Mechanisms, mechanismsByKind, NoMechanism } from './mechanisms.ts';
import { Members } from './members.ts';
import { NodeDisk } from './node-disk.ts';
import { PeerProxy } from './peer-proxy.ts';
import { type Reaper, startReaper } from './reaper.ts';

export interface ClusterOptions {
  /** How many nodes; they are named `1` … */
  readonly nodes: number;
  /** The run folder: `nodes/<n>/{node.log,audit.ndjson,exits.ndjson,data/}` are written below it. */
  readonly folder: string;
  /** The compiled `system/main.js` to run: a mutant's is in a copy of `dist`. */
  readonly main: string;
  /** Client ports are this, this + 1, …; without it any free ones. */
  readonly portFirst?: number;
  /** Further flags for every node, as `main.js` takes them. */
  readonly flags?: readonly string[];
  /** The kinds of faults that will be asked for: what some of them need is set up with the nodes. */
  readonly faults?: readonly string[];
  /** Names of mechanisms that go before others (`mechanisms.ts`). */
  readonly wantedMechanisms?: readonly string[];
  /** See `World`. */
  readonly bendsWallClocksOnly?: boolean;
  /** A seeded integer in [0, bound). */
  readonly random: (bound: number) => number;
  /** Nanoseconds since the start of the run, below zero before it; for the records of exits. */
  readonly now: () => number;
  /** The caller's, when it has temporary folders on record there; else the cluster has one of its own. */
  readonly reaper?: Reaper;
  /** Ends a start-up that is under way: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What processes and proxies can do without privileges. */
type Powers = Required<
  Pick<
    World,
    | 'disturb'
    | 'reset'
    | 'losePower'
    | 'setDisk'
    | 'damage'
    | 'wipe'
    | 'starve'
    | 'next'
    | 'transferLeadership'
    | 'setVoters'
    | 'removeMember'
    | 'addMember'
    | 'takeSnapshot'
  >
>;

/** The real world: one operating-system process a node. */
export interface Cluster extends Omit<World, keyof Powers>, Powers {
  /** The fault mechanisms chosen on this machine, by fault kind, for `test.json`. */
  readonly mechanisms: { readonly [kind: string]: string };
  /** Where the node serves clients, for instance `http://127.0.0.1:20411`; the same in all of its lives. */
  address(node: NodeId): string;
  /**
   * Ends every node, proxy and helper and waits until they are gone. Calling it again waits for the same end.
   * Data folders are left to the caller, who keeps them on failure.
   */
  stop(): Promise<void>;
}

/** Something that a user can mend kept the cluster from starting: a taken port, a node that does not answer. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
}

/** What needs no choice. */
const mechanisms = { links: 'tcp-proxy', pause: 'sigstop', kill: 'sigkill', clock: 'preload-clock' } as const;
const portsMax = 65_535;

/**
 * Starts all nodes, each behind its proxy, and resolves when every one serves clients.
 * @throws {ClusterError} with one clear line; nothing is left running then
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  if (process.platform !== 'linux') {
    throw new ClusterError('real runs need Linux (/proc, SIGSTOP of single processes); use the simulated world here');
  }
  options.signal?.throwIfAborted();
  const clientPorts = await chooseClientPorts(options);
  const cluster = await LocalCluster.assemble(options, clientPorts);
  const aborted = new Promise<never>((_, reject) => {
    options.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true });
  });
  try {
    await Promise.race([cluster.startAll(), aborted]);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

async function chooseClientPorts({ nodes, portFirst }: ClusterOptions): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let at = 0; at < nodes; at++) {
    const port = portFirst === undefined ? await freePort(ports) : portFirst + at;
    if (portFirst !== undefined && (port > portsMax || !(await isFree(port)))) {
      throw new ClusterError(`port ${port} (node ${at + 1}) is not free; choose others with --port`);
    }
    ports.add(port);
  }
  return [...ports];
}

function peerUrl(proxies: readonly PeerProxy[], node: NodeId): string {
  const proxy = proxies.find((other) => other.node === node);
  if (proxy === undefined) throw new ClusterError(`there is no node ${JSON.stringify(node)}`);
  return `http://127.0.0.1:${proxy.port}`;
}

async function ext4Disks(nodes: readonly NodeId[], reaper: Reaper): Promise<ReadonlyMap<NodeId, Ext4Disk>> {
  const folder = reaper.temporaryFolder('ext4');
  return new Map(
    await Promise.all(nodes.map(async (node) => [node, await Ext4Disk.make(node, folder, reaper)] as const)),
  );
}

class LocalCluster implements Cluster {
  readonly nodes: readonly NodeId[];
  readonly mechanisms: Cluster['mechanisms'];
  readonly random: (bound: number) => number;
  readonly bendsWallClocksOnly: boolean;
  readonly #nodes: ReadonlyMap<NodeId, LocalNode>;
  readonly #proxies: readonly PeerProxy[];
  readonly #members: Members;
  readonly #moments: Moments;
  readonly #administration: Administration;
  readonly #cuts: CutProver;
  readonly #disturbances: DisturbanceProver;
  readonly #reaper: Reaper;
  readonly #ownsReaper: boolean;
  readonly #ended = new AbortController();
  readonly #http = createHttpExchange();
  #stopped: Promise<void> | undefined;

  private constructor(
    options: ClusterOptions,
    nodes: readonly LocalNode[],
    proxies: readonly PeerProxy[],
    links: LinkTable,
    members: Members,
    moments: Moments,
    reaper: Reaper,
    chosen: Mechanisms,
  ) {
    this.mechanisms = mechanismsByKind(options.faults ?? [], chosen);
    this.nodes = nodes.map((node) => node.id);
    this.random = options.random;
    this.bendsWallClocksOnly = options.bendsWallClocksOnly ?? false;
    this.#nodes = new Map(nodes.map((node) => [node.id, node]));
    this.#proxies = proxies;
    this.#members = members;
    this.#moments = moments;
    const isUp = (id: NodeId): boolean => this.#node(id).isConnectable;
    this.#cuts = new CutProver(links, isUp);
    this.#disturbances = new DisturbanceProver(links, isUp);
    this.#reaper = reaper;
    this.#ownsReaper = options.reaper === undefined;
    this.#administration = new Administration({
      client: (node) => new StoreClient(this.address(node), this.#http.exchange),
      primaries: () => this.primaries(),
      idOf: (node) => String(members.idOf(node)),
      sleep: (ms) => this.sleep(ms),
    });
  }

  /** Everything but the running nodes. */
  static async assemble(options: ClusterOptions, clientPorts: readonly number[]): Promise<LocalCluster> {
    const chosen = await chooseMechanisms(options.faults ?? [], options.wantedMechanisms ?? []).catch((error) => {
      throw error instanceof NoMechanism ? new ClusterError(error.message) : error;
    });
    const reaper = options.reaper ?? (await startReaper());
    const links = new LinkTable(options.random);
    const ids = clientPorts.map((_, at) => String(at + 1));
    const members = new Members(ids);
    const nodeOf = (id: string) => members.nodeOf(Number(id)) ?? id;
    const proxies = await Promise.all(ids.map((id) => PeerProxy.listen(id, links, nodeOf)));
    const urlOf = (node: NodeId) => peerUrl(proxies, node);
    const clusterId = randomUUID();
    const { faults = [] } = options;
    const modules = NodeDisk.modules(chosen).flatMap((module) => ['--import', module]);
    const journaled = modules.length > 0 && (chosen.power === 'preload-disk' || faults.includes('disk-error'));
    const ext4 = chosen.power === 'ext4' ? await ext4Disks(ids, reaper) : undefined;
    const moments = new Moments(
      (ms, expired) => {
        const timer = setTimeout(expired, ms);
        return { cancel: () => clearTimeout(timer) };
      },
      (id) => members.nodeOf(id),
    );
    const nodes: readonly LocalNode[] = proxies.map((proxy, at) => {
      const folder = join(options.folder, files.nodes, proxy.node);
      const ext4Disk = ext4?.get(proxy.node);
      const dataFolder = ext4Disk?.dataFolder ?? join(folder, 'data');
      return new LocalNode({
        id: proxy.node,
        folder,
        reaper,
        now: options.now,
        clientPort: clientPorts[at]!,
        arguments: () => [
          '--import',
          new URL('preload/clock.js', import.meta.url).href,
          ...modules,
          options.main,
          ...members.arguments(proxy.node, ids.length, urlOf),
          ...['--cluster-id', clusterId],
          ...['--host', '127.0.0.1', '--port', String(clientPorts[at]), '--listen-peer', '127.0.0.1:0'],
          ...['--data-dir', dataFolder, '--audit', join(folder, files.audit)],
          ...(options.flags ?? []),
        ],
        dataFolder,
        disk: { journaled, ext4: ext4Disk },
        mechanisms: chosen,
        random: options.random,
        onPeerPort: (port) => proxy.setTarget(port),
        onRecord: ({ event, facts }) => moments.logged(members.idOf(proxy.node), event, facts),
        siblings: () => nodes.filter((other) => other.id !== proxy.node),
      });
    });
    return new LocalCluster(options, nodes, proxies, links, members, moments, reaper, chosen);
  }

  /** @throws {ClusterError} the first node's reason */
  async startAll(): Promise<void> {
    const effects = await Promise.all(this.nodes.map((id) => this.start(id)));
    const failed = effects.find(({ effect }) => effect !== 'proven');
    if (failed !== undefined) throw new ClusterError(String(failed.proof.reason ?? 'a node did not start'));
  }

  address(id: NodeId): string {
    return this.#node(id).address;
  }

  async primaries(): Promise<readonly NodeId[]> {
    const asked = [...this.#nodes.values()].map(async (node) => ((await node.role()) === 'leader' ? [node.id] : []));
    return (await Promise.all(asked)).flat();
  }

  cut(links: readonly Link[]): Promise<Effect> {
    return this.#cuts.cut(this.#known(links), mechanisms.links);
  }

  readonly moments = loggedMoments;

  next(moment: Moment, withinMs: number): Promise<Happening | undefined> {
    return this.#moments.next(moment, withinMs);
  }

  transferLeadership(to: NodeId): Promise<Effect> {
    return this.#administration.transferLeadership(to);
  }

  setVoters(voters: readonly NodeId[]): Promise<Effect> {
    return this.#administration.setVoters(voters);
  }

  async removeMember(node: NodeId): Promise<Effect> {
    this.#node(node).leaving();
    const removed = await this.#administration.removeMember(node);
    await this.kill(node);
    return removed;
  }

  async addMember(node: NodeId): Promise<Effect> {
    const mechanism = mechanisms.kill;
    if (!this.#administration.isGone(node)) return { effect: 'moot', mechanism, proof: { reason: 'it is a member' } };
    const removed = await this.removeMember(node);
    if (removed.effect !== 'proven') return removed;
    const member = { id: String(this.#members.rename(node)), url: peerUrl(this.#proxies, node) };
    return this.#administration.addMember(member, node, () => {
      this.#node(node).renamed();
      return this.start(node);
    });
  }

  takeSnapshot(node: NodeId): Promise<Effect> {
    return this.#administration.takeSnapshot(node);
  }

  disturb(links: readonly Link[], disturbance: Disturbance): Promise<Effect> {
    return this.#disturbances.disturb(this.#known(links), disturbance, mechanisms.links);
  }

  async reset(links: readonly Link[]): Promise<Effect> {
    let connections = 0;
    for (const { from, to } of this.#known(links)) {
      connections += this.#proxies.find((proxy) => proxy.node === to)?.reset(from) ?? 0;
    }
    const isUp = links.some(({ from, to }) => this.#node(from).isConnectable && this.#node(to).isConnectable);
    const effect = connections > 0 ? 'proven' : isUp ? 'ineffective' : 'moot';
    return { effect, mechanism: mechanisms.links, proof: { connections } };
  }

  async start(id: NodeId): Promise<Effect> {
    const mechanism = mechanisms.kill;
    if (this.#administration.isGone(id)) {
      return { effect: 'moot', mechanism, proof: { reason: 'it is no member any more' } };
    }
    return this.#node(id).start(mechanism);
  }

  kill(id: NodeId): Promise<Effect> {
    return this.#node(id).kill(mechanisms.kill);
  }

  losePower(id: NodeId): Promise<Effect> {
    return this.#node(id).losePower();
  }

  setDisk(id: NodeId, fault: DiskFault | undefined): Promise<Effect> {
    return this.#node(id).setDisk(fault);
  }

  async damage(id: NodeId, damage: Damage): Promise<Effect> {
    return this.#node(id).damage(damage);
  }

  async wipe(id: NodeId): Promise<Effect> {
    return this.#node(id).wipe();
  }

  starve(id: NodeId, starvation: Starvation | undefined): Promise<Effect> {
    return this.#node(id).starve(starvation);
  }

  pause(id: NodeId): Promise<Effect> {
    return this.#node(id).pause(mechanisms.pause);
  }

  resume(id: NodeId): Promise<Effect> {
    return this.#node(id).resume(mechanisms.pause);
  }

  setClock(id: NodeId, fault: ClockFault): Promise<Effect> {
    return this.#node(id).setClock(fault, mechanisms.clock);
  }

  async sleep(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ended.signal });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#ended.abort();
    await Promise.all([...this.#nodes.values()].map((node) => node.stop()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await this.#http.close();
    if (this.#ownsReaper) await this.#reaper.close();
  }

  #known(links: readonly Link[]): readonly Link[] {
    for (const { from, to } of links) {
      this.#node(from);
      this.#node(to);
    }
    return links;
  }

  #node(id: NodeId): LocalNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new ClusterError(`there is no node ${JSON.stringify(id)} (nodes: ${this.nodes})`);
    return node;
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Effect, Link, NodeId } from '../../../nemesis/world.ts';
import { debianPath } from '../debian-path.ts';
import type { Reaper } from '../reaper.ts';
import { withinMs } from '../within.ts';
import {
  address,
  cutRules,
  heldBack,
  lossRules,
  namespace,
  nodesMax,
  PacketCounts,
  type Pair,
  rateCommand,
  setUpScript,
} from './rules.ts';

type Command = readonly [string, ...string[]];
type HolderReaper = Pick<Reaper, 'environment' | 'processStarted' | 'processGone'>;

/**
 * A network of real hosts on one machine: each node in a network namespace of its own, all joined by a bridge in one
 * more (the hub), which no other process sees. For stores that know nothing of proxies: a node binds and advertises
 * `address(node)`, and its process is started with `command(node, …)`.
 *
 * Needs `unshare`, `nsenter`, `ip` and `nft`, and root or unprivileged user namespaces. Everything of it is held by one
 * process: when that ends, however it ends, namespaces, interfaces and rules are gone.
 */
export interface Network {
  readonly mechanism: 'namespaces';
  /** The node's IPv4 address, as the other nodes know it. */
  address(node: NodeId): string;
  /** The command line that runs another one in the node's namespace, by exec: the pid that is spawned is the other's. */
  command(node: NodeId, command: Command): Command;
  /**
   * A port on 127.0.0.1 of the harness that leads to that port of the node; the same each time. A node that refuses
   * is seen as a connection that ends as soon as it was made.
   */
  forward(node: NodeId, port: number): Promise<number>;
  /**
   * Drops what goes over exactly these links; an empty list heals. Proven by packets of ours, sent over each link and
   * counted by the kernel as dropped or passed. What runs over TCP stops both ways when one way is cut, for want of
   * acknowledgements.
   */
  cut(links: readonly Link[]): Promise<Effect>;
  /** Loses that many of a hundred packets on exactly these links; an empty list ends it. */
  lose(links: readonly Link[], lossPercent: number): Promise<Effect>;
  /**
   * The interfaces of exactly these nodes carry no more than that, each way, their clients' traffic with it; no node:
   * that ends. Proven by how often the kernel made packets wait, of ours among others; ended, by there being no bucket.
   */
  slow(nodes: readonly NodeId[], bytesPerS: number): Promise<Effect>;
  /** Ends the forwarding and the namespaces; processes in them must be gone already. Twice is the same as once. */
  close(): Promise<void>;
}

const startTimeoutMs = 15_000;
const commandTimeoutMs = 10_000;
/** Far longer than a packet takes through an idle bridge. */
const probeTimeoutMs = 2000;
/** The same where each look takes some programs to be started. */
const slowProbeTimeoutMs = 5000;
/** The discard service: nobody need listen there. */
const probePort = 9;
/** Six packets of the largest kind, one for each write, by the shell itself: starting programs takes longer than a rate allows for. */
const bigProbe = "for i in 1 2 3 4 5 6; do printf '%01400d' 0 2>/dev/null || true; done";

/**
 * @param privileged false: in a user namespace of its own, as an ordinary user must
 * @throws with one line when this machine does not allow it; nothing is left then
 */
export async function createNetwork(
  nodes: readonly NodeId[],
  reaper: HolderReaper,
  privileged: boolean = process.getuid?.() === 0,
): Promise<Network> {
  if (nodes.length > nodesMax) throw new RangeError(`at most ${nodesMax} nodes fit into one network`);
  const holder = await Holder.start(reaper, privileged);
  try {
    await holder.inHub(['sh', '-ec', setUpScript(nodes)]);
  } catch (error) {
    await holder.end();
    throw error;
  }
  return new NamespaceNetwork(nodes, holder);
}

class NamespaceNetwork implements Network {
  readonly mechanism = 'namespaces';
  readonly #nodes: readonly NodeId[];
  readonly #holder: Holder;
  readonly #forwards = new Map<string, Promise<number>>();
  /** What is cut, and how many packets had passed when it was. */
  #cut: readonly { readonly link: Link; readonly passedBefore: number }[] = [];
  #lossy: readonly Link[] = [];
  #slow: readonly NodeId[] = [];

  constructor(nodes: readonly NodeId[], holder: Holder) {
    this.#nodes = nodes;
    this.#holder = holder;
  }

  address(node: NodeId): string {
    return address(this.#place(node));
  }

  command(node: NodeId, command: Command): Command {
    return this.#holder.nodeCommand(namespace(this.#place(node)), command);
  }

  forward(node: NodeId, port: number): Promise<number> {
    const key = `${node}:${port}`;
    const known = this.#forwards.get(key) ?? this.#holder.forward(this.address(node), port);
    this.#forwards.set(key, known);
    return known;
  }

  async cut(links: readonly Link[]): Promise<Effect> {
    const before = await this.#counts();
    const healed = this.#cut.map(({ link }) => link).filter((link) => !links.some((other) => isSame(link, other)));
    const leaks = (counts: PacketCounts): number =>
      this.#cut.reduce((sum, { link, passedBefore }) => sum + counts.passed(this.#pair(link)) - passedBefore, 0);
    const leakedUntilNow = leaks(before);
    await this.#nft(cutRules(links.map((link) => this.#pair(link))));
    if (links.length + healed.length === 0) return this.#effect('moot', { linksCut: 0 });
    const then = await this.#counts();
    this.#cut = links.map((link) => ({ link, passedBefore: then.passed(this.#pair(link)) }));
    const isShown = (counts: PacketCounts): boolean =>
      links.every((link) => counts.dropped(this.#pair(link)) > 0) &&
      healed.every((link) => counts.passed(this.#pair(link)) > then.passed(this.#pair(link)));
    const after = await this.#probeUntil([...links, ...healed], isShown);
    const packetsPassedOnCutLinks = leakedUntilNow + leaks(after);
    return this.#effect(isShown(after) && packetsPassedOnCutLinks === 0 ? 'proven' : 'ineffective', {
      linksCut: links.length,
      linksHealed: healed.length,
      packetsDropped: links.reduce((sum, link) => sum + after.dropped(this.#pair(link)), 0),
      packetsPassedOnCutLinks,
    });
  }

  async lose(links: readonly Link[], lossPercent: number): Promise<Effect> {
    const healed = this.#lossy;
    this.#lossy = links;
    await this.#nft(
      lossRules(
        links.map((link) => this.#pair(link)),
        lossPercent,
      ),
    );
    if (links.length + healed.length === 0) return this.#effect('moot', { links: 0 });
    const lost = (counts: PacketCounts): number => links.reduce((sum, link) => sum + counts.lost(this.#pair(link)), 0);
    const before = await this.#counts();
    const passes = (counts: PacketCounts): boolean =>
      healed.every((link) => counts.passed(this.#pair(link)) > before.passed(this.#pair(link)));
    const isShown = (counts: PacketCounts): boolean => (links.length > 0 ? lost(counts) > 0 : passes(counts));
    const after = await this.#probeUntil(links.length > 0 ? links : healed, isShown);
    const proof = { links: links.length, lossPercent, packetsLost: lost(after) };
    return this.#effect(isShown(after) ? 'proven' : 'ineffective', proof);
  }

  async slow(nodes: readonly NodeId[], bytesPerS: number): Promise<Effect> {
    const ended = this.#slow.filter((node) => !nodes.includes(node));
    this.#slow = nodes;
    for (const node of nodes) await this.#setRate(node, bytesPerS);
    for (const node of ended) await this.#setRate(node, 0);
    if (nodes.length + ended.length === 0) return this.#effect('moot', { nodes: '' });
    const startedAt = performance.now();
    for (;;) {
      // Both ways: each of its packets to all others, and theirs to it, in bursts that no bucket lets through at once.
      await this.#probe(this.#linksOf(nodes), bigProbe);
      const held = await Promise.all(nodes.map((node) => this.#heldBack(node)));
      const left = (await Promise.all(ended.map((node) => this.#heldBack(node)))).flat();
      // What comes in from nodes that are slow themselves has waited already.
      const isShown = held.every(([out = 0, into = 0]) => out > 0 && (into > 0 || nodes.length === this.#nodes.length));
      const isEnded = left.every((count) => count === undefined);
      if ((isShown && isEnded) || performance.now() - startedAt > slowProbeTimeoutMs) {
        const proof = { nodes: nodes.join(' '), bytesPerS, heldBack: held.flat().join(' '), ended: ended.join(' ') };
        return { effect: isShown && isEnded ? 'proven' : 'ineffective', mechanism: 'tc-tbf', proof };
      }
    }
  }

  close(): Promise<void> {
    return this.#holder.end();
  }

  #effect(effect: Effect['effect'], proof: Effect['proof']): Effect {
    return { effect, mechanism: this.mechanism, proof };
  }

  /** Sends a packet over each link, again and again until the counts show what they should, for a bounded time. */
  async #probeUntil(links: readonly Link[], isShown: (counts: PacketCounts) => boolean): Promise<PacketCounts> {
    const startedAt = performance.now();
    for (;;) {
      await this.#probe(links);
      const counts = await this.#counts();
      if (isShown(counts) || performance.now() - startedAt > probeTimeoutMs) return counts;
      await delay(10);
    }
  }

  #linksOf(nodes: readonly NodeId[]): readonly Link[] {
    return this.#nodes.flatMap((from) =>
      this.#nodes
        .filter((to) => to !== from && (nodes.includes(from) || nodes.includes(to)))
        .map((to) => ({ from, to })),
    );
  }

  /** What a node sends leaves it by its own interface, what it gets leaves the bridge by the one towards it. */
  async #setRate(node: NodeId, bytesPerS: number): Promise<void> {
    await run(this.command(node, ['sh', '-c', rateCommand('eth0', bytesPerS)]));
    await this.#holder.inHub(['sh', '-c', rateCommand(`v${this.#place(node)}`, bytesPerS)]);
  }

  /** Of both of its interfaces. */
  async #heldBack(node: NodeId): Promise<readonly (number | undefined)[]> {
    const show = (device: string): Command => ['tc', '-s', 'qdisc', 'show', 'dev', device];
    const texts = [
      await run(this.command(node, show('eth0'))),
      await this.#holder.inHub(show(`v${this.#place(node)}`)),
    ];
    return texts.map(heldBack);
  }

  /** @param what a shell's command that prints what is sent */
  async #probe(links: readonly Link[], what = 'echo'): Promise<void> {
    await Promise.all(
      [...new Set(links.map(({ from }) => from))].map((from) => {
        const send = ({ to }: Link): string => `${what} >/dev/udp/${this.address(to)}/${probePort}`;
        const script = links.filter((link) => link.from === from).map(send);
        return run(this.command(from, ['bash', '-c', script.join('; ')]));
      }),
    );
  }

  async #counts(): Promise<PacketCounts> {
    return new PacketCounts(await this.#holder.inHub(['nft', 'list', 'sets']));
  }

  async #nft(rules: string): Promise<void> {
    await this.#holder.inHub(['nft', '-f', '-'], rules);
  }

  #pair({ from, to }: Link): Pair {
    return { from: this.#place(from), to: this.#place(to) };
  }

  #place(node: NodeId): number {
    const at = this.#nodes.indexOf(node);
    if (at < 0) throw new RangeError(`there is no node ${JSON.stringify(node)} in this network`);
    return at + 1;
  }
}

/** The process that keeps the hub's namespaces and forwards connections into them (`network-main.ts`). */
class Holder {
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #exited: Promise<unknown>;
  /** For `nsenter`: an ordinary user enters the user namespace first. */
  readonly #options: readonly string[];

  private constructor(child: ChildProcess, pid: number, exited: Promise<unknown>, privileged: boolean) {
    this.#child = child;
    this.#pid = pid;
    this.#exited = exited;
    this.#options = privileged ? [] : [`--user=/proc/${pid}/ns/user`, '--preserve-credentials'];
  }

  static async start(reaper: HolderReaper, privileged: boolean): Promise<Holder> {
    const main = fileURLToPath(new URL('network-main.js', import.meta.url));
    // Node's own `spawn`, as execa hands over no sockets.
    const child = spawn('unshare', [privileged ? '-nm' : '-Urnm', process.execPath, main], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true,
      env: { PATH: process.env.PATH ?? debianPath, ...reaper.environment },
    });
    let complaint = '';
    child.stderr?.on('data', (chunk) => {
      complaint = `${complaint}${chunk}`.slice(-1000);
    });
    child.on('error', (error) => {
      complaint = error.message;
    });
    const exited = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
    });
    const { pid } = child;
    if (pid !== undefined) {
      reaper.processStarted(pid);
      void exited.then(() => reaper.processGone(pid));
    }
    const first = Promise.race([once(child, 'message'), exited]);
    const ready = await withinMs(startTimeoutMs, 'the network did not come up', first).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
    if (ready === undefined || pid === undefined) {
      throw new Error(`no network namespaces here: ${complaint.trim().split('\n').at(-1)}`);
    }
    return new Holder(child, pid, exited, privileged);
  }

  nodeCommand(name: string, command: Command): Command {
    return ['nsenter', ...this.#options, `--net=/proc/${this.#pid}/root/run/netns/${name}`, '--', ...command];
  }

  /** @throws with what it said, when it fails */
  inHub(command: Command, input?: string): Promise<string> {
    const own = `/proc/${this.#pid}/ns`;
    return run(['nsenter', ...this.#options, `--mount=${own}/mnt`, `--net=${own}/net`, '--', ...command], input);
  }

  /** @returns a port on 127.0.0.1 outside that leads to that address inside */
  async forward(host: string, port: number): Promise<number> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: outside } = server.address() as AddressInfo;
    const taken = once(this.#child, 'message');
    this.#child.send({ host, port }, server);
    await withinMs(startTimeoutMs, 'the network did not forward', taken);
    server.close(); // Here; the holder goes on with its own.
    return outside;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

async function run([file, ...words]: Command, input?: string): Promise<string> {
  const { stdout } = await execa(file, words, {
    timeout: commandTimeoutMs,
    env: { PATH: `${process.env.PATH}:${debianPath}` },
    ...(input !== undefined && { input }),
  });
  return stdout;
}
function isSame(a: Link, b: Link): boolean {
  return a.from === b.from && a.to === b.to;
}

import type { ApiResponse } from '../../api/request.ts';
import { PortError } from '../../ports.ts';
import { type NodeConfig, type RunningNode, startNode } from '../index.ts';
import { MemoryWorld } from './memory-world.ts';

interface AuditLine {
  readonly type: string;
  readonly index?: number;
  readonly term?: number;
  readonly op?: string;
  readonly effect?: string;
  readonly hash?: string;
}

/** A cluster in the memory world, spoken to below the socket. */
export class Cluster {
  readonly world: MemoryWorld;
  readonly nodes = new Map<number, RunningNode>();
  /** One node's audit over all of its starts. */
  readonly audits = new Map<number, AuditLine[]>();
  /** Nodes that stopped by themselves, and why. */
  readonly stopped: string[] = [];
  /** What the nodes told their operator: `1 warn peer-refused {…}`. */
  readonly logs: string[] = [];
  readonly #config: Partial<NodeConfig>;
  #urls: string[];

  constructor(size: number, seed: number, config: Partial<NodeConfig> = {}) {
    this.world = new MemoryWorld(seed);
    this.#config = config;
    this.#urls = Array.from({ length: size }, (_, at) => urlOf(at + 1));
  }

  static async start(size: number, seed: number, config: Partial<NodeConfig> = {}): Promise<Cluster> {
    const cluster = new Cluster(size, seed, config);
    const started = Promise.all(Array.from({ length: size }, (_, at) => cluster.startNode(at + 1)));
    await cluster.settled(started);
    await cluster.world.until('a leader', () => cluster.leader !== undefined);
    return cluster;
  }

  /** Lets time pass until the promise is settled. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const end = () => {
      over = true;
    };
    promise.then(end, end);
    await this.world.until('a promise', () => over, 60_000);
    return promise;
  }

  async startNode(id: number, join = false, only: Partial<NodeConfig> = {}): Promise<void> {
    const audit = this.audits.get(id) ?? [];
    this.audits.set(id, audit);
    const config: NodeConfig = {
      id,
      clusterId: 'test',
      cluster: this.#urls,
      join,
      listenPeer: { host: 'h', port: 1000 + id },
      tickMs: 10,
      electionTicks: 10,
      heartbeatTicks: 1,
      snapshotEntries: 1000,
      ...this.#config,
      ...only,
    };
    const node = await startNode(this.world.ports(String(id)), config, {
      audit: (lines) => {
        for (const line of lines.trimEnd().split('\n')) audit.push(JSON.parse(line) as AuditLine);
      },
      log: (level, event, facts) => this.logs.push(`${id} ${level} ${event} ${JSON.stringify(facts)}`),
      stopped: (reason) => {
        // A disk that was made to fail may stop its node; nothing else may.
        if (reason.type === 'fatal' && !(reason.error instanceof PortError)) throw reason.error;
        this.stopped.push(reason.type === 'fatal' ? `${id}: ${String(reason.error)}` : `${id}: ${reason.type}`);
        this.nodes.delete(id);
      },
    });
    this.nodes.set(id, node);
  }

  /** Starts a node that the others already know of. */
  async join(id: number): Promise<void> {
    this.#urls = Array.from({ length: id }, (_, at) => urlOf(at + 1));
    await this.settled(this.startNode(id, true));
  }

  crash(id: number): void {
    this.world.crash(String(id));
    this.nodes.delete(id);
  }

  /** Starts a crashed node again, and waits until it knows a leader when there is one. */
  async restart(id: number): Promise<void> {
    await this.settled(this.startNode(id));
    if (this.leader === undefined) return;
    await this.world.until('it hears of the leader', () => this.nodes.get(id)!.inspect().raft.softState.leader !== 0);
  }

  /** The node that leads in the highest term, if a majority of the running ones says so. */
  get leader(): number | undefined {
    const leaders = [...this.nodes.values()].map((node) => node.inspect().raft.softState.leader);
    const counts = [...new Set(leaders)].find(
      (id) => id !== 0 && leaders.filter((one) => one === id).length * 2 > leaders.length,
    );
    return counts !== undefined && this.nodes.get(counts)?.inspect().raft.softState.role === 'leader'
      ? counts
      : undefined;
  }

  get followers(): number[] {
    return [...this.nodes.keys()].filter((id) => id !== this.leader);
  }

  /** Asks without waiting. @returns the answer, once there is one */
  ask(
    id: number,
    method: string,
    target: string,
    body: string | Uint8Array = '',
    headers: Record<string, string> = {},
  ): () => ApiResponse | undefined {
    let response: ApiResponse | undefined;
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    this.nodes.get(id)!.handle({ method, target, headers, body: bytes }, (answer) => {
      response = answer;
    });
    return () => response;
  }

  async send(
    id: number,
    method: string,
    target: string,
    body: string | Uint8Array = '',
    headers: Record<string, string> = {},
  ) {
    const answer = this.ask(id, method, target, body, headers);
    await this.world.until(`an answer to ${method} ${target}`, () => answer() !== undefined, 70_000);
    const response = answer()!;
    const { status } = response;
    const text = new TextDecoder().decode(response.body);
    return { status, text, headers: response.headers, json: () => JSON.parse(text) as Record<string, unknown> };
  }

  /** All running nodes have applied the same and are in the same state. */
  async agree(): Promise<void> {
    let facts = '';
    await this.world.until(
      () => `agreement: ${facts}`,
      () => {
        const seen = [...this.nodes.values()].map((node) => node.inspect());
        facts = JSON.stringify(seen);
        return seen.every(({ applied, hash }) => applied === seen[0]!.applied && hash() === seen[0]!.hash());
      },
    );
  }
}

export function urlOf(id: number): string {
  return `http://h:${1000 + id}`;
}

import { type HttpServer, serveHttp } from '../api/http-server.ts';
import type { ApiRequest, ApiResponse } from '../api/request.ts';
import { createRouter } from '../api/router.ts';
import type { Address, Ports } from '../ports.ts';
import { type BasicStatus, type ConfState, MemoryStorage, NO_DATA, NONE } from '../raft/index.ts';
import { type OpenedStorage, openStorage } from '../storage/index.ts';
import { Audit, type AuditSink } from './audit.ts';
import type { NodeConfig } from './config.ts';
import type { LogSink } from './core.ts';
import { bootstrapEntries } from './member-change.ts';
import { Node } from './node.ts';
import { Replica } from './replica.ts';

export { addressOf, defaultTiming, type NodeConfig } from './config.ts';
export type { LogSink } from './core.ts';

export interface NodeSinks {
  /** Missing: no audit is kept. */
  readonly audit?: AuditSink;
  readonly log: LogSink;
  /** Called once when the node has stopped by itself: its disk failed, or it was removed from the cluster. */
  readonly stopped: (
    reason: { readonly type: 'fatal'; readonly error: unknown } | { readonly type: 'removed' },
  ) => void;
}

/** What may be looked at between any two steps without disturbing anything. */
export interface Inspection {
  readonly raft: BasicStatus;
  readonly applied: number;
  readonly snapshotIndex: number;
  /** Rounds of ReadIndex confirmed since its start. */
  readonly readRounds: number;
  /** Digest of the state at `applied`. */
  hash(): string;
  /** Who belongs to the cluster and votes, as far as this node has applied its log. */
  configuration(): ConfState;
  /** Term of a log entry; undefined when it is compacted or not there. */
  termAt(index: number): number | undefined;
}

export interface RunningNode {
  readonly id: number;
  readonly incarnation: string;
  readonly peerAddress: Address;
  /** Undefined when none was asked for. */
  readonly clientAddress: Address | undefined;
  /** The API below the socket: one answer for each request, in this turn or a later one. */
  handle(request: ApiRequest, respond: (response: ApiResponse) => void): void;
  inspect(): Inspection;
  /** Hands leadership over, answers what waits, closes everything. Bounded by two election time-outs and the disk. */
  stop(): Promise<void>;
}

/**
 * Starts a node: opens its log, restores its state, joins its peers. Resolves when all that it knew to be committed is
 * applied again: before that it answers nobody.
 * @throws CorruptStorageError, PortError (a taken port, an unusable disk)
 */
export async function startNode(ports: Ports, config: NodeConfig, sinks: NodeSinks): Promise<RunningNode> {
  const incarnation = ports.random.uint32();
  const incarnationText = incarnation.toString(16).padStart(8, '0');
  const replica = new Replica(config.historyEventsMax);
  const storage = await openStorage(
    ports.fileSystem,
    {
      clusterId: config.clusterId,
      nodeId: config.id,
      ...(config.segmentBytes === undefined ? {} : { segmentBytes: config.segmentBytes }),
    },
    ({ metadata, next }) => replica.restore(metadata.term, next),
  );
  for (const repair of storage.repairs) sinks.log('warn', 'storage-repaired', { ...repair });
  const opened = await bootstrapped(storage, config);
  const memory = logInMemory(opened);
  const audit = sinks.audit === undefined ? undefined : new Audit(sinks.audit);
  audit?.start(String(config.id), incarnationText, replica.appliedIndex);
  audit?.flush();

  let isOver = false;
  let http: HttpServer | undefined;
  const endByItself = (reason: Parameters<NodeSinks['stopped']>[0], close: () => void) => {
    if (isOver) return;
    isOver = true;
    close();
    sinks.stopped(reason);
  };
  const node = new Node({
    ports,
    config,
    incarnation,
    storage: opened,
    memory,
    replica,
    audit,
    log: sinks.log,
    fatal: (error) =>
      endByItself({ type: 'fatal', error }, () => {
        node.abandon();
        void http?.close();
      }),
    removed: () => {
      sinks.log('warn', 'removed', { id: config.id });
      // The answer to whoever asked for it goes out first.
      ports.clock.setTimer(1000, () =>
        endByItself({ type: 'removed' }, () => {
          void http?.close();
          void node.stop();
        }),
      );
    },
  });
  const peerAddress = await node.transport.listen();
  node.start();
  await replayed(node, opened.hardState.commit);
  const handle = createRouter({ node, clock: ports.clock, incarnation: incarnationText });
  if (config.listenClient !== undefined) {
    http = await serveHttp(ports, config.listenClient, handle, config.clientTls);
  }
  // A simulation inspects a node after each of its events.
  const hash = () => node.store.hash();
  const configuration = () => node.configuration;
  const termAt = (index: number) => node.termAt(index);
  return {
    id: config.id,
    incarnation: incarnationText,
    peerAddress,
    clientAddress: http?.address,
    handle,
    inspect: () => ({
      raft: node.basicStatus(),
      applied: node.appliedIndex,
      snapshotIndex: node.snapshotIndex,
      readRounds: node.readRounds,
      hash,
      configuration,
      termAt,
    }),
    async stop() {
      if (isOver) return;
      isOver = true;
      await handOver(ports, node);
      const closed = http?.close();
      await node.stop();
      await closed;
    },
  };
}

/** A new node that does not join begins with the entries that name the first members, all committed. */
async function bootstrapped(storage: OpenedStorage, config: NodeConfig): Promise<OpenedStorage> {
  const isNew = storage.hardState.term === 0 && storage.snapshot === undefined && storage.entries.length === 0;
  if (!isNew || config.join) return storage;
  const entries = bootstrapEntries(config.cluster);
  const hardState = { term: 1, vote: NONE, commit: entries.length };
  await new Promise<void>((resolve, reject) => {
    storage.log.append({ entries, hardState, snapshot: undefined }, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
  // Whoever begins knows no other leader's lease: `restarted` is about what the disk said.
  return { ...storage, entries, hardState };
}

function logInMemory({ snapshot, entries, hardState }: OpenedStorage): MemoryStorage {
  const memory = new MemoryStorage();
  if (snapshot !== undefined) memory.applySnapshot({ metadata: snapshot, data: NO_DATA });
  memory.append(entries);
  memory.setHardState(hardState);
  return memory;
}

function replayed(node: Node, commit: number): Promise<void> {
  return new Promise((resolve) => {
    if (node.appliedIndex >= commit) return resolve();
    const unsubscribe = node.onApplied(() => {
      if (node.appliedIndex < commit) return;
      unsubscribe();
      resolve();
    });
  });
}

/** A leader that stops asks the follower with the longest log to lead, and waits until it does. */
async function handOver(ports: Ports, node: Node): Promise<void> {
  const { config } = node;
  const status = node.status();
  if (status.softState.role !== 'leader') return;
  const best = status.progress
    .filter(({ id, learner, recentActive }) => id !== config.id && !learner && recentActive)
    .sort((a, b) => b.match - a.match)[0];
  if (best === undefined || node.transferLeader(best.id) !== undefined) return;
  const deadlineMs = ports.clock.monotonicMs() + 2 * config.electionTicks * config.tickMs;
  // Until another is heard of as leader: our vote for it may still be on its way, through the disk.
  const isOpen = () => [NONE, config.id].includes(node.basicStatus().softState.leader);
  while (isOpen() && ports.clock.monotonicMs() < deadlineMs) {
    await new Promise<void>((resolve) => {
      ports.clock.setTimer(10, resolve);
    });
  }
}

import type { Store } from '../kv/index.ts';
import { PortError, type Ports } from '../ports.ts';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type BasicStatus,
  type ConfState,
  type Message,
  MessageType,
  type RawNode,
  type Ready,
  type Status,
} from '../raft/index.ts';
import type { OpenedStorage } from '../storage/index.ts';
import { Transport } from '../transport/index.ts';
import type { Audit } from './audit.ts';
import type { NodeConfig } from './config.ts';
import { createCore, type LogSink } from './core.ts';
import { Deadlines } from './deadlines.ts';
import { LeaderWatch } from './leader-watch.ts';
import { Lease } from './lease.ts';
import type { MemberChange } from './member-change.ts';
import type { MemberState } from './membership.ts';
import type { NodeParts } from './node-parts.ts';
import { PeerLinks } from './peer-links.ts';
import { PeerSnapshots } from './peer-snapshots.ts';
import { Persistence } from './persistence.ts';
import { type ProposalOutcome, Proposals, type Refusal } from './proposals.ts';
import { type Applied, Proposer } from './proposer.ts';
import { type ReadOutcome, Reads } from './reads.ts';
import type { AppliedEntry, Replica } from './replica.ts';
import { Snapshotter } from './snapshotter.ts';
import { Ticks } from './ticks.ts';

/**
 * The loop of one node (docs/ARCHITECTURE.md, "The node's loop"). Whatever comes in is stepped into the core at once and
 * marks the node dirty; at the end of the turn one Ready takes all of it to peers, disk and state machine.
 */
export class Node {
  readonly config: NodeConfig;
  readonly transport: Transport;
  readonly #ports: Ports;
  readonly #log: LogSink;
  readonly #fatal: (error: unknown) => void;
  readonly #removed: () => void;
  readonly #audit: Audit | undefined;
  readonly #storage: OpenedStorage;
  readonly #links: PeerLinks;
  readonly #replica: Replica;
  readonly #raw: RawNode;
  readonly #deadlines: Deadlines;
  readonly #proposals: Proposals<Applied>;
  readonly #reads: Reads;
  readonly #persistence: Persistence;
  readonly #snapshotter: Snapshotter;
  readonly #lease: Lease;
  readonly #ticks: Ticks;
  readonly #leaderWatch: LeaderWatch;
  readonly #proposer: Proposer;
  readonly #peerSnapshots: PeerSnapshots;
  #isTurnDue = false;
  /** One for all turns. */
  readonly #endOfTurn = () => {
    this.#isTurnDue = false;
    if (!this.#stopped) this.#turn();
  };
  #stopped = false;
  readonly #appliedWatchers = new Set<() => void>();

  constructor(parts: NodeParts) {
    const { ports, config, storage, memory, replica } = parts;
    this.config = config;
    this.#ports = ports;
    this.#log = parts.log;
    this.#fatal = parts.fatal;
    this.#removed = parts.removed;
    this.#audit = parts.audit;
    this.#storage = storage;
    this.#replica = replica;
    const electionMs = config.electionTicks * config.tickMs;
    this.#lease = new Lease(ports.clock, electionMs, storage.hardState.term > 0);
    this.#raw = createCore(config, ports.random, memory, replica.appliedIndex, parts.log);
    this.#ticks = new Ticks(ports.clock, config, this.#raw, () => {
      storage.log.retry();
      this.#dirty();
    });
    this.#leaderWatch = new LeaderWatch(config.id, parts.audit, parts.log);
    this.#deadlines = new Deadlines(ports.clock);
    this.#proposals = new Proposals(config.id, parts.incarnation, this.#deadlines);
    this.#proposer = new Proposer(this.#raw, this.#proposals);
    this.#reads = new Reads(this.#deadlines, this.#lease.lengthMs);
    this.#snapshotter = new Snapshotter(replica, storage, memory, config.snapshotEntries, {
      begun: (index) => this.#log('info', 'snapshot-begun', { index }),
      failed: (error) => {
        const isFull = error instanceof PortError && error.code === 'ENOSPC';
        if (isFull) this.#log('warn', 'snapshot-failed', { message: error.message });
        else this.#fatal(error);
      },
    });
    const dirty = () => this.#dirty();
    const { audit, log } = parts;
    this.#peerSnapshots = new PeerSnapshots({ raw: this.#raw, storage, replica, audit, log, dirty });
    this.#persistence = new Persistence({
      storage,
      memory,
      install: (metadata) => this.#peerSnapshots.install(metadata),
      installed: ({ index }) => {
        this.#proposals.skipped(index, replica.forwarded.last(config.id, parts.incarnation));
        this.#followMembership();
        this.#reads.applied(index);
      },
      deliver: (message) => this.#deliver(message),
      dirty,
      fatal: this.#fatal,
    });
    const transportConfig = {
      cluster: config.clusterId,
      self: config.id,
      listen: config.listenPeer,
      electionMs,
      ...(config.peerTls === undefined ? {} : { tls: config.peerTls }),
    };
    this.transport = new Transport(ports, transportConfig, {
      message: (message) => this.#received(message),
      unreachable: (peer) => {
        this.#raw.reportUnreachable(peer);
        this.#dirty();
      },
      isRemoved: (id) => replica.membership.isRemoved(id),
      snapshotBegins: (message) => this.#peerSnapshots.begins(message),
      snapshotArrived: (message) => {
        this.#peerSnapshots.arrived(message);
        this.#received(message);
      },
      refused: (reason, facts) => this.#log('warn', 'peer-refused', { reason, ...facts }),
    });
    this.#links = new PeerLinks(ports.clock, config, replica.membership, this.transport);
  }

  /** Begins to tick, to talk to peers and to replay what is committed. */
  start(): void {
    this.#links.start();
    this.#followMembership();
    this.#ticks.start();
    this.#dirty();
  }

  get store(): Store {
    return this.#replica.store;
  }

  get appliedIndex(): number {
    return this.#replica.appliedIndex;
  }

  get snapshotIndex(): number {
    return this.#snapshotter.index;
  }

  get configuration(): ConfState {
    return this.#replica.membership.confState;
  }

  get members(): readonly MemberState[] {
    return this.#replica.membership.members;
  }

  isRemovedMember(id: number): boolean {
    return this.#replica.membership.isRemoved(id);
  }

  /** What the core knows now. */
  basicStatus(): BasicStatus {
    return this.#raw.basicStatus();
  }

  /** Term of a log entry; undefined when it is compacted or not there. */
  termAt(index: number): number | undefined {
    const term = this.#raw.raft.log.term(index);
    return typeof term === 'number' ? term : undefined;
  }

  status(): Status {
    return this.#raw.status();
  }

  get waiting(): { readonly proposals: number; readonly proposalBytes: number; readonly reads: number } {
    return { proposals: this.#proposals.count, proposalBytes: this.#proposals.bytes, reads: this.#reads.count };
  }

  /** Rounds of ReadIndex that a quorum confirmed. */
  get readRounds(): number {
    return this.#reads.rounds;
  }

  get logBatches(): number {
    return this.#persistence.batches;
  }

  get logBatchesPending(): number {
    return this.#persistence.pending;
  }

  get leaderChanges(): number {
    return this.#leaderWatch.changes;
  }

  /**
   * Proposes a command.
   * @param command with ENVELOPE_BYTES of room in front, the node's from here on
   * @param deadlineMs monotonic
   * @param done called once, in this turn or a later one
   */
  propose(command: Uint8Array, deadlineMs: number, done: (outcome: ProposalOutcome<Applied>) => void): void {
    const reason = this.#refusal();
    if (reason === undefined) this.#proposals.add(command, deadlineMs, done);
    else done({ type: 'refused', reason });
    this.#dirty();
  }

  /** Proposes a change of members, several at once through a joint configuration. */
  proposeMembers(
    changes: readonly MemberChange[],
    deadlineMs: number,
    done: (outcome: ProposalOutcome<Applied>) => void,
  ): void {
    const reason = this.#refusal();
    if (reason !== undefined) {
      done({ type: 'refused', reason });
      return;
    }
    this.#proposer.proposeMembers(changes, deadlineMs, done);
    this.#dirty();
  }

  /**
   * Waits until the local store may answer a read.
   * `linearizable`: it is at least as new as every write acknowledged before this call. `lease`: the same while clocks
   * keep their bound on drift. `serializable`: at once.
   */
  read(
    mode: 'linearizable' | 'lease' | 'serializable',
    deadlineMs: number,
    done: (outcome: ReadOutcome) => void,
  ): void {
    if (this.#stopped) done({ type: 'failed', reason: 'stopping' });
    else if (mode === 'serializable' || (mode === 'lease' && this.#mayReadByLease())) done({ type: 'ready' });
    else this.#reads.add(deadlineMs, done);
    this.#dirty();
  }

  /** Followers may have applied, and answered, what this node knows to be committed and has not applied itself yet. */
  #mayReadByLease(): boolean {
    const status = this.basicStatus();
    return this.#lease.holds(status) && this.appliedIndex >= status.hardState.commit;
  }

  /** @returns why not, when this node does not lead */
  transferLeader(to: number): 'not-leader' | 'not-a-voter' | undefined {
    const { softState, hardState } = this.#raw.basicStatus();
    if (softState.role !== 'leader') return 'not-leader';
    if (!this.#replica.membership.confState.voters.includes(to)) return 'not-a-voter';
    this.#lease.offered(hardState.term);
    this.#raw.transferLeader(to);
    this.#dirty();
    return undefined;
  }

  /**
   * Makes a snapshot now and lets go of the whole log behind it.
   * @returns its index; undefined when the disk is full
   */
  takeSnapshot(): Promise<number | undefined> {
    return this.#snapshotter.take();
  }

  /** Called at the end of each turn that applied something, until the returned function is called. */
  onApplied(callback: () => void): () => void {
    this.#appliedWatchers.add(callback);
    return () => this.#appliedWatchers.delete(callback);
  }

  /** Ends all waits and connections; what is with the disk is waited for. Leadership should have been handed over. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    const closed = this.#halt();
    this.#proposals.stop();
    this.#reads.stop();
    await closed;
    await this.#snapshotter.close();
    await this.#storage.log.close();
  }

  /** Stops at once, waiting for nothing: the disk has failed, nothing that follows would be true. */
  abandon(): void {
    void this.#halt();
  }

  #halt(): Promise<void> {
    this.#stopped = true;
    this.#peerSnapshots.stop();
    this.#persistence.stop();
    this.#ticks.stop();
    this.#deadlines.close();
    return this.transport.close();
  }

  #refusal(): Refusal | undefined {
    if (this.#stopped) return 'stopping';
    return this.#storage.log.state === 'no-space' ? 'disk-full' : undefined;
  }

  #received(message: Message): void {
    if (this.#stopped) return;
    const asksVote = message.type === MessageType.Vote || message.type === MessageType.PreVote;
    if (asksVote && message.context === 0 && this.#lease.mayBeOwed()) return;
    this.#raw.step(message);
    this.#leaderWatch.received(message, this.#raw.raft.term);
    this.#dirty();
  }

  #dirty(): void {
    if (this.#isTurnDue || this.#stopped) return;
    this.#isTurnDue = true;
    this.#ports.clock.endOfTurn(this.#endOfTurn);
  }

  #turn(): void {
    this.#proposer.proposeQueued();
    this.#advanceReads();
    if (this.#raw.hasReady()) this.#handle(this.#raw.ready());
    this.transport.flush();
    if (this.#raw.hasReady()) this.#dirty();
  }

  #advanceReads(): void {
    this.#reads.advance(this.#ports.clock.monotonicMs(), (context) => this.#raw.readIndex(context));
  }

  #handle(ready: Ready): void {
    if (ready.softState !== undefined || ready.hardState !== undefined) {
      const status = this.basicStatus();
      this.#leaderWatch.notice(status);
      if (status.softState.role === 'leader') this.#ticks.committed(status.hardState.commit);
    }
    let toApply: Message | undefined;
    for (const message of ready.messages) {
      if (message.to === APPEND_THREAD) this.#append(message);
      else if (message.to === APPLY_THREAD) toApply = message;
      else if (message.type === MessageType.Snap) this.#peerSnapshots.send(message, this.transport);
      else this.transport.send(message);
    }
    this.transport.flush();
    if (toApply !== undefined) this.#apply(toApply);
    for (const { context, index } of ready.readStates) {
      const startedMs = this.#reads.confirmed(context, index);
      if (startedMs !== undefined) this.#lease.renew(this.basicStatus(), startedMs);
    }
    if (ready.readStates.length > 0) this.#advanceReads();
    this.#reads.applied(this.#replica.appliedIndex);
  }

  #append(message: Message): void {
    // From here on a snapshot of our own that is being made is out of date, and must not be marked in the log.
    if (message.snapshot !== undefined) this.#snapshotter.installed(message.snapshot.metadata.index);
    this.#persistence.add(message);
  }

  #apply(message: Message): void {
    const applied: AppliedEntry[] = [];
    let membershipChanged = false;
    for (const entry of message.entries) {
      const one = this.#replica.apply(entry, (change) => this.#raw.applyConfChange(change));
      membershipChanged ||= one.membershipChanged;
      applied.push(one);
      if (this.#audit !== undefined) {
        this.#audit.apply(one.index, one.term, one.operationId, one.effect, this.#replica.store.hash());
      }
    }
    this.#audit?.flush();
    for (const { index, origin, outcome } of applied) {
      this.#proposals.applied(index, origin, outcome ?? 'membership-changed');
    }
    for (const response of message.responses) this.#deliver(response);
    if (membershipChanged) {
      const { votersOutgoing } = this.#replica.membership.confState;
      this.#log('info', 'configuration-entered', { index: this.appliedIndex, joint: votersOutgoing.length > 0 });
      this.#followMembership();
    }
    this.#snapshotter.applied();
    for (const callback of this.#appliedWatchers) callback();
  }

  #deliver(message: Message): void {
    if (message.to === this.config.id) this.#raw.step(message);
    else this.transport.send(message);
  }

  #followMembership(): void {
    this.#links.follow();
    if (this.#replica.membership.isRemoved(this.config.id)) this.#removed();
  }
}

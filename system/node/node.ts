import { invariant } from '../assert.ts';
import type { Outcome, Store } from '../kv/index.ts';
import { PortError, type Ports, type Timer } from '../ports.ts';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type BasicStatus,
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfState,
  type Entry,
  EntryType,
  encodeConfChange,
  type MemoryStorage,
  type Message,
  MessageType,
  NO_DATA,
  NONE,
  type ProposalDropped,
  RawNode,
  type Ready,
  type SnapshotMetadata,
  type Status,
} from '../raft/index.ts';
import type { OpenedStorage } from '../storage/index.ts';
import { type SnapshotSink, Transport } from '../transport/index.ts';
import type { Audit } from './audit.ts';
import { addressOf, type NodeConfig } from './config.ts';
import { Deadlines } from './deadlines.ts';
import { sealEnvelope } from './envelope.ts';
import { LogWriter, type Written } from './log-writer.ts';
import { encodeContext, type MemberState } from './membership.ts';
import { type ProposalOutcome, Proposals, type Refusal } from './proposals.ts';
import { type ReadOutcome, Reads } from './reads.ts';
import type { AppliedEntry, Replica } from './replica.ts';
import { Snapshotter } from './snapshotter.ts';

type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';
/** Where the node tells its operator what happens; facts are JSON. */
export type LogSink = (level: LogLevel, event: string, facts: Readonly<Record<string, unknown>>) => void;

/** What a proposal gave: the store's outcome, or that the membership has changed. */
export type Applied = Outcome | 'membership-changed';

export interface MemberChange {
  readonly kind: 'add' | 'add-learner' | 'promote' | 'remove';
  readonly id: number;
  /** For those that are added. */
  readonly url?: string;
}

export interface NodeParts {
  readonly ports: Ports;
  readonly config: NodeConfig;
  readonly incarnation: number;
  readonly storage: OpenedStorage;
  readonly memory: MemoryStorage;
  readonly replica: Replica;
  readonly audit: Audit | undefined;
  readonly log: LogSink;
  /** The node cannot go on: its disk failed. */
  readonly fatal: (error: unknown) => void;
  /** This node was removed from the cluster, and has applied it. */
  readonly removed: () => void;
}

/** A removed peer still gets what was on its way to it, so that it learns of its removal. */
const farewellMs = 1000;

/** A commit is told to followers with the next append, or after this. */
const commitNoticeMs = 5;

/** Bytes of entries in one append, unless the configuration says otherwise. */
const appendBytesMax = 1024 * 1024;
/** Bytes of committed entries applied in one turn: other inputs are heard in between. */
const applyBytesMax = 1024 * 1024;

/**
 * The loop of one node (docs/ARCHITECTURE.md, "The node's loop"). Whatever comes in is stepped into the core at once and
 * marks the node dirty; at the end of the turn one Ready takes all of it to peers, disk and state machine.
 */
export class Node {
  readonly config: NodeConfig;
  readonly incarnation: number;
  readonly transport: Transport;
  readonly #ports: Ports;
  readonly #log: LogSink;
  readonly #fatal: (error: unknown) => void;
  readonly #removed: () => void;
  readonly #audit: Audit | undefined;
  readonly #storage: OpenedStorage;
  readonly #memory: MemoryStorage;
  readonly #replica: Replica;
  readonly #raw: RawNode;
  readonly #deadlines: Deadlines;
  readonly #proposals: Proposals<Applied>;
  readonly #reads: Reads;
  readonly #writer: LogWriter;
  readonly #snapshotter: Snapshotter;
  readonly #startedMs: number;
  /** It had a log before: it may have promised its vote's lease to a leader. */
  readonly #restarted: boolean;
  readonly #leaseMs: number;
  #leaseUntilMs = 0;
  #leaseTerm = 0;
  /** In this term leadership was offered to another, who may take it at any time: no leases any more. */
  #transferTerm = 0;
  #leaderTermAudited = 0;
  /** The last term in which a leader's append came. */
  #appendTerm = 0;
  #lastLeader = NONE;
  #leaderChanges = 0;
  #isTurnDue = false;
  #isReceivingSnapshot = false;
  /** While a snapshot is being installed: batches that became durable after it. */
  #behindSnapshot: Written[] | undefined;
  #tick: Timer | undefined;
  #commitNotice: Timer | undefined;
  #lastTickMs: number;
  #stopped = false;
  readonly #appliedWatchers = new Set<() => void>();

  constructor(parts: NodeParts) {
    const { ports, config, storage, memory, replica } = parts;
    this.config = config;
    this.incarnation = parts.incarnation;
    this.#ports = ports;
    this.#log = parts.log;
    this.#fatal = parts.fatal;
    this.#removed = parts.removed;
    this.#audit = parts.audit;
    this.#storage = storage;
    this.#memory = memory;
    this.#replica = replica;
    this.#startedMs = ports.clock.monotonicMs();
    this.#lastTickMs = this.#startedMs;
    this.#restarted = storage.hardState.term > 0;
    // Half of what followers promise: good while no two clocks differ in rate by a factor of two.
    this.#leaseMs = (config.electionTicks * config.tickMs) / 2;
    this.#raw = new RawNode({
      id: config.id,
      electionTicks: config.electionTicks,
      heartbeatTicks: config.heartbeatTicks,
      storage: memory,
      random: (bound) => Math.floor((ports.random.uint32() / 2 ** 32) * bound),
      applied: replica.appliedIndex,
      asyncStorageWrites: true,
      maxSizePerMsgBytes: config.appendBytesMax ?? appendBytesMax,
      maxCommittedSizePerReadyBytes: applyBytesMax,
      maxUncommittedEntriesBytes: 64 * 1024 * 1024,
      maxInflightMsgs: 256,
      maxInflightBytes: 16 * 1024 * 1024,
      checkQuorum: true,
      preVote: true,
      stepDownOnRemoval: true,
      deferCommitNotices: true,
      confirmReadsByFew: true,
      logger: {
        debug: () => {},
        info: (line) => this.#log('info', 'raft', { message: line() }),
        warning: (line) => this.#log('warn', 'raft', { message: line() }),
        error: (line) => this.#log('error', 'raft', { message: line() }),
      },
    });
    this.#deadlines = new Deadlines(ports.clock);
    this.#proposals = new Proposals(config.id, parts.incarnation, this.#deadlines);
    this.#reads = new Reads(this.#deadlines, this.#leaseMs);
    const hardState = memory.initialState().hardState;
    this.#writer = new LogWriter(
      storage.log,
      hardState,
      (written) => this.#written(written),
      (error) => this.#fatal(error),
    );
    this.#snapshotter = new Snapshotter(replica, storage, memory, config.snapshotEntries, {
      begun: (index) => this.#log('info', 'snapshot-begun', { index }),
      failed: (error) => {
        if (error instanceof PortError && error.code === 'ENOSPC') {
          this.#log('warn', 'snapshot-failed', { message: error.message });
        } else {
          this.#fatal(error);
        }
      },
    });
    const transportConfig = {
      cluster: config.clusterId,
      self: config.id,
      listen: config.listenPeer,
      electionMs: config.electionTicks * config.tickMs,
      ...(config.peerTls === undefined ? {} : { tls: config.peerTls }),
    };
    this.transport = new Transport(ports, transportConfig, {
      message: (message) => this.#received(message),
      unreachable: (peer) => {
        this.#raw.reportUnreachable(peer);
        this.#dirty();
      },
      isRemoved: (id) => replica.membership.isRemoved(id),
      snapshotBegins: (message) => this.#snapshotBegins(message),
      snapshotArrived: (message) => {
        this.#isReceivingSnapshot = false;
        this.#log('info', 'snapshot-received', { from: message.from, index: message.snapshot?.metadata.index });
        this.#received(message);
      },
      refused: (reason, facts) => this.#log('warn', 'peer-refused', { reason, ...facts }),
    });
  }

  /** Begins to tick, to talk to peers and to replay what is committed. */
  start(): void {
    // Addresses from the flags serve until the replicated membership says otherwise.
    this.config.cluster.forEach((url, at) => {
      if (!this.#replica.membership.isRemoved(at + 1)) this.#setPeer(at + 1, url);
    });
    this.#followMembership();
    this.#armTick();
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
    return this.#writer.batches;
  }

  get logBatchesPending(): number {
    return this.#writer.pending;
  }

  get leaderChanges(): number {
    return this.#leaderChanges;
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
    const singles = changes.map(({ kind, id }): ConfChangeSingle => ({ type: changeTypes[kind], nodeId: id }));
    const urls = changes.flatMap(({ id, url }) => (url === undefined ? [] : [[id, url] as const]));
    const isLeader = this.#raw.basicStatus().softState.role === 'leader';
    const proposal = this.#proposals.addUnordered(deadlineMs, done);
    const { node, incarnation, sequence } = this.#proposals.origin(proposal, false);
    const context = encodeContext({ proposal: [node, incarnation, sequence], urls });
    const change: ConfChange = { version: 2, transition: ConfChangeTransition.Auto, changes: singles, context };
    const index = this.#raw.basicStatus().lastIndex + 1;
    const dropped = this.#raw.proposeConfChange(change);
    if (dropped !== undefined) this.#proposals.finish(proposal, { type: 'refused', reason: refusalOf(dropped) });
    else if (isLeader) this.#proposals.placed(proposal, index);
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
    else if (mode === 'serializable' || (mode === 'lease' && this.#holdsLease())) done({ type: 'ready' });
    else this.#reads.add(deadlineMs, done);
    this.#dirty();
  }

  /** @returns why not, when this node does not lead */
  transferLeader(to: number): 'not-leader' | 'not-a-voter' | undefined {
    const { softState, hardState } = this.#raw.basicStatus();
    if (softState.role !== 'leader') return 'not-leader';
    if (!this.#replica.membership.confState.voters.includes(to)) return 'not-a-voter';
    this.#transferTerm = hardState.term;
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
    this.#stopped = true;
    this.#tick?.cancel();
    this.#commitNotice?.cancel();
    this.#proposals.stop();
    this.#reads.stop();
    this.#deadlines.close();
    await this.transport.close();
    await this.#snapshotter.close();
    await this.#storage.log.close();
  }

  /** Stops at once, waiting for nothing: the disk has failed, nothing that follows would be true. */
  abandon(): void {
    this.#stopped = true;
    this.#tick?.cancel();
    this.#commitNotice?.cancel();
    this.#deadlines.close();
    void this.transport.close();
  }

  #refusal(): Refusal | undefined {
    if (this.#stopped) return 'stopping';
    return this.#storage.log.state === 'no-space' ? 'disk-full' : undefined;
  }

  #holdsLease(): boolean {
    const { softState, hardState, leadTransferee } = this.#raw.basicStatus();
    return (
      softState.role === 'leader' &&
      leadTransferee === NONE &&
      this.#leaseTerm === hardState.term &&
      this.#transferTerm !== hardState.term &&
      this.#ports.clock.monotonicMs() < this.#leaseUntilMs
    );
  }

  #received(message: Message): void {
    if (this.#stopped) return;
    const asksVote = message.type === MessageType.Vote || message.type === MessageType.PreVote;
    if (asksVote && message.context === 0 && this.#mayOweLease()) return;
    this.#raw.step(message);
    if (message.type === MessageType.App && message.term > this.#appendTerm) this.#firstAppend(message);
    this.#dirty();
  }

  #firstAppend({ from, term }: Message): void {
    if (this.#raw.basicStatus().hardState.term !== term) return;
    this.#appendTerm = term;
    this.#log('info', 'first-append', { leader: from, term });
  }

  /**
   * Before its restart this node may have acknowledged a leader who serves reads by that; the core has forgotten it.
   * So it grants no vote until a lease from before the restart has run out.
   */
  #mayOweLease(): boolean {
    return this.#restarted && this.#ports.clock.monotonicMs() - this.#startedMs < this.#leaseMs * 2;
  }

  #dirty(): void {
    if (this.#isTurnDue || this.#stopped) return;
    this.#isTurnDue = true;
    this.#ports.clock.endOfTurn(() => {
      this.#isTurnDue = false;
      if (!this.#stopped) this.#turn();
    });
  }

  #armTick(): void {
    const { clock } = this.#ports;
    const { tickMs, electionTicks } = this.config;
    const delayMs = Math.max(1, this.#lastTickMs + tickMs - clock.monotonicMs());
    this.#tick = clock.setTimer(delayMs, () => {
      const elapsed = Math.floor((clock.monotonicMs() - this.#lastTickMs) / tickMs);
      this.#lastTickMs += elapsed * tickMs;
      // After a pause: enough for every time-out to be noticed, not a tick for each that was missed.
      for (let ticks = Math.min(elapsed, electionTicks); ticks > 0; ticks--) this.#raw.tick();
      this.#storage.log.retry();
      this.#armTick();
      this.#dirty();
    });
  }

  /** Followers hear of this commit in any case, within a bound. */
  #armCommitNotice(index: number): void {
    this.#commitNotice = this.#ports.clock.setTimer(commitNoticeMs, () => {
      this.#commitNotice = undefined;
      const { softState, hardState } = this.#raw.basicStatus();
      if (softState.role !== 'leader') return;
      this.#raw.noticeCommit(index);
      if (hardState.commit > index) this.#armCommitNotice(hardState.commit);
      this.#dirty();
    });
  }

  #turn(): void {
    this.#proposeQueued();
    this.#advanceReads();
    if (this.#raw.hasReady()) this.#handle(this.#raw.ready());
    this.transport.flush();
    if (this.#raw.hasReady()) this.#dirty();
  }

  #proposeQueued(): void {
    if (!this.#proposals.hasQueued) return;
    const queued = this.#proposals.takeQueued();
    const { softState, lastIndex } = this.#raw.basicStatus();
    const isLeader = softState.role === 'leader';
    const data: Uint8Array[] = [];
    for (const proposal of queued) {
      const command = proposal.command ?? NO_DATA;
      sealEnvelope(command, this.#proposals.origin(proposal, !isLeader));
      data.push(command);
    }
    const dropped = data.length === 0 ? undefined : this.#raw.propose(data);
    for (let at = 0; at < queued.length; at++) {
      const proposal = queued[at]!;
      if (dropped !== undefined) this.#proposals.finish(proposal, { type: 'refused', reason: refusalOf(dropped) });
      else if (isLeader) this.#proposals.placed(proposal, lastIndex + 1 + at);
      else this.#proposals.sent(proposal);
    }
  }

  #advanceReads(): void {
    this.#reads.advance(this.#ports.clock.monotonicMs(), (context) => this.#raw.readIndex(context));
  }

  #handle(ready: Ready): void {
    this.#noticeLeader(ready);
    const { hardState } = ready;
    if (hardState !== undefined && this.#commitNotice === undefined && this.#lastLeader === this.config.id) {
      this.#armCommitNotice(hardState.commit);
    }
    let toApply: Message | undefined;
    for (const message of ready.messages) {
      if (message.to === APPEND_THREAD) this.#append(message);
      else if (message.to === APPLY_THREAD) toApply = message;
      else if (message.type === MessageType.Snap) this.#sendSnapshot(message);
      else this.transport.send(message);
    }
    this.transport.flush();
    if (toApply !== undefined) this.#apply(toApply);
    for (const { context, index } of ready.readStates) {
      const startedMs = this.#reads.confirmed(context, index);
      if (startedMs !== undefined) this.#renewLease(startedMs);
    }
    if (ready.readStates.length > 0) this.#advanceReads();
    this.#reads.applied(this.#replica.appliedIndex);
  }

  #append(message: Message): void {
    // From here on a snapshot of our own that is being made is out of date, and must not be marked in the log.
    if (message.snapshot !== undefined) this.#snapshotter.installed(message.snapshot.metadata.index);
    this.#writer.add(message);
  }

  /** A record of the leadership must be written before anybody can hear from the new leader. */
  #noticeLeader(ready: Ready): void {
    if (ready.softState === undefined && ready.hardState === undefined) return;
    const { softState, hardState } = this.#raw.basicStatus();
    if (softState.role === 'leader' && this.#leaderTermAudited !== hardState.term) {
      this.#leaderTermAudited = hardState.term;
      this.#audit?.leader(String(this.config.id), hardState.term);
      this.#audit?.flush();
    }
    if (softState.leader !== this.#lastLeader) {
      this.#lastLeader = softState.leader;
      if (softState.leader !== NONE) this.#leaderChanges++;
      this.#log('info', 'leader', { leader: softState.leader, term: hardState.term });
    }
  }

  #renewLease(startedMs: number): void {
    const { softState, hardState } = this.#raw.basicStatus();
    if (softState.role !== 'leader') return;
    this.#leaseTerm = hardState.term;
    this.#leaseUntilMs = startedMs + this.#leaseMs;
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

  /** A batch is durable. What was written after a snapshot waits until that has been installed. */
  #written(written: Written): void {
    if (this.#stopped) return;
    if (this.#behindSnapshot !== undefined) this.#behindSnapshot.push(written);
    else if (written.snapshot === undefined) this.#takeIn(written);
    else {
      this.#behindSnapshot = [];
      this.#install(written.snapshot, written).catch((error: unknown) => this.#fatal(error));
    }
    this.#dirty();
  }

  /** What is durable becomes what the core reads, before it hears that it is durable. */
  #takeIn({ entries, hardState, responses }: Written): void {
    if (entries.length > 0) this.#memory.append(entries);
    if (hardState !== undefined) this.#memory.setHardState(hardState);
    for (const response of responses) this.#deliver(response);
  }

  #deliver(message: Message): void {
    if (message.to === this.config.id) this.#raw.step(message);
    else this.transport.send(message);
  }

  #sendSnapshot(message: Message): void {
    const { snapshots } = this.#storage;
    const metadata = message.snapshot?.metadata;
    invariant(metadata !== undefined, 'a snapshot message has a snapshot');
    if (metadata === undefined) return;
    this.#log('info', 'snapshot-sending', { to: message.to, index: metadata.index });
    const release = snapshots.hold(metadata.index, metadata.term);
    const report = (sent: boolean) => {
      release();
      if (this.#stopped) return;
      this.#log(sent ? 'info' : 'warn', 'snapshot-sent', { to: message.to, index: metadata.index, sent });
      this.#raw.reportSnapshot(message.to, sent ? 'finished' : 'failed');
      this.#dirty();
    };
    snapshots.open(metadata).then(
      (reader) => {
        if (reader === undefined || this.#stopped) return report(false);
        this.transport.sendSnapshot(message, reader, report);
      },
      (error: unknown) => {
        this.#log('error', 'snapshot-unreadable', { message: String(error) });
        report(false);
      },
    );
  }

  /** One at a time: a second sender is refused, and tries again. */
  #snapshotBegins(message: Message): Promise<SnapshotSink> | undefined {
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined || this.#isReceivingSnapshot || this.#stopped) return undefined;
    if (metadata.index <= this.#replica.appliedIndex) return undefined;
    this.#isReceivingSnapshot = true;
    this.#audit?.receive(metadata.index, metadata.term);
    this.#audit?.flush();
    const over = () => {
      this.#isReceivingSnapshot = false;
    };
    return this.#storage.snapshots.create(metadata).then(
      (writer) => ({
        write: (chunk) => writer.write(chunk),
        finish: () => writer.finish(),
        abort: () => writer.abort().finally(over),
      }),
      (error: unknown) => {
        over();
        throw error;
      },
    );
  }

  /** The log begins anew after a peer's snapshot, durably: now the state machine does, too. */
  async #install(metadata: SnapshotMetadata, written: Written): Promise<void> {
    const reader = await this.#storage.snapshots.open(metadata);
    invariant(reader !== undefined, 'an installed snapshot has a file', () => ({ index: metadata.index }));
    if (reader === undefined) return;
    try {
      await this.#replica.restore(metadata.term, () => reader.next());
    } finally {
      await reader.close();
    }
    if (this.#stopped) return;
    this.#memory.applySnapshot({ metadata, data: NO_DATA });
    this.#audit?.snapshot(metadata.index, metadata.term, this.#replica.store.hash());
    this.#audit?.flush();
    this.#log('info', 'snapshot-installed', { index: metadata.index, term: metadata.term });
    this.#proposals.skipped(metadata.index, this.#replica.forwarded.last(this.config.id, this.incarnation));
    this.#followMembership();
    this.#takeIn(written);
    this.#reads.applied(this.#replica.appliedIndex);
    const behind = this.#behindSnapshot ?? [];
    this.#behindSnapshot = undefined;
    for (const later of behind) this.#written(later);
    this.#dirty();
  }

  /** Talks to whom the membership names, and says goodbye to who left. */
  #followMembership(): void {
    const { membership } = this.#replica;
    for (const { id, url } of membership.members) this.#setPeer(id, url);
    for (const id of this.transport.peers) {
      if (!membership.isRemoved(id)) continue;
      this.#ports.clock.setTimer(farewellMs, () => this.transport.removePeer(id));
    }
    if (membership.isRemoved(this.config.id)) this.#removed();
  }

  #setPeer(id: number, url: string): void {
    const address = addressOf(url);
    if (id !== this.config.id && address !== undefined) this.transport.setPeer(id, address);
  }
}

const changeTypes = {
  add: ConfChangeType.AddNode,
  'add-learner': ConfChangeType.AddLearnerNode,
  promote: ConfChangeType.AddNode,
  remove: ConfChangeType.RemoveNode,
} as const;

function refusalOf(dropped: ProposalDropped): Refusal {
  switch (dropped) {
    case 'no-leader':
    case 'campaigning':
    case 'forwarding-disabled':
      return 'no-leader';
    case 'too-much-uncommitted':
      return 'too-many-requests';
    default:
      return dropped;
  }
}

/** The entries with which a new cluster begins, the same on each of its first members: one for each of them. */
export function bootstrapEntries(cluster: readonly string[]): readonly Entry[] {
  return cluster.map((url, at) => {
    const id = at + 1;
    const context = encodeContext({ urls: [[id, url]] });
    const { type, data } = encodeConfChange({ version: 1, type: ConfChangeType.AddNode, nodeId: id, context });
    invariant(type === EntryType.ConfChange, 'a V1 change is encoded as one');
    return { term: 1, index: id, type, data };
  });
}

import { invariant } from '../../assert.ts';
import { type ConfChange, type ConfChangeSingle, ConfChangeTransition, ConfChangeType } from '../confchange/change.ts';
import { decodeConfChange } from '../confchange/codec.ts';
import { type Entry, EntryType, NO_DATA } from '../entry.ts';
import { MemoryStorage } from '../memory-storage.ts';
import { APPEND_THREAD, APPLY_THREAD, type Message, MessageType } from '../message.ts';
import { RawNode } from '../raw-node.ts';
import { type ConfState, EMPTY_CONF_STATE, EMPTY_HARD_STATE, type HardState, type Snapshot } from '../state.ts';
import { Safety } from './safety.ts';

/** What varies from walk to walk. */
export interface WalkOptions {
  readonly voters: number;
  readonly asyncStorageWrites: boolean;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly leases: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly deferCommitNotices: boolean;
  readonly confirmReadsByFew: boolean;
  readonly maxInflightMsgs: number;
  readonly maxSizePerMsgBytes: number;
  readonly maxCommittedSizePerReadyBytes: number;
  /** In percent: how often a step loses, repeats or reorders a message, or crashes a node. */
  readonly trouble: number;
}

const BOOTSTRAP: { readonly index: number; readonly term: number } = { index: 3, term: 1 };
const ELECTION_TICKS = 5;
const HEARTBEAT_TICKS = 1;
/** Nodes that may join beside the first voters. */
const SPARE_NODES = 2;
const IN_FLIGHT_MAX = 200;
/** Bounds of the end of a walk: a healed group must make progress within so many ticks. */
const CALM_TICKS_MAX = 400;
const SETTLE_ROUNDS_MAX = 20_000;

type Random = (bound: number) => number;

interface Durable {
  hardState: HardState;
  snapshot: Snapshot;
  /** Follow each other, from somewhere at or before the snapshot's end. */
  entries: Entry[];
}

interface Running {
  readonly raw: RawNode;
  readonly storage: MemoryStorage;
  /** Given out and not done; lost in a crash. */
  readonly appends: Message[];
  readonly applies: Message[];
  /** Durable already, answers not given yet. */
  readonly answers: Message[];
  confState: ConfState;
  applied: number;
  state: string;
  committedSeen: number;
}

interface WalkNode {
  readonly id: number;
  readonly durable: Durable;
  running: Running | undefined;
  /** What each read, told apart by the identity of its context, may not be older than. */
  reads: Map<Uint8Array, number>;
}

/**
 * A whole group that walks at random: messages lost, repeated and reordered, crashes at any point, membership
 * changes, transfers, compaction, reads. Raft's safety is asserted at each step, and at the end that a healed
 * group goes on.
 */
export class Walk {
  readonly #random: Random;
  readonly #options: WalkOptions;
  readonly #nodes: WalkNode[] = [];
  readonly #safety = new Safety(BOOTSTRAP.index);
  #inFlight: Message[] = [];
  /** Nodes on the two sides of a partition do not hear each other. */
  #side = new Set<number>();
  #proposals = 0;
  readonly counts = { committed: 0, elections: 0, reads: 0, crashes: 0, snapshots: 0, confChanges: 0 };

  constructor(random: Random, options: WalkOptions) {
    this.#random = random;
    this.#options = options;
    const voters = Array.from({ length: options.voters }, (_, i) => i + 1);
    for (let id = 1; id <= options.voters + SPARE_NODES; id++) {
      const confState = id <= options.voters ? { ...EMPTY_CONF_STATE, voters } : EMPTY_CONF_STATE;
      const metadata = id <= options.voters ? { ...BOOTSTRAP, confState } : { index: 0, term: 0, confState };
      const snapshot = { metadata, data: bytesOf('') };
      const node: WalkNode = {
        id,
        durable: { hardState: EMPTY_HARD_STATE, snapshot, entries: [] },
        running: undefined,
        reads: new Map(),
      };
      this.#nodes.push(node);
      this.#start(node);
    }
  }

  /** Takes so many random steps. */
  wander(steps: number): void {
    for (let i = 0; i < steps; i++) {
      const node = this.#nodes[this.#random(this.#nodes.length)]!;
      this.#step(node);
      if (node.running !== undefined) this.#check(node, node.running);
    }
  }

  // ---- one step

  #step(node: WalkNode): void {
    const roll = this.#random(1000);
    if (node.running === undefined) {
      if (roll < 100) this.#start(node);
      else this.#deliverOne();
      return;
    }
    const { running } = node;
    if (this.#random(100) < this.#options.trouble) {
      this.#trouble(node, running, roll);
    } else if (roll < 420) this.#deliverOne();
    else if (roll < 800) this.#work(node, running);
    else if (roll < 850) running.raw.tick();
    else if (roll < 890) this.#propose(running);
    else if (roll < 930) this.#read(node, running);
    else if (roll < 960) this.#compact(node, running);
    else if (roll < 980) this.#changeMembership(running);
    else if (roll < 988) running.raw.transferLeader(1 + this.#random(this.#nodes.length));
    else if (roll < 991) running.raw.campaign();
    else if (roll < 994) running.raw.forgetLeader();
    else running.raw.reportUnreachable(1 + this.#random(this.#nodes.length));
  }

  #trouble(node: WalkNode, running: Running, roll: number): void {
    if (roll < 30) this.#crash(node, running);
    else if (roll < 60) this.#part();
    else if (roll < 400) this.#lose(this.#random(Math.max(1, this.#inFlight.length)));
    else if (this.#inFlight.length > 0) {
      this.#inFlight.push(this.#inFlight[this.#random(this.#inFlight.length)]!);
    }
  }

  #propose({ raw }: Running): void {
    const data = Array.from({ length: 1 + this.#random(3) }, () => bytesOf(`p${this.#proposals++}`));
    raw.propose(data);
  }

  #read(node: WalkNode, { raw }: Running): void {
    // Few different bytes, so that they repeat: every read must still get an answer of its own.
    const context = bytesOf(`r${this.#random(3)}`);
    node.reads.set(context, this.#safety.highestCommitted);
    const option = this.#options.leases && this.#random(2) === 0 ? 'lease-based' : 'safe';
    if (!raw.readIndex(context, option)) node.reads.delete(context);
  }

  #changeMembership({ raw }: Running): void {
    const { config, softState } = raw.status();
    if (softState.role !== 'leader') return;
    const type = () =>
      [ConfChangeType.AddNode, ConfChangeType.AddNode, ConfChangeType.AddLearnerNode, ConfChangeType.RemoveNode][
        this.#random(4)
      ]!;
    const single = (): ConfChangeSingle => ({ type: type(), nodeId: 1 + this.#random(this.#nodes.length) });
    let change: ConfChange;
    if (config.votersOutgoing.length > 0) change = { version: 2, transition: 0, changes: [], context: NO_DATA };
    else if (this.#random(3) === 0) change = { version: 1, ...single(), context: NO_DATA };
    else {
      const transition = Object.values(ConfChangeTransition)[this.#random(3)]!;
      const changes = Array.from({ length: 1 + this.#random(3) }, single);
      change = { version: 2, transition, changes, context: NO_DATA };
    }
    if (change.version === 1 ? leavesNoVoter(config, [change]) : leavesNoVoter(config, change.changes)) return;
    raw.proposeConfChange(change);
  }

  // ---- the network

  #deliverOne(): void {
    if (this.#inFlight.length === 0) return;
    // Mostly in order, sometimes not.
    const inOrder = this.#random(100) >= this.#options.trouble;
    const at = inOrder ? 0 : this.#random(this.#inFlight.length);
    const [message] = this.#inFlight.splice(at, 1);
    this.#deliver(message!);
  }

  #deliver(message: Message): void {
    const { from, to, type } = message;
    const receiver = this.#nodes[to - 1]!;
    const reached = receiver.running !== undefined && this.#side.has(from) === this.#side.has(to);
    if (reached) {
      receiver.running!.raw.step(message);
      this.#check(receiver, receiver.running!);
    }
    if (type === MessageType.Snap)
      this.#nodes[from - 1]!.running?.raw.reportSnapshot(to, reached ? 'finished' : 'failed');
  }

  #lose(at: number): void {
    const [message] = this.#inFlight.splice(at, 1);
    if (message?.type === MessageType.Snap)
      this.#nodes[message.from - 1]!.running?.raw.reportSnapshot(message.to, 'failed');
  }

  #part(): void {
    this.#side = new Set(this.#nodes.filter(() => this.#random(2) === 0).map(({ id }) => id));
    if (this.#random(2) === 0) this.#side.clear();
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#inFlight.push(message);
      if (this.#inFlight.length > IN_FLIGHT_MAX) this.#lose(this.#random(this.#inFlight.length));
    }
  }

  // ---- a node's life

  #start(node: WalkNode): void {
    const { durable } = node;
    const { metadata } = durable.snapshot;
    const storage = new MemoryStorage();
    if (metadata.index > 0) storage.applySnapshot(durable.snapshot);
    storage.append(durable.entries);
    storage.setHardState(durable.hardState);
    const options = this.#options;
    const raw = new RawNode({
      id: node.id,
      storage,
      random: this.#random,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: HEARTBEAT_TICKS,
      applied: metadata.index,
      asyncStorageWrites: options.asyncStorageWrites,
      preVote: options.preVote,
      checkQuorum: options.checkQuorum,
      readOnlyOption: options.leases ? 'lease-based' : 'safe',
      stepDownOnRemoval: options.stepDownOnRemoval,
      deferCommitNotices: options.deferCommitNotices,
      confirmReadsByFew: options.confirmReadsByFew,
      maxInflightMsgs: options.maxInflightMsgs,
      maxSizePerMsgBytes: options.maxSizePerMsgBytes,
      maxCommittedSizePerReadyBytes: options.maxCommittedSizePerReadyBytes,
    });
    node.reads = new Map();
    node.running = {
      raw,
      storage,
      appends: [],
      applies: [],
      answers: [],
      confState: metadata.confState,
      applied: metadata.index,
      state: textOf(durable.snapshot.data),
      committedSeen: 0,
    };
  }

  #crash(node: WalkNode, running: Running): void {
    this.counts.crashes++;
    // What was being written may have got there in part.
    const torn = running.appends[0];
    if (torn !== undefined && this.#random(2) === 0) {
      const kept = this.#random(torn.entries.length + 1);
      this.#persist(node, running, undefined, torn.entries.slice(0, kept), torn.snapshot);
    }
    node.running = undefined;
  }

  #work(node: WalkNode, running: Running): void {
    const { raw, appends, applies, answers } = running;
    const choice = this.#random(4);
    if (choice === 0 && appends.length > 0) this.#append(node, running, appends.shift()!);
    else if (choice === 1 && applies.length > 0) {
      const apply = applies.shift()!;
      this.#apply(node, running, apply.entries);
      answers.push(...apply.responses);
    } else if (choice === 2 && answers.length > 0) this.#answer(node, running);
    else if (raw.hasReady()) this.#ready(node, running, true);
  }

  #append(node: WalkNode, running: Running, { term, vote, commit, entries, snapshot, responses }: Message): void {
    const hardState = term === 0 ? undefined : { term, vote, commit };
    this.#persist(node, running, hardState, entries, snapshot);
    running.answers.push(...responses);
  }

  #answer({ id }: WalkNode, { raw, answers }: Running): void {
    const answer = answers.shift()!;
    if (answer.to === id) raw.step(answer);
    else this.#send([answer]);
  }

  #ready(node: WalkNode, running: Running, mayCrash: boolean): void {
    const { raw } = running;
    const ready = raw.ready();
    for (const { context, index } of ready.readStates) {
      const atLeast = node.reads.get(context);
      invariant(atLeast !== undefined && index >= atLeast, 'a stale read', () => ({ id: node.id, index, atLeast }));
      node.reads.delete(context);
      this.counts.reads++;
    }
    if (this.#options.asyncStorageWrites) {
      for (const message of ready.messages) {
        if (message.to === APPEND_THREAD) running.appends.push(message);
        else if (message.to === APPLY_THREAD) running.applies.push(message);
        else this.#send([message]);
      }
      return;
    }
    const duties = [
      () => this.#persist(node, running, ready.hardState, ready.entries, ready.snapshot),
      () => this.#send(ready.messages),
      () => this.#apply(node, running, ready.committedEntries),
      () => raw.advance(),
    ];
    for (const duty of duties) {
      if (mayCrash && this.#random(4000) < this.#options.trouble) {
        this.#crash(node, running);
        return;
      }
      duty();
    }
  }

  /** In this order: a hard state may speak of a commit index among the entries. */
  #persist(
    { durable }: WalkNode,
    running: Running,
    hardState: HardState | undefined,
    entries: readonly Entry[],
    snapshot: Snapshot | undefined,
  ): void {
    if (snapshot !== undefined && snapshot.metadata.index > durable.snapshot.metadata.index) {
      durable.snapshot = snapshot;
      durable.entries = [];
      running.storage.applySnapshot(snapshot);
      running.confState = snapshot.metadata.confState;
      running.applied = snapshot.metadata.index;
      running.state = textOf(snapshot.data);
      this.counts.snapshots++;
    }
    const first = entries[0];
    if (first !== undefined) {
      const before = running.storage.term(first.index - 1);
      if (typeof before === 'number') this.#safety.writes(entries, before);
      const kept = durable.entries.findIndex(({ index }) => index === first.index);
      durable.entries = [...(kept === -1 ? durable.entries : durable.entries.slice(0, kept)), ...entries];
      running.storage.append(entries);
    }
    if (hardState !== undefined) {
      durable.hardState = hardState;
      running.storage.setHardState(hardState);
    }
  }

  #apply(node: WalkNode, running: Running, entries: readonly Entry[]): void {
    for (const entry of entries) {
      invariant(entry.index === running.applied + 1, 'applied out of order', () => ({
        entry,
        applied: running.applied,
      }));
      if (entry.type !== EntryType.Normal) {
        this.counts.confChanges++;
        running.confState = running.raw.applyConfChange(decodeConfChange(entry));
      }
      running.applied = entry.index;
      running.state = nextState(running.state, entry);
      this.#safety.applied(node.id, entry.index, running.state);
    }
  }

  #compact({ durable }: WalkNode, running: Running): void {
    const { storage, applied } = running;
    const upTo = applied - this.#random(4);
    if (running.appends.some((append) => append.snapshot !== undefined)) return;
    if (applied > durable.snapshot.metadata.index && applied <= storage.lastIndex()) {
      durable.snapshot = storage.createSnapshot(applied, running.confState, bytesOf(running.state));
      // What lies before the snapshot may stay on disk for a while: a restart must not mind.
      if (this.#random(2) === 0) durable.entries = durable.entries.filter(({ index }) => index > upTo);
    }
    if (upTo >= storage.firstIndex()) storage.compact(upTo);
  }

  #check(node: WalkNode, running: Running): void {
    const { raft } = running.raw;
    if (node.running !== running) return;
    if (raft.role === 'leader') this.#safety.leads(raft);
    const { committed } = raft.log;
    if (committed > running.committedSeen) {
      this.#safety.commits(raft, running.committedSeen + 1);
      running.committedSeen = committed;
    }
    invariant(committed >= running.committedSeen, 'a commit index went back', () => raft.log.facts());
  }

  // ---- the end of a walk

  /** Heals everything. A leader must come, commit something new, and all members must get to the same state. */
  calmDown(): void {
    this.#side.clear();
    for (const node of this.#nodes) if (node.running === undefined) this.#start(node);
    const goal = { proposed: '', index: Number.POSITIVE_INFINITY };
    for (let tick = 0; tick < CALM_TICKS_MAX; tick++) {
      for (const { running } of this.#nodes) running!.raw.tick();
      this.#settle();
      const leader = this.#leader();
      if (leader === undefined) continue;
      const { raw } = leader.running!;
      const { config } = raw.raft.tracker;
      if (!raw.raft.tracker.isVoter(leader.id)) {
        // Without stepDownOnRemoval a leader that was removed or demoted goes on until it is told to hand over.
        raw.transferLeader(config.voters[this.#random(config.voters.length)]!);
        continue;
      }
      for (const member of raw.raft.tracker.members) {
        // The transport knows that no snapshot is under way any more.
        if (member.state === 'snapshot') raw.reportSnapshot(member.id, 'failed');
      }
      if (config.votersOutgoing.length > 0) {
        raw.proposeConfChange({ version: 2, transition: 0, changes: [], context: NO_DATA });
        continue;
      }
      const members = [...config.voters, ...config.learners].map((id) => this.#nodes[id - 1]!.running!);
      if (members.every(({ applied }) => applied >= goal.index)) {
        invariant(new Set(members.map(({ applied, state }) => `${applied} ${state}`)).size === 1, 'members differ');
        this.counts.committed = this.#safety.highestCommitted;
        return;
      }
      // Again in every leadership: a former leader's proposal may be gone.
      const proposed = `${leader.id}/${raw.raft.term}`;
      if (goal.proposed !== proposed && raw.propose([bytesOf(`end ${proposed}`)]) === undefined) {
        goal.proposed = proposed;
        goal.index = raw.raft.log.lastIndex();
      }
    }
    invariant(false, 'a healed group makes no progress', () => ({
      nodes: this.#nodes.map(({ running }) => running!.raw.status()),
    }));
  }

  #leader(): WalkNode | undefined {
    const leaders = this.#nodes.filter(({ running }) => running!.raw.raft.role === 'leader');
    return leaders.sort((a, b) => b.running!.raw.raft.term - a.running!.raw.raft.term)[0];
  }

  #settle(): void {
    // Nodes that are no members know nothing of it and would disturb for ever: here they are switched off.
    const leader = this.#leader();
    const silent = (id: number) =>
      leader !== undefined && leader.id !== id && leader.running!.raw.raft.tracker.member(id) === undefined;
    for (let round = 0; round < SETTLE_ROUNDS_MAX; round++) {
      let busy = false;
      for (const node of this.#nodes) {
        const { running } = node;
        if (running!.raw.hasReady()) {
          this.#ready(node, running!, false);
          busy = true;
        }
        while (running!.appends.length > 0) this.#append(node, running!, running!.appends.shift()!);
        while (running!.applies.length > 0) {
          const apply = running!.applies.shift()!;
          this.#apply(node, running!, apply.entries);
          running!.answers.push(...apply.responses);
        }
        while (running!.answers.length > 0) this.#answer(node, running!);
        this.#check(node, running!);
      }
      const messages = this.#inFlight;
      this.#inFlight = [];
      for (const message of messages) if (!silent(message.from)) this.#deliver(message);
      if (!busy && messages.length === 0) return;
    }
    invariant(false, 'messages never end', () => ({ inFlight: this.#inFlight.slice(0, 5) }));
  }
}

function leavesNoVoter(config: ConfState, changes: readonly ConfChangeSingle[]): boolean {
  const voters = new Set(config.voters);
  for (const { type, nodeId } of changes) {
    if (type === ConfChangeType.AddNode) voters.add(nodeId);
    else voters.delete(nodeId);
  }
  return voters.size === 0;
}

function nextState(state: string, { term, index, data }: Entry): string {
  // FNV-1a over what was before and what comes now.
  let hash = 0x811c9dc5;
  const text = `${state}|${term}|${index}|${textOf(data)}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16);
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function textOf(data: Uint8Array): string {
  return String.fromCharCode(...data);
}

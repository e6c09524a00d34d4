import { type ConfChange, ConfChangeTransition } from '../confchange/change.ts';
import { decodeConfChange } from '../confchange/codec.ts';
import type { Config } from '../config.ts';
import { type Entry, EntryType, NO_DATA } from '../entry.ts';
import type { Logger } from '../logger.ts';
import { MemoryStorage } from '../memory-storage.ts';
import { APPEND_THREAD, APPLY_THREAD, type Message, MessageType, newMessage } from '../message.ts';
import { RawNode } from '../raw-node.ts';
import type { StepRefused } from '../refusal.ts';
import { type ConfState, EMPTY_CONF_STATE, type HardState, type Snapshot } from '../state.ts';
import { parseChanges } from './changes.ts';
import type { Arg, Directive } from './datadriven.ts';
import {
  describeEntries,
  describeMessage,
  describeProgress,
  describeReady,
  describeRole,
  messageTypeNamed,
} from './describe.ts';

const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'] as const;
const NONE_LEVEL = LEVELS.indexOf('NONE');
const ELECTION_TICKS = 3;
const HEARTBEAT_TICKS = 1;
/** All bootstrapped nodes start with a snapshot of this term. */
const BOOTSTRAP_TERM = 1;
/** Bound of the rounds of `stabilize`: a core that never comes to rest is broken. */
const STABILIZE_ROUNDS_MAX = 100_000;

/** A directive that cannot be carried out; its text is the output. */
class ScriptError extends Error {}

/** Gives out the node's newest state as its snapshot, not only those that were made on purpose. */
class ScriptStorage extends MemoryStorage {
  readonly #history: readonly Snapshot[];

  constructor(history: readonly Snapshot[]) {
    super();
    this.#history = history;
  }

  override snapshot(): Snapshot {
    return this.#history.at(-1)!;
  }
}

type Command = (args: readonly Arg[], input: readonly string[]) => void;

interface ScriptNode {
  readonly id: number;
  readonly raw: RawNode;
  readonly storage: ScriptStorage;
  readonly async: boolean;
  /** The state after each applied entry. The state machine appends what it is given. */
  readonly history: Snapshot[];
  appendWork: Message[];
  applyWork: Message[];
}

/** A group of nodes with all their messages in the hands of the script (after etcd-io/raft's rafttest). */
export class InteractionScript {
  readonly #nodes: ScriptNode[] = [];
  #messages: Message[] = [];
  #output = '';
  #indent = '';
  #level = 0;

  readonly #commands: ReadonlyMap<string, Command> = new Map<string, Command>([
    ['add-nodes', (args) => this.#addNodes(args)],
    ['campaign', (args) => this.#first(args).raw.campaign()],
    ['compact', (args) => this.#compact(args)],
    ['deliver-msgs', (args) => this.#deliverMsgs(args)],
    ['forget-leader', (args) => this.#first(args).raw.forgetLeader()],
    ['log-level', (args) => this.#setLevel(args[0]?.key)],
    ['process-append-thread', (args) => this.#each(args, 'processing append thread', this.#processAppendThread)],
    ['process-apply-thread', (args) => this.#each(args, 'processing apply thread', this.#processApplyThread)],
    ['process-ready', (args) => this.#each(args, 'handling Ready', this.#processReady)],
    ['propose', (args) => this.#refuse(this.#first(args).raw.propose([bytesOf(args[1]?.key ?? '')]))],
    ['propose-conf-change', (args, input) => this.#proposeConfChange(args, input)],
    ['raft-log', (args) => this.#raftLog(this.#first(args))],
    ['raft-state', () => this.#raftState()],
    ['report-unreachable', (args) => this.#reportUnreachable(args)],
    ['send-snapshot', (args) => this.#sendSnapshot(args)],
    ['set-randomized-election-timeout', (args) => this.#setElectionTimeout(args)],
    ['stabilize', (args) => this.#stabilize(args)],
    ['status', (args) => this.#print(this.#first(args).raw.status().progress.map(describeProgress).join(''))],
    ['tick-election', (args) => this.#tick(this.#first(args), ELECTION_TICKS)],
    ['tick-heartbeat', (args) => this.#tick(this.#first(args), HEARTBEAT_TICKS)],
    ['transfer-leadership', (args) => this.#transferLeadership(args)],
  ]);

  run({ command, args, input }: Directive): string {
    this.#output = '';
    let error = '';
    try {
      const carryOut = this.#commands.get(command);
      if (carryOut === undefined) throw new ScriptError('unknown command');
      carryOut(args, input);
    } catch (thrown) {
      if (!(thrown instanceof ScriptError)) throw thrown;
      error = thrown.message;
    }
    this.#indent = '';
    return this.#output + error || 'ok';
  }

  // ---- output

  #print(text: string): void {
    if (this.#level === NONE_LEVEL) return;
    for (const line of text.split('\n')) if (line !== '') this.#output += `${this.#indent}${line}\n`;
  }

  #indented(title: string, body: () => void): void {
    this.#print(`> ${title}`);
    const { length } = this.#indent;
    this.#indent += '  ';
    body();
    this.#indent = this.#indent.slice(0, length);
  }

  #setLevel(name: string | undefined): void {
    const level = (LEVELS as readonly (string | undefined)[]).indexOf(name?.toUpperCase());
    if (level === -1) throw new ScriptError(`log levels must be either of [${LEVELS.join(' ')}]`);
    this.#level = level;
  }

  #logger(): Logger {
    const at = (level: (typeof LEVELS)[number]) => (line: () => string) => {
      if (LEVELS.indexOf(level) >= this.#level) this.#print(`${level} ${line()}`);
    };
    return { debug: at('DEBUG'), info: at('INFO'), warning: at('WARN'), error: at('ERROR') };
  }

  /** Refusals are part of the transcript. */
  #refuse(refused: StepRefused | undefined): void {
    if (refused !== undefined) throw new ScriptError(describeRefusal(refused));
  }

  // ---- nodes

  #node(id: number): ScriptNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new ScriptError(`there is no node ${id}`);
    return node;
  }

  #first(args: readonly Arg[]): ScriptNode {
    return this.#node(Number(args[0]?.key));
  }

  #listed(args: readonly Arg[]): readonly ScriptNode[] {
    return args.filter((arg) => arg.values.length === 0).map((arg) => this.#node(Number(arg.key)));
  }

  #each(args: readonly Arg[], title: string, work: (node: ScriptNode) => void): void {
    const nodes = this.#listed(args);
    for (const node of nodes) {
      if (nodes.length > 1) this.#indented(`${node.id} ${title}`, () => work(node));
      else work(node);
    }
  }

  #tick({ raw }: ScriptNode, ticks: number): void {
    for (let i = 0; i < ticks; i++) raw.tick();
  }

  #addNodes(args: readonly Arg[]): void {
    const count = Number(args[0]?.key);
    const flag = (key: string) => single(args, key) === 'true';
    const number = (key: string) => (single(args, key) === undefined ? undefined : Number(single(args, key)));
    const ids = (key: string) => args.filter((arg) => arg.key === key).flatMap((arg) => arg.values.map(Number));
    const index = number('index') ?? 0;
    const confState: ConfState = { ...EMPTY_CONF_STATE, voters: ids('voters'), learners: ids('learners') };
    const bootstrap = index > 0 || confState.voters.length > 0 || confState.learners.length > 0;
    if (bootstrap && index <= 1) throw new ScriptError('index must be specified as > 1 due to bootstrap');
    const readOnly = single(args, 'read-only') ?? 'safe';
    if (readOnly !== 'safe' && readOnly !== 'lease-based')
      throw new ScriptError(`invalid read-only option "${readOnly}"`);
    const maxInflightMsgs = number('inflight');
    const maxCommittedSizePerReadyBytes = number('max-committed-size-per-ready');
    const async = flag('async-storage-writes');

    for (let i = 0; i < count; i++) {
      const id = this.#nodes.length + 1;
      const metadata = { index, term: bootstrap ? BOOTSTRAP_TERM : 0, confState };
      const history: Snapshot[] = [{ metadata, data: bytesOf(single(args, 'content') ?? '') }];
      const storage = new ScriptStorage(history);
      if (bootstrap) storage.applySnapshot(history[0]!);
      const config: Config = {
        id,
        storage,
        electionTicks: ELECTION_TICKS,
        heartbeatTicks: HEARTBEAT_TICKS,
        // Scripts set timeouts themselves where they matter.
        random: () => 0,
        applied: index,
        asyncStorageWrites: async,
        preVote: flag('prevote'),
        checkQuorum: flag('checkquorum'),
        disableConfChangeValidation: flag('disable-conf-change-validation'),
        stepDownOnRemoval: flag('step-down-on-removal'),
        readOnlyOption: readOnly,
        maxInflightMsgs: maxInflightMsgs ?? Number.MAX_SAFE_INTEGER,
        ...(maxCommittedSizePerReadyBytes === undefined ? {} : { maxCommittedSizePerReadyBytes }),
        logger: this.#logger(),
      };
      this.#nodes.push({ id, raw: new RawNode(config), storage, async, history, appendWork: [], applyWork: [] });
    }
  }

  // ---- what a node does with its Ready

  readonly #processReady = (node: ScriptNode): void => {
    const ready = node.raw.ready();
    this.#print(describeReady(ready));
    if (!node.async) {
      this.#append(node, ready.hardState, ready.entries, ready.snapshot);
      this.#apply(node, ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.to === APPEND_THREAD) node.appendWork.push(message);
      else if (message.to === APPLY_THREAD) node.applyWork.push(message);
      else this.#messages.push(message);
    }
    if (!node.async) node.raw.advance();
  };

  #append(
    { storage, history }: ScriptNode,
    hardState: HardState | undefined,
    entries: readonly Entry[],
    snapshot: Snapshot | undefined,
  ): void {
    if (hardState !== undefined) storage.setHardState(hardState);
    if (snapshot !== undefined) {
      storage.applySnapshot(snapshot);
      history.push(snapshot);
    }
    storage.append(entries);
  }

  #apply({ raw, history }: ScriptNode, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const before = history.at(-1)!;
      let { confState } = before.metadata;
      let update = entry.data;
      if (entry.type !== EntryType.Normal) {
        const change = decodeConfChange(entry);
        confState = raw.applyConfChange(change);
        update = change.context;
      }
      const data = new Uint8Array([...before.data, ...update]);
      history.push({ metadata: { index: entry.index, term: entry.term, confState }, data });
    }
  }

  readonly #processAppendThread = (node: ScriptNode): void => {
    const message = node.appendWork.shift();
    if (message === undefined) {
      this.#print('no append work to perform');
      return;
    }
    this.#print(`Processing:\n${describeMessage({ ...message, responses: [] })}`);
    const { term, vote, commit, entries, snapshot } = message;
    this.#append(node, term === 0 ? undefined : { term, vote, commit }, entries, snapshot);
    this.#respond(message);
  };

  readonly #processApplyThread = (node: ScriptNode): void => {
    const message = node.applyWork.shift();
    if (message === undefined) {
      this.#print('no apply work to perform');
      return;
    }
    this.#print(`Processing:\n${describeMessage({ ...message, responses: [] })}`);
    this.#apply(node, message.entries);
    this.#respond(message);
  };

  #respond({ responses }: Message): void {
    this.#print(`Responses:\n${responses.map((response) => describeMessage(response)).join('\n')}`);
    this.#messages.push(...responses);
  }

  #stabilize(args: readonly Arg[]): void {
    const before = this.#level;
    const level = single(args, 'log-level');
    if (level !== undefined) this.#setLevel(level);
    const listed = this.#listed(args);
    const nodes = listed.length > 0 ? listed : this.#nodes;
    try {
      for (let round = 0; ; round++) {
        if (round === STABILIZE_ROUNDS_MAX) throw new ScriptError('does not stabilize');
        if (!this.#stabilizeOnce(nodes)) return;
      }
    } finally {
      this.#level = before;
    }
  }

  /** @returns whether there was anything to do */
  #stabilizeOnce(nodes: readonly ScriptNode[]): boolean {
    let busy = false;
    const phase = (title: string, due: (node: ScriptNode) => boolean, work: (node: ScriptNode) => void) => {
      for (const node of nodes) {
        if (!due(node)) continue;
        busy = true;
        this.#indented(`${node.id} ${title}`, () => work(node));
      }
    };
    phase(
      'handling Ready',
      ({ raw }) => raw.hasReady(),
      (node) => this.#processReady(node),
    );
    phase(
      'receiving messages',
      ({ id }) => this.#messages.some(({ to }) => to === id),
      ({ id }) => this.#deliver(this.#take(id, undefined, false)),
    );
    phase(
      'processing append thread',
      ({ appendWork }) => appendWork.length > 0,
      (node) => {
        while (node.appendWork.length > 0) this.#processAppendThread(node);
      },
    );
    phase(
      'processing apply thread',
      ({ applyWork }) => applyWork.length > 0,
      (node) => {
        while (node.applyWork.length > 0) this.#processApplyThread(node);
      },
    );
    return busy;
  }

  // ---- the network

  #deliverMsgs(args: readonly Arg[]): void {
    const typeName = single(args, 'type');
    const type = typeName === undefined ? undefined : messageTypeNamed(typeName);
    if (typeName !== undefined && type === undefined) throw new ScriptError(`unknown message type ${typeName}`);
    let count = 0;
    for (const { key, values } of args) {
      if (key === 'type') continue;
      const drop = key === 'drop';
      for (const id of drop ? values.map(Number) : [Number(key)]) {
        const messages = this.#take(id, type, drop);
        count += messages.length;
        if (drop) for (const message of messages) this.#print(`dropped: ${describeMessage(message)}`);
        else this.#deliver(messages);
      }
    }
    if (count === 0) this.#print('no messages');
  }

  /** A node's messages to itself cannot be dropped. */
  #take(to: number, type: MessageType | undefined, drop: boolean): readonly Message[] {
    const taken: Message[] = [];
    const left: Message[] = [];
    for (const message of this.#messages) {
      const isLocal = message.from === to || message.from === APPEND_THREAD || message.from === APPLY_THREAD;
      const take = message.to === to && !(drop && isLocal) && (type === undefined || message.type === type);
      (take ? taken : left).push(message);
    }
    this.#messages = left;
    return taken;
  }

  #deliver(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#print(describeMessage(message));
      const refused = this.#node(message.to).raw.step(message);
      if (refused !== undefined) this.#print(describeRefusal(refused));
    }
  }

  #sendSnapshot(args: readonly Arg[]): void {
    const [from, to] = this.#listed(args);
    if (from === undefined || to === undefined) throw new ScriptError('must specify exactly two node indexes');
    const message = newMessage(MessageType.Snap, to.id);
    message.from = from.id;
    message.term = from.raw.basicStatus().hardState.term;
    message.snapshot = from.storage.snapshot();
    this.#messages.push(message);
    this.#print(describeMessage(message));
  }

  // ---- requests and reports

  #reportUnreachable(args: readonly Arg[]): void {
    const [on, reported] = this.#listed(args);
    if (on === undefined || reported === undefined) throw new ScriptError('must specify exactly two node indexes');
    on.raw.reportUnreachable(reported.id);
  }

  #setElectionTimeout(args: readonly Arg[]): void {
    this.#first(args).raw.raft.setElectionTimeout(Number(single(args, 'timeout')));
  }

  #transferLeadership(args: readonly Arg[]): void {
    this.#node(Number(single(args, 'from'))).raw.transferLeader(Number(single(args, 'to')));
  }

  #compact(args: readonly Arg[]): void {
    const node = this.#first(args);
    node.storage.compact(Number(args[1]?.key));
    this.#raftLog(node);
  }

  #proposeConfChange(args: readonly Arg[], input: readonly string[]): void {
    const { raw } = this.#first(args);
    const changes = parseChanges(input);
    const name = single(args, 'transition') ?? 'auto';
    const transition = { auto: 0, implicit: 1, explicit: 2 }[name] as ConfChangeTransition | undefined;
    if (transition === undefined) throw new ScriptError(`unknown transition ${name}`);
    let change: ConfChange = { version: 2, transition, changes, context: NO_DATA };
    if (single(args, 'v1') === 'true') {
      const [only] = changes;
      if (only === undefined || changes.length > 1 || transition !== ConfChangeTransition.Auto) {
        throw new ScriptError('v1 conf change can only have one operation and no transition');
      }
      change = { version: 1, ...only, context: NO_DATA };
    }
    this.#refuse(raw.proposeConfChange(change));
  }

  #raftLog({ storage }: ScriptNode): void {
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    if (last < first) {
      this.#print(`log is empty: first index=${first}, last index=${last}`);
      return;
    }
    const entries = storage.entries(first, last + 1, Number.MAX_SAFE_INTEGER);
    if (typeof entries === 'string') throw new ScriptError(entries);
    this.#print(describeEntries(entries));
  }

  #raftState(): void {
    for (const { id, raw } of this.#nodes) {
      const { softState, hardState, config } = raw.status();
      const isVoter = config.voters.includes(id) || config.votersOutgoing.includes(id);
      const voter = isVoter ? '(Voter)' : '(Non-Voter)';
      this.#print(`${id}: ${describeRole(softState.role)} ${voter} Term:${hardState.term} Lead:${softState.leader}`);
    }
  }
}

function single(args: readonly Arg[], key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function describeRefusal(refused: StepRefused): string {
  if (refused === 'local-message') return 'raft: cannot step raft local message';
  return refused === 'unknown-peer' ? 'raft: cannot step as peer not found' : 'raft proposal dropped';
}

import { invariant } from '../../assert.ts';
import type { ConfChange } from '../confchange/change.ts';
import { decodeConfChange } from '../confchange/codec.ts';
import type { Config } from '../config.ts';
import { type Entry, EntryType } from '../entry.ts';
import { MemoryStorage } from '../memory-storage.ts';
import { type Message, type MessageType, type MutableMessage, newMessage } from '../message.ts';
import type { Raft } from '../raft.ts';
import { RawNode } from '../raw-node.ts';
import { type ConfState, EMPTY_CONF_STATE, type ReadState } from '../state.ts';

export const ELECTION_TICKS = 10;
/** Bound of a group's way to rest. */
const ROUNDS_MAX = 10_000;

export type Settings = Partial<Omit<Config, 'id' | 'storage'>>;

/** One node in synchronous mode, with a state machine that keeps what it is given. */
export class Member {
  readonly id: number;
  readonly storage: MemoryStorage;
  readonly raw: RawNode;
  readonly applied: Entry[] = [];
  readonly readStates: ReadState[] = [];
  confState: ConfState;

  constructor(id: number, storage: MemoryStorage, settings: Settings = {}) {
    this.id = id;
    this.storage = storage;
    this.confState = storage.initialState().confState;
    const random = () => 0;
    this.raw = new RawNode({ electionTicks: ELECTION_TICKS, heartbeatTicks: 1, random, ...settings, id, storage });
  }

  get raft(): Raft {
    return this.raw.raft;
  }

  /** Does all that is due, durably. @returns what is to be sent */
  work(): readonly Message[] {
    const sent: Message[] = [];
    for (let round = 0; this.raw.hasReady(); round++) {
      invariant(round < ROUNDS_MAX, 'a node never comes to rest', () => ({ id: this.id }));
      const ready = this.raw.ready();
      if (ready.snapshot !== undefined) {
        this.storage.applySnapshot(ready.snapshot);
        this.confState = ready.snapshot.metadata.confState;
      }
      this.storage.append(ready.entries);
      if (ready.hardState !== undefined) this.storage.setHardState(ready.hardState);
      sent.push(...ready.messages);
      this.readStates.push(...ready.readStates);
      for (const entry of ready.committedEntries) {
        this.applied.push(entry);
        if (entry.type !== EntryType.Normal) this.confState = this.raw.applyConfChange(decodeConfChange(entry));
      }
      this.raw.advance();
    }
    return sent;
  }

  /** Payloads applied, in order, empty entries and membership changes left out. */
  payloads(): readonly string[] {
    return this.applied
      .filter(({ type, data }) => type === EntryType.Normal && data.length > 0)
      .map(({ data }) => text(data));
  }

  tick(ticks: number): void {
    for (let i = 0; i < ticks; i++) this.raw.tick();
  }

  compactAll(): void {
    const { applied } = this.raft.log;
    this.storage.createSnapshot(applied, this.confState, bytes(`state at ${applied}`));
    this.storage.compact(applied);
  }
}

/** Members that can be cut from each other; messages wait until `settle` delivers them. */
export class Group {
  readonly members = new Map<number, Member>();
  /** Says of a message that it is lost. */
  lose: (message: Message) => boolean = () => false;
  readonly #cut = new Set<string>();
  #inFlight: Message[] = [];

  /** @param voters how many there are, or exactly this configuration */
  constructor(voters: number | Partial<ConfState>, settings: Settings = {}) {
    const given = typeof voters === 'number' ? { voters: Array.from({ length: voters }, (_, i) => i + 1) } : voters;
    const confState = { ...EMPTY_CONF_STATE, ...given };
    for (const id of new Set([...confState.voters, ...confState.votersOutgoing, ...confState.learners])) {
      this.add(id, storageWith(confState), settings);
    }
  }

  add(id: number, storage: MemoryStorage, settings: Settings = {}): Member {
    const member = new Member(id, storage, settings);
    this.members.set(id, member);
    return member;
  }

  /** @throws when there is none */
  at(id: number): Member {
    const member = this.members.get(id);
    invariant(member !== undefined, 'no such member', () => ({ id }));
    return member!;
  }

  restart(id: number, settings: Settings = {}): Member {
    return this.add(id, this.at(id).storage, settings);
  }

  isolate(id: number): void {
    for (const other of this.members.keys()) this.cut(id, other);
  }

  cut(a: number, b: number): void {
    this.#cut.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  heal(): void {
    this.#cut.clear();
    this.lose = () => false;
  }

  /** Delivers until nobody has anything to say. */
  settle(): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      for (const member of this.members.values()) this.#inFlight.push(...member.work());
      if (this.#inFlight.length === 0) return;
      const messages = this.#inFlight;
      this.#inFlight = [];
      for (const message of messages) {
        if (this.lose(message) || this.#cut.has(`${message.from}>${message.to}`)) continue;
        this.members.get(message.to)?.raw.step(message);
      }
    }
    invariant(false, 'a group never comes to rest');
  }

  elect(id: number): void {
    this.at(id).raw.campaign();
    this.settle();
  }

  propose(id: number, ...payloads: readonly string[]): string | undefined {
    const dropped = this.at(id).raw.propose(payloads.map(bytes));
    this.settle();
    return dropped;
  }

  change(id: number, change: ConfChange): void {
    this.at(id).raw.proposeConfChange(change);
    this.settle();
  }

  /** One heartbeat of this leader, and what follows. */
  beat(id: number): void {
    this.at(id).tick(1);
    this.settle();
  }

  leaders(): readonly number[] {
    return [...this.members.values()].filter(({ raft }) => raft.role === 'leader').map(({ id }) => id);
  }
}

/** A bootstrapped log: a snapshot at index 1, term 1, or these entries' terms from index 1 on. */
export function storageWith(confState: Partial<ConfState>, terms: readonly number[] = []): MemoryStorage {
  const storage = new MemoryStorage();
  const full = { ...EMPTY_CONF_STATE, ...confState };
  storage.applySnapshot({ metadata: { index: 1, term: 1, confState: full }, data: bytes('') });
  storage.append(terms.map((term, i) => ({ term, index: i + 2, type: EntryType.Normal, data: bytes('') })));
  const term = Math.max(0, ...terms);
  if (term > 0) storage.setHardState({ term, vote: 0, commit: 1 });
  return storage;
}

export function message(type: MessageType, fields: Partial<MutableMessage>): Message {
  return Object.assign(newMessage(type, fields.to ?? 0), fields);
}

export function bytes(payload: string): Uint8Array {
  return Uint8Array.from(payload, (character) => character.charCodeAt(0));
}

export function text(data: Uint8Array): string {
  return String.fromCharCode(...data);
}

import { DEFAULT_LIMITS, decodeCommand, type Effect, type Outcome, Store } from '../kv/index.ts';
import { type ConfChange, type ConfState, decodeConfChange, type Entry, EntryType } from '../raft/index.ts';
import { ENVELOPE_BYTES, type Origin, openEnvelope } from './envelope.ts';
import { Forwarded, type ForwardedState } from './forwarded.ts';
import { decodeContext, Membership, type MembershipState } from './membership.ts';

/** What one entry did. */
export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  readonly effect: Effect;
  readonly operationId: string | undefined;
  /** Who proposed it; undefined for entries that nobody waits for. */
  readonly origin: Origin | undefined;
  /** Of a command; undefined for membership changes and empty entries. */
  readonly outcome: Outcome | undefined;
  readonly membershipChanged: boolean;
}

/** What a node keeps in a snapshot beside the store's own bytes. */
interface NodeState {
  readonly membership: MembershipState;
  readonly forwarded: ForwardedState;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** All replicated state of a node, as of one applied index: the store, the membership, the forwarded proposals. */
export class Replica {
  readonly store: Store;
  readonly membership = new Membership();
  readonly forwarded = new Forwarded();
  #appliedTerm = 0;

  /** @param historyEventsMax the same on every node; the store's own when missing */
  constructor(historyEventsMax = DEFAULT_LIMITS.historyEventsMax) {
    this.store = new Store({ ...DEFAULT_LIMITS, historyEventsMax });
  }

  get appliedIndex(): number {
    return this.store.appliedIndex;
  }

  /** Term of the last applied entry. */
  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  /** @param changeConfiguration tells the core of a membership change; gives the configuration from there on */
  apply(entry: Entry, changeConfiguration: (change: ConfChange) => ConfState): AppliedEntry {
    const { index, term } = entry;
    this.#appliedTerm = term;
    const nothing = { index, term, effect: 'none', operationId: undefined, outcome: undefined } as const;
    if (entry.type !== EntryType.Normal) {
      const change = decodeConfChange(entry);
      const context = decodeContext(change.context);
      this.membership.apply(changeConfiguration(this.membership.admit(change)), context);
      this.store.skip(index);
      const [node = 0, incarnation = 0, sequence = 0] = context.proposal ?? [];
      const origin = context.proposal && { node, incarnation, sequence, forwarded: false };
      return { ...nothing, origin, membershipChanged: true };
    }
    const origin = openEnvelope(entry.data);
    if (origin === undefined) {
      this.store.skip(index);
      return { ...nothing, origin: undefined, membershipChanged: false };
    }
    if (origin.forwarded && !this.forwarded.admit(origin)) {
      // A second copy, or one that was overtaken and of which its proposer was told that it never takes effect.
      this.store.skip(index);
      const operationId = decodeCommand(entry.data, ENVELOPE_BYTES)?.operationId;
      const effect = 'deduplicated';
      return { ...nothing, effect, operationId, origin: undefined, membershipChanged: false };
    }
    const outcome = this.store.apply(index, entry.data, ENVELOPE_BYTES);
    const { effect, operationId } = outcome;
    return { index, term, effect, operationId, origin, outcome, membershipChanged: false };
  }

  /** The first piece of a snapshot; the rest are the store's. */
  encodeNodeState(): Uint8Array {
    const state: NodeState = { membership: this.membership.toState(), forwarded: this.forwarded.toState() };
    return encoder.encode(JSON.stringify(state));
  }

  /**
   * Replaces everything by a snapshot.
   * @param next its pieces as they were written
   * @throws SnapshotError when it is damaged
   */
  async restore(term: number, next: () => Promise<Uint8Array | undefined>): Promise<void> {
    const head = await next();
    // Nobody but a node of this version wrote it, and the file's checksum holds.
    const state = JSON.parse(decoder.decode(head)) as NodeState;
    const restore = this.store.restore();
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) restore.add(chunk);
    restore.finish();
    this.membership.restore(state.membership);
    this.forwarded.restore(state.forwarded);
    this.#appliedTerm = term;
  }
}

import { invariant } from '../assert.ts';
import { type Deadlines, Waiting } from './deadlines.ts';
import type { Origin } from './envelope.ts';

/** Beyond these a proposal is refused: the store is slower than its clients. */
const countMax = 16_384;
const bytesMax = 64 * 1024 * 1024;

/**
 * What became of a proposal. `refused`: it did not take effect and never will. `unknown`: it may have, or may yet.
 */
export type ProposalOutcome<Result> =
  | { readonly type: 'applied'; readonly result: Result; readonly index: number }
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: 'unknown'; readonly reason: 'timeout' | 'snapshot' | 'stopping' };

export type Refusal =
  | 'too-many-requests'
  | 'no-leader'
  | 'leadership-transfer'
  | 'not-a-member'
  | 'disk-full'
  | 'superseded'
  | 'stopping';

type Done<Result> = (outcome: ProposalOutcome<Result>) => void;

/** A proposal of this node, from the client's request until its outcome. */
export class Proposal<Result> extends Waiting {
  readonly sequence: number;
  readonly #owner: Proposals<Result>;
  #done: Done<Result> | undefined;
  /** What to propose; dropped once the core has it. */
  command: Uint8Array | undefined;
  readonly bytes: number;
  /** Where this node, as leader, appended it; undefined when it was forwarded, or not yet proposed. */
  index: number | undefined;
  /** When forwarded, it takes effect before later ones of this node or not at all. */
  ordered = true;

  constructor(
    owner: Proposals<Result>,
    sequence: number,
    command: Uint8Array | undefined,
    deadlineMs: number,
    done: Done<Result>,
  ) {
    super(deadlineMs);
    this.#owner = owner;
    this.sequence = sequence;
    this.command = command;
    this.bytes = command?.length ?? 0;
    this.#done = done;
  }

  get isDone(): boolean {
    return this.#done === undefined;
  }

  expire(): void {
    const proposed = this.command === undefined;
    this.#owner.finish(
      this,
      proposed ? { type: 'unknown', reason: 'timeout' } : { type: 'refused', reason: 'no-leader' },
    );
  }

  /** Once; after this the client is not kept alive by the proposal. */
  answer(outcome: ProposalOutcome<Result>): void {
    const done = this.#done;
    this.#done = undefined;
    this.command = undefined;
    this.leave();
    done?.(outcome);
  }
}

/**
 * The proposals of this node's clients. An applied entry is matched by its origin. For the others it is decided for
 * certain where it can be: an entry of ours whose log slot was committed with something else, and a forwarded one that
 * was overtaken (see `Forwarded`), can never take effect. Whatever else fails is unknown.
 */
export class Proposals<Result> {
  readonly #node: number;
  readonly #incarnation: number;
  readonly #deadlines: Deadlines;
  #lastSequence = 0;
  #bytes = 0;
  #queued: Proposal<Result>[] = [];
  /** In order of sequence. */
  readonly #waiting = new Map<number, Proposal<Result>>();
  /** Those that this node appended as leader. */
  readonly #byIndex = new Map<number, Proposal<Result>>();

  constructor(node: number, incarnation: number, deadlines: Deadlines) {
    this.#node = node;
    this.#incarnation = incarnation;
    this.#deadlines = deadlines;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0;
  }

  /** Takes a proposal for this turn's batch, or refuses it when too much waits. */
  add(command: Uint8Array, deadlineMs: number, done: Done<Result>): void {
    if (this.#waiting.size >= countMax || this.#bytes + command.length > bytesMax) {
      done({ type: 'refused', reason: 'too-many-requests' });
      return;
    }
    const proposal = this.#register(command, deadlineMs, done);
    this.#queued.push(proposal);
  }

  /** A membership change: it is proposed at once, and may be overtaken without harm. */
  addUnordered(deadlineMs: number, done: Done<Result>): Proposal<Result> {
    const proposal = this.#register(undefined, deadlineMs, done);
    proposal.ordered = false;
    return proposal;
  }

  /** The turn's batch: what has been queued and has not expired meanwhile. */
  takeQueued(): Proposal<Result>[] {
    const queued = this.#queued;
    this.#queued = [];
    return queued.filter((proposal) => !proposal.isDone);
  }

  origin(proposal: Proposal<Result>, forwarded: boolean): Origin {
    return { node: this.#node, incarnation: this.#incarnation, sequence: proposal.sequence, forwarded };
  }

  /** This node, as leader, appended it at the index. */
  placed(proposal: Proposal<Result>, index: number): void {
    proposal.command = undefined;
    proposal.index = index;
    // An older proposal in this slot was overwritten in our log, but may live in another's: it waits for its deadline.
    this.#byIndex.set(index, proposal);
  }

  /** It was sent to a leader elsewhere. */
  sent(proposal: Proposal<Result>): void {
    proposal.command = undefined;
  }

  /** An entry was applied: answers its proposer if that is us, and whoever is now known to have lost. */
  applied(index: number, origin: Origin | undefined, result: Result): void {
    if (this.#waiting.size === 0) return;
    const ours = origin !== undefined && origin.node === this.#node && origin.incarnation === this.#incarnation;
    const proposal = ours ? this.#waiting.get(origin.sequence) : undefined;
    if (proposal !== undefined) {
      invariant(
        proposal.index === undefined || proposal.index === index,
        'a proposal is applied in its own slot',
        () => ({
          index,
          expected: proposal.index,
          sequence: proposal.sequence,
        }),
      );
      this.finish(proposal, { type: 'applied', result, index });
    }
    const slot = this.#byIndex.size === 0 ? undefined : this.#byIndex.get(index);
    if (slot !== undefined) this.finish(slot, { type: 'refused', reason: 'superseded' });
    if (ours && origin.forwarded) this.#overtaken(origin.sequence);
  }

  /** A snapshot took the place of entries up to `index`: what happened to proposals in them is not known. */
  skipped(index: number, lastForwarded: number): void {
    for (const proposal of [...this.#waiting.values()]) {
      const overtaken = proposal.ordered && proposal.sequence <= lastForwarded;
      const covered = proposal.index === undefined ? overtaken : proposal.index <= index;
      if (covered && proposal.command === undefined) this.finish(proposal, { type: 'unknown', reason: 'snapshot' });
    }
  }

  /** The node stops: queued ones never were proposed, the others may yet happen. */
  stop(): void {
    for (const proposal of [...this.#waiting.values()]) {
      const refused = proposal.command !== undefined;
      this.finish(proposal, { type: refused ? 'refused' : 'unknown', reason: 'stopping' });
    }
  }

  finish(proposal: Proposal<Result>, outcome: ProposalOutcome<Result>): void {
    if (this.#waiting.delete(proposal.sequence)) this.#bytes -= proposal.bytes;
    if (proposal.index !== undefined && this.#byIndex.get(proposal.index) === proposal) {
      this.#byIndex.delete(proposal.index);
    }
    proposal.answer(outcome);
  }

  #register(command: Uint8Array | undefined, deadlineMs: number, done: Done<Result>): Proposal<Result> {
    this.#lastSequence++;
    const proposal = new Proposal(this, this.#lastSequence, command, deadlineMs, done);
    this.#waiting.set(proposal.sequence, proposal);
    this.#bytes += proposal.bytes;
    this.#deadlines.add(proposal);
    return proposal;
  }

  /** Forwarded proposals before this one lost their way, and would not be admitted any more. */
  #overtaken(sequence: number): void {
    for (const [waiting, proposal] of this.#waiting) {
      if (waiting >= sequence) return;
      if (proposal.ordered && proposal.index === undefined && proposal.command === undefined) {
        this.finish(proposal, { type: 'refused', reason: 'superseded' });
      }
    }
  }
}

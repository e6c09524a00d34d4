import { type ConfChange, ConfChangeType, type ConfState, EMPTY_CONF_STATE, NONE } from '../raft/index.ts';

export interface MemberState {
  readonly id: number;
  /** Where the others reach it. */
  readonly url: string;
  readonly learner: boolean;
}

/** As it stands in snapshots. */
export interface MembershipState {
  readonly confState: ConfState;
  readonly urls: readonly (readonly [id: number, url: string])[];
  readonly removed: readonly number[];
}

/** What the log's entry says beside the change itself. */
export interface ChangeContext {
  /** The proposal, by which the proposer finds its client: node, incarnation, sequence. */
  readonly proposal?: readonly [node: number, incarnation: number, sequence: number];
  readonly urls: readonly (readonly [id: number, url: string])[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeContext(context: ChangeContext): Uint8Array {
  return encoder.encode(JSON.stringify(context));
}

/** Only nodes of the cluster write these, through the log, so what does not parse is a broken invariant. */
export function decodeContext(bytes: Uint8Array): ChangeContext {
  return bytes.length === 0 ? { urls: [] } : (JSON.parse(decoder.decode(bytes)) as ChangeContext);
}

/**
 * Who is in the cluster and where: replicated state, part of every snapshot, so that addresses outlive the compaction
 * of the entries that brought them. An id that was removed never comes back.
 */
export class Membership {
  #confState: ConfState = EMPTY_CONF_STATE;
  #urls = new Map<number, string>();
  #removed = new Set<number>();

  get confState(): ConfState {
    return this.#confState;
  }

  /** In order of id. */
  get members(): readonly MemberState[] {
    const { learners, learnersNext } = this.#confState;
    return allIds(this.#confState).map((id) => ({
      id,
      url: this.#urls.get(id) ?? '',
      learner: learners.includes(id) || learnersNext.includes(id),
    }));
  }

  has(id: number): boolean {
    return allIds(this.#confState).includes(id);
  }

  url(id: number): string | undefined {
    return this.#urls.get(id);
  }

  isRemoved(id: number): boolean {
    return this.#removed.has(id);
  }

  /**
   * What the core shall make of a committed change: the same, but one that would bring a removed id back changes
   * nobody. The same on every node, for it depends on replicated state alone.
   */
  admit(change: ConfChange): ConfChange {
    if (change.version === 1) {
      return this.#comesBack(change.type, change.nodeId) ? { ...change, nodeId: NONE } : change;
    }
    if (!change.changes.some(({ type, nodeId }) => this.#comesBack(type, nodeId))) return change;
    return { version: 1, type: ConfChangeType.AddNode, nodeId: NONE, context: change.context };
  }

  /** @param confState what the core says the configuration is after the change */
  apply(confState: ConfState, context: ChangeContext): void {
    const before = allIds(this.#confState);
    this.#confState = confState;
    const now = new Set(allIds(confState));
    for (const [id, url] of context.urls) if (now.has(id)) this.#urls.set(id, url);
    for (const id of before) {
      if (now.has(id)) continue;
      this.#urls.delete(id);
      this.#removed.add(id);
    }
  }

  toState(): MembershipState {
    return { confState: this.#confState, urls: [...this.#urls], removed: [...this.#removed] };
  }

  restore(state: MembershipState): void {
    this.#confState = state.confState;
    this.#urls = new Map(state.urls);
    this.#removed = new Set(state.removed);
  }

  #comesBack(type: ConfChangeType, id: number): boolean {
    return type !== ConfChangeType.RemoveNode && this.#removed.has(id);
  }
}

function allIds({ voters, learners, votersOutgoing, learnersNext }: ConfState): readonly number[] {
  return [...new Set([...voters, ...learners, ...votersOutgoing, ...learnersNext])].sort((a, b) => a - b);
}

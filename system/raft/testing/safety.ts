import { invariant } from '../../assert.ts';
import type { Entry } from '../entry.ts';
import type { Raft } from '../raft.ts';

interface Committed {
  readonly entry: Entry;
  /** The term of the node that was first seen to call it committed. */
  readonly inTerm: number;
}

/** Raft's safety properties (Raft paper, figure 3), asserted over everything that all nodes ever did. */
export class Safety {
  readonly #leaders = new Map<number, number>();
  /** By term and index: the entry, and the term of the one before it. */
  readonly #written = new Map<string, { readonly data: Uint8Array; readonly previousTerm: number }>();
  readonly #committed = new Map<number, Committed>();
  readonly #states = new Map<number, string>();
  /** The highest index that any node has called committed. */
  highestCommitted: number;

  /** @param bootstrapped the index of the snapshot that all nodes start from */
  constructor(bootstrapped: number) {
    this.highestCommitted = bootstrapped;
  }

  /** Election safety and leader completeness. Called for a node that leads. */
  leads(raft: Raft): void {
    const { id, term, log } = raft;
    const known = this.#leaders.get(term);
    if (known === id) return;
    invariant(known === undefined, 'two leaders in one term', () => ({ term, known, id }));
    this.#leaders.set(term, id);
    for (let index = log.firstIndex(); index <= this.highestCommitted; index++) {
      const committed = this.#committed.get(index);
      if (committed === undefined || committed.inTerm >= term) continue;
      invariant(log.matches(index, committed.entry.term), 'a leader lacks a committed entry', () => ({
        id,
        term,
        committed,
        ...log.facts(),
      }));
    }
  }

  /** Log matching: entries of the same index and term are the same, and so is what comes before. */
  writes(entries: readonly Entry[], termBefore: number): void {
    let previousTerm = termBefore;
    for (const { term, index, data } of entries) {
      const place = `${term}/${index}`;
      const known = this.#written.get(place);
      if (known === undefined) this.#written.set(place, { data, previousTerm });
      else {
        const same = known.previousTerm === previousTerm && sameBytes(known.data, data);
        invariant(same, 'two logs differ at the same index and term', () => ({ place, previousTerm, known }));
      }
      previousTerm = term;
    }
  }

  /** State machine safety: nodes agree on what is committed. Called when a node's commit index has grown. */
  commits(raft: Raft, from: number): void {
    const { log, term, id } = raft;
    const start = Math.max(from, log.firstIndex());
    if (start <= log.committed) {
      const entries = log.slice(start, log.committed + 1, Number.MAX_SAFE_INTEGER);
      if (typeof entries === 'string') throw new Error(`committed entries are ${entries}`);
      for (const entry of entries) {
        const known = this.#committed.get(entry.index);
        if (known === undefined) this.#committed.set(entry.index, { entry, inTerm: term });
        else {
          const same = known.entry.term === entry.term && sameBytes(known.entry.data, entry.data);
          invariant(same, 'two nodes committed different entries', () => ({ id, entry, known }));
        }
      }
    }
    this.highestCommitted = Math.max(this.highestCommitted, log.committed);
  }

  /** Replicas that applied up to the same index are in the same state. */
  applied(id: number, index: number, state: string): void {
    const known = this.#states.get(index);
    if (known === undefined) this.#states.set(index, state);
    else invariant(known === state, 'two replicas differ', () => ({ id, index, state, known }));
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

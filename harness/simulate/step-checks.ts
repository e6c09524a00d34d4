import type { Anomaly } from '../../checker/verdict.ts';
import type { StepViolation } from '../../results/store/schema.ts';
import type { Inspection } from '../../system/node/index.ts';
import type { SimMachine } from './sim-machine.ts';

/**
 * Looks at a node after each of its events, for safety properties of Raft (figure 3 of the paper). What the histories and audits show at the end, this shows at the
 * moment it happens:
 * - election safety: one leader a term;
 * - leader completeness and log matching: what any node ever knew to be committed stands, with the same term, in
 *   every log that reaches that far when its node believes it committed;
 * - state machine safety: equal applied index, equal state;
 * - commit and term of a node never fall while it lives.
 */
export class StepChecks {
  readonly #leaders = new Map<number, string>();
  /** Term of each committed entry, by index, as the first node that committed it had it. */
  readonly #committedTerms: number[] = [];
  readonly #hashes = new Map<number, { readonly node: string; readonly hash: string }>();
  readonly #last = new Map<number, { incarnation: number; term: number; commit: number; applied: number }>();

  readonly #report: (violation: StepViolation) => void;

  /** @param report takes each violation as it is seen; one that lasts is seen again and again */
  constructor(report: (violation: StepViolation) => void) {
    this.#report = report;
  }

  look({ node, number, incarnations }: SimMachine, now: Inspection): void {
    const { hardState, softState } = now.raft;
    const { term, commit } = hardState;
    let last = this.#last.get(number);
    if (last === undefined || last.incarnation !== incarnations) {
      last = { incarnation: incarnations, term: 0, commit: 0, applied: 0 };
      this.#last.set(number, last);
    }
    if (softState.role === 'leader') this.#oneLeader(node, term);
    if (term < last.term) this.#broken('election', 'term-fell', node, { term, before: last.term });
    if (commit < last.commit) this.#broken('log', 'commit-fell', node, { commit, before: last.commit });
    if (commit > last.commit) this.#committed(node, now, last.commit);
    if (now.applied !== last.applied) this.#sameState(node, now.applied, now.hash());
    last.term = term;
    last.commit = commit;
    last.applied = now.applied;
  }

  #oneLeader(node: string, term: number): void {
    const other = this.#leaders.get(term);
    if (other === undefined) this.#leaders.set(term, node);
    else if (other !== node) this.#broken('election', 'two-leaders', node, { term, nodes: [other, node] });
  }

  #committed(node: string, now: Inspection, before: number): void {
    for (let index = before + 1; index <= now.raft.hardState.commit; index++) {
      const term = now.termAt(index);
      // Behind an installed snapshot: the state's hash speaks for it.
      if (term === undefined) continue;
      const known = this.#committedTerms[index];
      if (known === undefined) this.#committedTerms[index] = term;
      else if (known !== term) this.#broken('log', 'log-divergence', node, { index, term, committedWithTerm: known });
    }
  }

  #sameState(node: string, index: number, hash: string): void {
    const known = this.#hashes.get(index);
    if (known === undefined) this.#hashes.set(index, { node, hash });
    else if (known.hash !== hash) {
      this.#broken('hash', 'state-divergence', node, { index, hash, other: known.node, otherHash: known.hash });
    }
  }

  #broken(section: 'election' | 'log' | 'hash', kind: string, node: string, facts: Anomaly['evidence']): void {
    const message = `node ${node}: ${kind} ${JSON.stringify(facts)}`;
    this.#report({ section, anomaly: { kind, message, ops: [], evidence: { node, ...facts } } });
  }
}

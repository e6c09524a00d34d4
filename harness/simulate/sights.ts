import type { Inspection } from '../../system/node/index.ts';
import type { Moments } from '../target/moments.ts';
import type { SimMachine } from './sim-machine.ts';

/** Moments that no node logs, since they come with every write or show only from above; seen in the nodes' state. */
export class Sights {
  readonly #machines: readonly SimMachine[];
  readonly #moments: Moments;
  /** What a node knew to be committed at its last event, by id. */
  readonly #commits = new Map<number, number>();

  constructor(machines: readonly SimMachine[], moments: Moments) {
    this.#machines = machines;
    this.#moments = moments;
  }

  /** A node after one of its events. */
  look({ number }: SimMachine, now: Inspection): void {
    const { hardState, softState } = now.raft;
    const { term, commit } = hardState;
    const isNew = commit > (this.#commits.get(number) ?? commit);
    this.#commits.set(number, commit);
    if (softState.role === 'leader') {
      if (isNew && this.#moments.isWaitedFor('committed') && now.termAt(commit) === term) {
        this.#moments.came({ moment: 'committed', node: number });
      }
    } else if (softState.leader !== 0 && this.#moments.isWaitedFor('old-append') && this.#isOldOnMost(now)) {
      this.#moments.came({ moment: 'old-append', node: softState.leader, peer: number });
    }
  }

  /** Its last entry is of an earlier term, not known to be committed, and on most nodes. */
  #isOldOnMost({ raft: { hardState, lastIndex }, termAt }: Inspection): boolean {
    const term = termAt(lastIndex);
    if (term === undefined || term >= hardState.term || lastIndex <= hardState.commit) return false;
    const holders = this.#machines.filter(({ running }) => running?.inspect().termAt(lastIndex) === term);
    return holders.length > this.#machines.length / 2;
  }
}

import type { Inspection } from '../../system/node/index.ts';
import type { Moments } from '../target/moments.ts';

/** What it looks at of an inspected node. */
interface Looked {
  readonly raft: {
    readonly hardState: Pick<Inspection['raft']['hardState'], 'term' | 'commit'>;
    readonly softState: Inspection['raft']['softState'];
    readonly lastIndex: number;
  };
  readonly termAt: Inspection['termAt'];
}

/** All nodes: how many there are, and which term each that runs has at an index. */
interface Nodes {
  readonly count: number;
  termsAt(index: number): readonly (number | undefined)[];
}

/** Moments that no node logs, since they come with every write or show only from above; seen in the nodes' state. */
export class Sights {
  readonly #nodes: Nodes;
  readonly #moments: Moments;
  /** What a node knew to be committed at its last event, by id. */
  readonly #commits = new Map<number, number>();

  constructor(nodes: Nodes, moments: Moments) {
    this.#nodes = nodes;
    this.#moments = moments;
  }

  /** A node after one of its events. @returns whether somebody was told of something */
  look({ number }: { readonly number: number }, now: Looked): boolean {
    const { hardState, softState } = now.raft;
    const { term, commit } = hardState;
    const isNew = commit > (this.#commits.get(number) ?? commit);
    this.#commits.set(number, commit);
    if (softState.role === 'leader') {
      if (isNew && this.#moments.isWaitedFor('committed') && now.termAt(commit) === term) {
        return this.#moments.came({ moment: 'committed', node: number });
      }
    } else if (softState.leader !== 0 && this.#moments.isWaitedFor('old-append') && this.#isOldOnMost(now)) {
      return this.#moments.came({ moment: 'old-append', node: softState.leader, peer: number });
    }
    return false;
  }

  /** Its last entry is of an earlier term, not known to be committed, and on most nodes. */
  #isOldOnMost({ raft: { hardState, lastIndex }, termAt }: Looked): boolean {
    const term = termAt(lastIndex);
    if (term === undefined || term >= hardState.term || lastIndex <= hardState.commit) return false;
    const holders = this.#nodes.termsAt(lastIndex).filter((other) => other === term);
    return holders.length > this.#nodes.count / 2;
  }
}

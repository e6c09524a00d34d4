/** What is worth knowing to have happened, for bugs live where it does. */
const names = [
  'leaders elected',
  'moments that a fault waited for',
  'leaderships handed over',
  'snapshots asked for',
  'leaders that stepped down without a quorum',
  'elections lost or split',
  'first appends of a leader',
  'read index rounds',
  'log suffixes replaced',
  'snapshots begun',
  'snapshots failed',
  'logs compacted',
  'snapshots sent',
  'snapshot transfers failed',
  'snapshots installed',
  'torn tails repaired',
  'restarts',
  'unsynced bytes lost',
  'writes refused by a full disk',
  'syncs failed',
  'syncs that did nothing',
  'syncs slowed down',
  'syncs held by a hung disk',
  'processes ended in a write or sync',
  'files damaged',
  'starts refused for a damaged file',
  'damaged snapshots replaced by older ones',
  'conditional writes refused',
  'retries deduplicated by a session',
  'configurations entered',
  'joint configurations',
  'disks emptied',
  'frames lost',
  'frames repeated',
  'frames overtaken',
  'connections reset',
] as const;

export type CoverageName = (typeof names)[number];

interface Machine {
  readonly number: number;
  readonly incarnations: number;
}

/** What it looks at of an inspected node. */
interface Looked {
  readonly readRounds: number;
  readonly raft: { readonly lastIndex: number };
  readonly snapshotIndex: number;
  termAt(index: number): number | undefined;
}

/** Records of a node's log that tell of something as they are. */
const tellers: { readonly [event: string]: CoverageName } = {
  'first-append': 'first appends of a leader',
  'snapshot-begun': 'snapshots begun',
  'snapshot-failed': 'snapshots failed',
  'snapshot-installed': 'snapshots installed',
  'configuration-entered': 'configurations entered',
};

interface Last {
  readonly incarnation: number;
  lastIndex: number;
  lastTerm: number;
  snapshot: number;
  readRounds: number;
}

/** Counts what happened in a run. */
export class Coverage {
  readonly #counts = new Map<CoverageName, number>(names.map((name) => [name, 0]));
  readonly #lasts = new Map<number, Last>();

  add(name: CoverageName, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  get counts(): { readonly [name: string]: number } {
    return Object.fromEntries(this.#counts);
  }

  /** A line of a node's log. */
  logged(event: string, facts: Readonly<Record<string, unknown>>): void {
    const name = tellers[event];
    if (name !== undefined) this.add(name);
    if (event === 'configuration-entered' && facts.joint === true) this.add('joint configurations');
    else if (event === 'snapshot-sent') this.add(facts.sent === true ? 'snapshots sent' : 'snapshot transfers failed');
    else if (event === 'storage-repaired') {
      const isTail = String(facts.keptAside).endsWith('.torn');
      this.add(isTail ? 'torn tails repaired' : 'damaged snapshots replaced by older ones');
    } else if (event === 'raft' && typeof facts.message === 'string') this.#told(facts.message);
  }

  /** Lines of a node's audit. */
  audited(lines: string): void {
    this.add('conditional writes refused', timesIn(lines, '"effect":"refused"'));
    this.add('retries deduplicated by a session', timesIn(lines, '"effect":"deduplicated"'));
  }

  /** A node after one of its events. */
  look({ number, incarnations }: Machine, now: Looked): void {
    const { lastIndex } = now.raft;
    let last = this.#lasts.get(number);
    if (last === undefined || last.incarnation !== incarnations) {
      last = { incarnation: incarnations, lastIndex: 0, lastTerm: 0, snapshot: now.snapshotIndex, readRounds: 0 };
      this.#lasts.set(number, last);
    }
    if (now.snapshotIndex !== last.snapshot) {
      this.add('logs compacted');
      last.snapshot = now.snapshotIndex;
    }
    if (now.readRounds !== last.readRounds) {
      this.add('read index rounds', now.readRounds - last.readRounds);
      last.readRounds = now.readRounds;
    }
    if (lastIndex === last.lastIndex) return;
    const term = lastIndex < last.lastIndex ? undefined : now.termAt(last.lastIndex);
    const isBehindSnapshot = now.snapshotIndex >= last.lastIndex;
    if (last.lastIndex > 0 && !isBehindSnapshot && term !== last.lastTerm) this.add('log suffixes replaced');
    last.lastIndex = lastIndex;
    last.lastTerm = now.termAt(lastIndex) ?? 0;
  }

  #told(message: string): void {
    if (message.includes('stepped down to follower since quorum is not active')) {
      this.add('leaders that stepped down without a quorum');
    } else if (message.includes('became candidate')) {
      this.add('elections lost or split');
    } else if (message.includes('became leader')) {
      // Each candidacy is counted as lost until it is won.
      this.add('elections lost or split', -1);
      this.add('leaders elected');
    }
  }
}

function timesIn(text: string, part: string): number {
  let times = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) times++;
  return times;
}

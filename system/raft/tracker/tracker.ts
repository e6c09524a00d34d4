import { jointIndex, jointVote } from '../quorum/joint.ts';
import { majorityVote, type VoteResult } from '../quorum/majority.ts';
import { type ConfState, EMPTY_CONF_STATE } from '../state.ts';
import { type InflightLimits, Progress } from './progress.ts';

/** The configuration that is active on this node, what it knows of each member, and the votes of an election. */
export class Tracker {
  readonly #limits: InflightLimits;
  #config: ConfState = EMPTY_CONF_STATE;
  readonly #byId = new Map<number, Progress>();
  /** In order of id, so that messages leave in the same order everywhere. */
  #members: readonly Progress[] = [];
  #incoming: readonly Progress[] = [];
  #outgoing: readonly Progress[] = [];
  readonly #votes = new Map<number, boolean>();
  readonly #incomingScratch: number[] = [];
  readonly #outgoingScratch: number[] = [];

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  get config(): ConfState {
    return this.#config;
  }

  /** Voters and learners, this node included, in order of id. */
  get members(): readonly Progress[] {
    return this.#members;
  }

  member(id: number): Progress | undefined {
    return this.#byId.get(id);
  }

  isLearner(id: number): boolean {
    return this.#config.learners.includes(id);
  }

  isVoter(id: number): boolean {
    return this.#config.voters.includes(id) || this.#config.votersOutgoing.includes(id);
  }

  isJoint(): boolean {
    return this.#config.votersOutgoing.length > 0;
  }

  /** This node alone decides. */
  isOnlyVoter(id: number): boolean {
    return this.#config.voters.length === 1 && this.#config.voters[0] === id && !this.isJoint();
  }

  /** Both halves' voters, in order of id. */
  voterIds(): number[] {
    const ids = new Set(this.#config.voters);
    for (const id of this.#config.votersOutgoing) ids.add(id);
    return [...ids].sort((a, b) => a - b);
  }

  /**
   * Makes a configuration active.
   * @param lastIndex of this node's log: where probing a new member starts
   * @param renewed members that were out of the configuration in between: what was known of them is void
   */
  switchTo(config: ConfState, lastIndex: number, renewed: ReadonlySet<number>): void {
    this.#config = config;
    const present = new Set([...config.voters, ...config.votersOutgoing, ...config.learners]);
    for (const id of this.#byId.keys()) if (!present.has(id) || renewed.has(id)) this.#byId.delete(id);
    for (const id of present) {
      if (this.#byId.has(id)) continue;
      // Counted as active at first: else CheckQuorum could end the leadership before the newcomer can say a word.
      this.#byId.set(id, new Progress(id, Math.max(lastIndex, 1), true, this.#limits));
    }
    this.#arrange();
  }

  /** Forgets what was known of the members: a term or a leadership begins. */
  restart(lastIndex: number): void {
    for (const id of this.#byId.keys()) this.#byId.set(id, new Progress(id, lastIndex + 1, false, this.#limits));
    this.#arrange();
  }

  #arrange(): void {
    const progressOf = (ids: readonly number[]) => ids.map((id) => this.#byId.get(id)!);
    this.#members = [...this.#byId.values()].sort((a, b) => a.id - b.id);
    this.#incoming = progressOf(this.#config.voters);
    this.#outgoing = progressOf(this.#config.votersOutgoing);
    this.#incomingScratch.length = this.#incoming.length;
    this.#outgoingScratch.length = this.#outgoing.length;
  }

  /** The index that a quorum's logs hold; whether it may be committed is another question. */
  quorumMatch(): number {
    for (let i = 0; i < this.#incoming.length; i++) this.#incomingScratch[i] = this.#incoming[i]!.match;
    for (let i = 0; i < this.#outgoing.length; i++) this.#outgoingScratch[i] = this.#outgoing[i]!.match;
    return jointIndex(this.#incomingScratch, this.#outgoingScratch);
  }

  /** The newest read round that a quorum has confirmed. */
  quorumRound(): number {
    for (let i = 0; i < this.#incoming.length; i++) this.#incomingScratch[i] = this.#incoming[i]!.ackedRound;
    for (let i = 0; i < this.#outgoing.length; i++) this.#outgoingScratch[i] = this.#outgoing[i]!.ackedRound;
    return jointIndex(this.#incomingScratch, this.#outgoingScratch);
  }

  /**
   * Members who, with this one, make a quorum: those that confirmed the newest rounds. While the configuration changes:
   * all of them.
   */
  likelyQuorum(own: number): readonly Progress[] {
    if (this.isJoint()) return this.#members;
    const others = this.#incoming.filter(({ id }) => id !== own);
    const needed = (this.#incoming.length >> 1) + (others.length === this.#incoming.length ? 1 : 0);
    return others.sort((a, b) => b.ackedRound - a.ackedRound || a.id - b.id).slice(0, needed);
  }

  /** The leader's tick count before which a quorum is known not to have heard of anybody else. */
  quorumHeartbeatTick(): number {
    for (let i = 0; i < this.#incoming.length; i++) this.#incomingScratch[i] = this.#incoming[i]!.ackedHeartbeatTick;
    for (let i = 0; i < this.#outgoing.length; i++) this.#outgoingScratch[i] = this.#outgoing[i]!.ackedHeartbeatTick;
    return jointIndex(this.#incomingScratch, this.#outgoingScratch);
  }

  quorumActive(): boolean {
    return this.#tally((progress) => progress.recentActive) === 'won';
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** The first answer of a node counts; a repeated or changed one does not. */
  recordVote(id: number, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  voteResult(): VoteResult {
    return this.#tally((progress) => this.#votes.get(progress.id));
  }

  voteCounts(): { readonly granted: number; readonly refused: number } {
    let granted = 0;
    let refused = 0;
    for (const [id, vote] of this.#votes) {
      if (!this.isVoter(id)) continue;
      if (vote) granted++;
      else refused++;
    }
    return { granted, refused };
  }

  #tally(answer: (progress: Progress) => boolean | undefined): VoteResult {
    const half = (voters: readonly Progress[]) => {
      let granted = 0;
      let refused = 0;
      for (const voter of voters) {
        const said = answer(voter);
        if (said === true) granted++;
        else if (said === false) refused++;
      }
      return majorityVote(voters.length, granted, refused);
    };
    return jointVote(half(this.#incoming), half(this.#outgoing));
  }
}

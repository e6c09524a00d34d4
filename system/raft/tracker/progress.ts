import { Inflights } from './inflights.ts';
import type { ProgressState } from './progress-state.ts';

export interface InflightLimits {
  readonly maxInflightMsgs: number;
  readonly maxInflightBytes: number;
}

/**
 * What the leader knows of one node's log, and how it sends to it (Raft thesis, section 10.2.1: pipelining).
 * Always: match < next.
 */
export class Progress {
  readonly id: number;
  /** The log is known to agree with the leader's up to here. */
  match = 0;
  /** The next entry to send; what lies between was sent and is not acknowledged. */
  next: number;
  state: ProgressState = 'probe';
  /** The highest commit index that a message to this node has carried, as far as it can have made use of it. */
  sentCommit = 0;
  /** The last entry that this node itself proposed: it waits to be told that this is committed. */
  awaitedCommit = 0;
  /** In state snapshot: the index of the snapshot that is on its way. */
  pendingSnapshot = 0;
  /** Heard from since the last CheckQuorum. */
  recentActive: boolean;
  /** A probe is on its way, or the window was full: nothing more before the node says something. */
  appendsPaused = false;
  /** The newest read round that this node confirmed. */
  ackedRound = 0;
  /** The leader's tick count when it sent the newest heartbeat that this node answered. */
  ackedHeartbeatTick = Number.NEGATIVE_INFINITY;
  readonly inflights: Inflights;

  constructor(id: number, next: number, recentActive: boolean, limits: InflightLimits) {
    this.id = id;
    this.next = next;
    this.recentActive = recentActive;
    this.inflights = new Inflights(limits.maxInflightMsgs, limits.maxInflightBytes);
  }

  becomeProbe(): void {
    // After a snapshot was sent, the entries to try next are those behind it.
    this.next = this.state === 'snapshot' ? Math.max(this.match + 1, this.pendingSnapshot + 1) : this.match + 1;
    this.#enter('probe');
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  #enter(state: ProgressState): void {
    this.appendsPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  get paused(): boolean {
    return this.state === 'snapshot' || this.appendsPaused;
  }

  /** An append with this many entries (maybe none) and this commit index left for the node. */
  sentAppend(entries: number, payloadBytes: number, commit: number): void {
    if (this.state === 'replicate') {
      if (entries > 0) {
        this.next += entries;
        this.inflights.add(this.next - 1, payloadBytes);
      }
      // An append that could carry nothing because the window is full is the last one until something is heard.
      this.appendsPaused = this.inflights.full;
    } else if (entries > 0) {
      this.appendsPaused = true;
    }
    this.sentCommit = commit;
  }

  /** Would a message with this commit index tell the node anything that it can use? */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The node's log agrees up to `index`. @returns false when that is old news */
  acknowledged(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.appendsPaused = false;
    return true;
  }

  /**
   * The node refused an append whose entries followed `rejected`; the logs may agree up to `hint`. The hint
   * only moves `next`: it is never taken as a match.
   * @returns false when the refusal is a late one that says nothing new
   */
  refused(rejected: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.appendsPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }
}

/**
 * What a world lets a nemesis do. `harness/cluster/` does it to processes, `harness/simulate/` to objects;
 * nemeses do not know which.
 *
 * Every method resolves when the world has done it AND has looked whether it took effect, with what it saw.
 */
export type NodeId = string;

/** A directed link: messages from `from` to `to`. */
export interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
}

/**
 * What was seen of a fault's effect.
 * - `proven`: seen to work, `proof` says how.
 * - `moot`: the target was already down (or otherwise unable to show it); neither shown nor refuted.
 * - `ineffective`: a probe showed the opposite. Makes the run unknown.
 */
export interface Effect {
  readonly effect: 'proven' | 'moot' | 'ineffective';
  /** The mechanism that did it: `tcp-proxy`, `sigstop`, `preload-clock`, `simulated` … */
  readonly mechanism: string;
  /** Facts: frames dropped, the pid's state in /proc, clock readings before and after … */
  readonly proof: { readonly [name: string]: string | number | boolean | null };
}

/** A node's clock as the world should bend it. Monotonic time never jumps; only its rate may change. */
export interface ClockFault {
  /** Added to wall time, in milliseconds. */
  readonly wallOffsetMs: number;
  /** Wall seconds for each real second since the fault was set; 1 is true. */
  readonly wallRate: number;
  /** Monotonic seconds for each real second; 1 is true. Timers follow it. */
  readonly monotonicRate: number;
}

/** A wall clock that jumps to and fro. */
export interface Strobe {
  readonly offsetMs: number;
  /** How long it stays at each of the two. */
  readonly everyMs: number;
  /** How often it goes there and comes back. */
  readonly times: number;
}

/** What becomes of the messages on a link that still carries them. All zero: nothing. */
export interface Disturbance {
  /** Each arrives this much later, and up to `jitterMs` later still. */
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Of a hundred: lost, arriving twice, overtaken by later ones. */
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  readonly reorderPercent: number;
  /** The link carries no more than that; 0: as much as comes. */
  readonly bytesPerS: number;
}

/** What a node's disk does instead of its duty. Ends when `undefined` is set. */
export type DiskFault =
  /** The `after`th sync from now on fails; what the kernel kept is unknown from then on. */
  | { readonly type: 'sync-error'; readonly after: number }
  /** No room: whatever would make a file grow fails with ENOSPC. */
  | { readonly type: 'full' }
  /** Every sync takes this much longer. */
  | { readonly type: 'slow'; readonly delayMs: number }
  /** No sync returns until the fault ends. */
  | { readonly type: 'hung' }
  /**
   * Syncs return at once and have done nothing: harmless until power is lost, and then beyond what Raft survives. When
   * it ends, all is synced that they were about: as a disk writes in the end what it has only in its cache.
   */
  | { readonly type: 'lying' }
  /** The process ends in the `after`th write or sync from now on. */
  | { readonly type: 'crash'; readonly at: 'write' | 'sync'; readonly after: number };

/** What becomes of a file of a node that is down. */
export interface Damage {
  readonly file: 'log' | 'snapshot';
  /**
   * A bit turned over; the end cut off; a sector's content standing in another's place as well: each within what is
   * written there, not in the zeros ahead of it. `old`: the files of that kind as they were when the node last began to
   * serve, as from a backup, for those that are there now. `restore` takes damage back: all that the node had on disk
   * before it, unless it has served since (it would forget what it has acknowledged).
   */
  readonly how: 'flip' | 'truncate' | 'misdirect' | 'old' | 'restore';
}

/** What a node has too little of. */
export interface Starvation {
  readonly of: 'cpu' | 'memory' | 'descriptors';
}

/** A moment in the protocol that a nemesis may react to, before anything else happens. */
export type Moment =
  | 'elected'
  | 'first-append'
  /** Most nodes now hold an entry of an earlier term that a new leader has brought them. */
  | 'old-append'
  /** A leader knows of a committed entry of its own term, and nobody else does. */
  | 'committed'
  | 'snapshot-taken'
  | 'snapshot-sent'
  | 'snapshot-received'
  | 'configuration-entered';

/** How a fault is done, beyond whom it hits: one for each kind of fault that has something to say. */
export type Setting =
  | { readonly type: 'clock'; readonly clock: ClockFault }
  | { readonly type: 'strobe'; readonly strobe: Strobe }
  | { readonly type: 'disturbance'; readonly disturbance: Disturbance }
  | { readonly type: 'disk'; readonly disk: DiskFault }
  | { readonly type: 'damage'; readonly damage: Damage }
  | { readonly type: 'starvation'; readonly starvation: Starvation }
  | { readonly type: 'transfer'; readonly transfer: Transfer }
  | { readonly type: 'snapshots'; readonly snapshots: Snapshots }
  | { readonly type: 'members'; readonly members: MemberChanges }
  | { readonly type: 'reaction'; readonly reaction: Reaction };

/** A handover of leadership to the one node that is hit. */
export interface Transfer {
  /**
   * What is done to it before: nothing; cut off for a while, so that it lags; cut off, or paused, until the end; made
   * deaf for the leader until it was asked for, so that it never hears of it.
   */
  readonly first: 'nothing' | 'lag' | 'cut-off' | 'pause' | 'deafen';
  /** The links are cut this much after it was asked for; undefined: never. */
  readonly cutAfterMs?: number | undefined;
}

/** Snapshots taken one right after another on the nodes that are hit. */
export interface Snapshots {
  readonly times: number;
  /** This one is cut off before, so that it lags, and heals while they are taken. */
  readonly behind?: NodeId | undefined;
}

/** Changes of members on request. */
export interface MemberChanges {
  /** Who votes, one after another; asked for all at once, or each when the one before was answered. */
  readonly voters: readonly (readonly NodeId[])[];
  readonly atOnce: boolean;
  /** Removed, and added again with an empty disk as new members. */
  readonly replaced: readonly NodeId[];
  /** Whoever enters the first new configuration, and these, are heard no more by the others from there and then. */
  readonly cutWith?: readonly NodeId[] | undefined;
}

/** Something done not now, but when moments come: one step after another, each instead of the one before. */
export interface Reaction {
  readonly steps: readonly ReactionStep[];
  /** What is done first, so that the moments come: undefined is whatever the kind of fault does. */
  readonly scene?: Scene | undefined;
  /** The last step stays until the others have elected another leader. */
  readonly untilElected?: true | undefined;
}

/** Nothing; whoever leads is cut off, or killed; the node that is hit falls behind; other nodes vote. */
export type Scene = 'nothing' | 'leader-cut' | 'leader-killed' | 'lag' | 'members';

export interface ReactionStep {
  readonly moment: Moment;
  /** How long after it. */
  readonly afterMs: number;
  /** Whom it hits: whose moment it is, the other end, both as one side, everybody but whose moment it is, or all. */
  readonly hits: 'node' | 'peer' | 'both' | 'others' | 'all';
  /** Undefined: what the kind of fault does. */
  readonly act?: Act | undefined;
}

/** Cut off both ways; unheard; hearing nobody; ended; ended without what was not synced; stopped for a while. */
export type Act = 'cut' | 'silence' | 'deafen' | 'kill' | 'power-loss' | 'pause';

/** A moment that came. */
export interface Happening {
  /** The new leader; whoever takes, sends or receives the snapshot, or enters the configuration. */
  readonly node: NodeId;
  /** At a first append the follower that got it; of a snapshot on its way the other end. */
  readonly peer?: NodeId;
}

export interface World {
  readonly nodes: readonly NodeId[];
  /** Monotonic time stays as it is here. */
  readonly bendsWallClocksOnly?: boolean;
  /** The nodes that now believe to be leader; asked of the nodes themselves, so it may be none or several. */
  primaries(): Promise<readonly NodeId[]>;
  /** Stops messages on exactly these links, instead of whatever was cut before. An empty list heals. */
  cut(links: readonly Link[]): Promise<Effect>;
  /** Disturbs exactly these links, instead of whatever was disturbed before. An empty list ends it. Not in every world. */
  disturb?(links: readonly Link[], disturbance: Disturbance): Promise<Effect>;
  /** Breaks the connections that now carry these links; they may be made again at once. Not in every world. */
  reset?(links: readonly Link[]): Promise<Effect>;
  /**
   * Starts a node that is down; resolves when it answers. Of a node whose files were damaged also when it has refused
   * to start because of that, which is proven, with what it said as `refused` in the proof.
   */
  start(node: NodeId): Promise<Effect>;
  /** Ends the process at once, with no chance to clean up; resolves when it is gone. */
  kill(node: NodeId): Promise<Effect>;
  /** Ends the process and takes back what it has written and not synced. Not in every world. */
  losePower?(node: NodeId): Promise<Effect>;
  pause(node: NodeId): Promise<Effect>;
  resume(node: NodeId): Promise<Effect>;
  setClock(node: NodeId, fault: ClockFault): Promise<Effect>;
  /**
   * Resolves when the node has met the fault, with how often; `moot` when it has not within a while, or is down.
   * A process that ends of it was ended by the nemesis. Not in every world, nor every type, as with all that follow.
   */
  setDisk?(node: NodeId, fault: DiskFault | undefined): Promise<Effect>;
  /** Harms a file of a node that is down. */
  damage?(node: NodeId, damage: Damage): Promise<Effect>;
  /** Takes all that a node has on disk, while it is down. It does not start again before it is added as a new member. */
  wipe?(node: NodeId): Promise<Effect>;
  starve?(node: NodeId, starvation: Starvation | undefined): Promise<Effect>;
  /** The leader is asked, through the store's own API, to hand over to this node. */
  transferLeadership?(to: NodeId): Promise<Effect>;
  /** Through the store's own API and in one change: these nodes vote, the cluster's others only learn. */
  setVoters?(voters: readonly NodeId[]): Promise<Effect>;
  /** A node's member is removed for good, and its process ended. */
  removeMember?(node: NodeId): Promise<Effect>;
  /** A removed node comes back with an empty disk as a new member, and votes when it has caught up. */
  addMember?(node: NodeId): Promise<Effect>;
  /** A node takes a snapshot and compacts its log now. */
  takeSnapshot?(node: NodeId): Promise<Effect>;
  /** The moments that it can tell of. */
  readonly moments?: ReadonlySet<Moment>;
  /**
   * The next such moment; undefined when there is none in that time. What is asked of the world at once, before
   * anything else is waited for, is done before anybody hears what that node was about to say: a reaction that nobody
   * outside could match.
   */
  next?(moment: Moment, withinMs: number): Promise<Happening | undefined>;
  /** Resolves after that much of the run's time; rejects with `AbortError` when the run ends first. */
  sleep(ms: number): Promise<void>;
  /** Integer in [0, bound), seeded. */
  random(bound: number): number;
}

/** A line of `faults.ndjson`: what was asked for, of whom, when, and whether it took effect. */
export interface FaultRecord {
  /** `partition`, `pause`, `kill`, `clock` … */
  readonly kind: string;
  /** The variant: `halves`, `one`, `one-way`, `majorities-ring`, `majority`, `all`, `jump`, `drift`, `rate` … */
  readonly variant: string;
  /** Pairs the start of a fault with its end. */
  readonly id: number;
  readonly phase: 'start' | 'end';
  /** Nanoseconds since the start of the run: when it was asked for, and when the world had done it. */
  readonly time: number;
  readonly doneTime: number;
  readonly nodes: readonly NodeId[];
  readonly links?: readonly Link[] | undefined;
  /** What more it takes to do the same again. */
  readonly setting?: Setting | undefined;
  readonly effects: readonly (Effect & { readonly node?: NodeId | undefined })[];
}

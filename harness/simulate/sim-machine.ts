import type { NodeId } from '../../nemesis/world.ts';
import type { RunningNode } from '../../system/node/index.ts';
import type { ProcessRecord } from '../cluster/exits.ts';
import type { SimProcess } from './scheduler.ts';
import type { HardwareClock } from './sim-clock.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimFile } from './sim-file.ts';

/** What a node logged; made into a line only where somebody wants to see it. */
export interface LogRecord {
  readonly level: string;
  readonly time: number;
  readonly event: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** A machine: its disk and its clock outlive the processes that run on it. */
export interface SimMachine {
  readonly node: NodeId;
  /** Its id in the store: another, and never used before, when it comes back as a new member. */
  number: number;
  readonly disk: SimDisk;
  readonly clock: HardwareClock;
  /** Lines of its audit file, which a disk that loses power does not lose. */
  readonly audit: string[];
  /** Starts and ends of its processes. */
  readonly life: ProcessRecord[];
  /** The last records of its log. */
  readonly logTail: LogRecord[];
  /** Files that were damaged, and what was on the disk before, until it serves again. */
  readonly damaged: Set<string>;
  undamaged: ReadonlyMap<string, SimFile> | undefined;
  /** Its snapshots when it last began to serve. */
  old: ReadonlyMap<string, SimFile>;
  /** It has forgotten what it acknowledged, and may only come back as a new member. */
  isEmptied: boolean;
  process: SimProcess | undefined;
  /** Present once it serves. */
  running: RunningNode | undefined;
  incarnations: number;
}

/** Takes all that is on its disk, and what was known of that. */
export function empty(machine: SimMachine): void {
  machine.disk.reformat();
  machine.damaged.clear();
  machine.undamaged = undefined;
  machine.old = new Map();
}

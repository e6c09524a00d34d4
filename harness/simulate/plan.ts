import { faultKinds } from '../../nemesis/kinds.ts';
import type { ScriptedFault } from '../../nemesis/script.ts';
import { starvations } from '../../nemesis/starvation.ts';
import { drawPhases, drawSwarm, type Phase } from '../../nemesis/swarm.ts';
import type { ReadMode } from '../../system/client/index.ts';
import { pick, type Random, seededRandom } from '../generator/random.ts';
import type { ScriptedOp } from '../generator/scripted.ts';
import { calmDisk, type DiskConditions } from './sim-disk.ts';
import { calmNetwork, type NetworkConditions } from './sim-network.ts';
import type { Tuning } from './sim-processes.ts';

/** What the command line says of a simulated run; what it leaves open is drawn from the seed (swarm testing). */
export interface SimulationOptions {
  readonly workload: string;
  readonly timeLimitMs: number;
  readonly ratePerS: number;
  readonly opTimeoutMs: number;
  readonly nodes?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly keys?: number | undefined;
  readonly reads?: ReadMode | undefined;
  readonly sessions?: boolean | undefined;
  readonly faults?: readonly string[] | undefined;
  readonly onViolation?: SimulationPlan['onViolation'] | undefined;
}

/** Everything that a simulated run depends on, besides the code. */
export interface SimulationPlan {
  readonly seed: number;
  readonly workload: string;
  readonly timeLimitMs: number;
  readonly ratePerS: number;
  readonly opTimeoutMs: number;
  readonly nodes: number;
  readonly concurrency: number;
  readonly keys: number;
  readonly opsPerKey: number;
  /** How keys are read. A lease holds while no two clocks differ in rate by a factor of two: they do not then. */
  readonly reads: ReadMode;
  /** Whether a client sends a write again while nobody knows what became of it, in a session. */
  readonly sessions: boolean;
  readonly faults: readonly string[];
  /** The kinds were drawn, and not all of them need have their turn: as in a swarm of real processes. */
  readonly swarm: boolean;
  /** What is done one after another, healing in between; `faults` are the kinds of all of them. */
  readonly phases: readonly Phase[];
  readonly convergeMaxMs: number;
  /** While faults are on; when they are healed, network and disks are calm. */
  readonly network: NetworkConditions;
  readonly disk: DiskConditions;
  readonly tuning: Tuning;
  /**
   * What it comes to when a step of the nodes breaks an invariant, or a node an assertion of its own: the run stops,
   * or the node ends; or it is put on record and all go on, for the checkers to show what becomes of it.
   */
  readonly onViolation: 'stop' | 'record';
  /** Exactly these operations and faults, instead of those that the seed makes up. */
  readonly script?:
    | { readonly operations: readonly ScriptedOp[]; readonly faults: readonly ScriptedFault[] }
    | undefined;
}

/** Kinds that the simulated world has a power for: nothing in it can run short of memory or descriptors. */
export const simulatedKinds: readonly string[] = faultKinds.filter((kind) => !Object.hasOwn(starvations, kind));

/** From no rest between elections to one fault for most of a phase, for what only shows after a while. */
const intervalsMs = [500, 1000, 2000, 4000, 10_000] as const;

/** A healed cluster must come together within this much virtual time. */
const convergeMaxMs = 20_000;

/** What a seed stands for: how many nodes, keys and clients, which faults, how bad the network and the disks. */
export function planFor(options: SimulationOptions, seed: number): SimulationPlan {
  const random = seededRandom(seed, 'plan');
  const below = (bound: number) => random.below(bound);
  // Each draw happens whether or not an option overrides it, so that fixing one leaves the others as they were.
  const drawn = {
    // With three nodes every coincidence is likelier; some need five.
    nodes: pick(random, [3, 5]),
    concurrency: 3 + random.below(8),
    keys: 1 + random.below(5),
    opsPerKey: pick(random, [100, 300, 1000]),
    phases: drawPhases(() => drawSwarm(simulatedKinds, intervalsMs, below), options.timeLimitMs, below),
    network: drawNetwork(random),
    disk: drawDisk(random),
    electionTicks: pick(random, [5, 10, 10]),
    // Of entries that always come together none is ever committed alone.
    appendBytesMax: pick(random, [1, 1, 1, 1024, 1024 * 1024]),
    sizes: {
      snapshotEntries: pick(random, [10, 30, 100, 300, 1000]),
      segmentBytes: pick(random, [16, 64, 256]) * 1024,
    },
    // Every snapshot carries it whole: with few entries between snapshots a long one would be most of a run's work.
    historyEventsMax: pick(random, [20, 100, 500]),
    reads: pick(random, ['linearizable', 'linearizable', 'linearizable', 'lease'] as const),
    sessions: random.below(4) === 0,
  };
  const { workload, timeLimitMs, ratePerS, opTimeoutMs } = options;
  const phases = drawn.phases.map((phase) => ({ ...phase, kinds: options.faults ?? phase.kinds }));
  const faults = [...new Set(phases.flatMap(({ kinds }) => kinds))];
  return {
    seed,
    workload,
    timeLimitMs,
    ratePerS,
    opTimeoutMs,
    nodes: options.nodes ?? drawn.nodes,
    concurrency: options.concurrency ?? drawn.concurrency,
    keys: options.keys ?? drawn.keys,
    opsPerKey: drawn.opsPerKey,
    reads: options.reads ?? drawn.reads,
    sessions: options.sessions ?? drawn.sessions,
    faults,
    swarm: options.faults === undefined,
    phases,
    convergeMaxMs,
    onViolation: options.onViolation ?? 'stop',
    network: drawn.network,
    disk: drawn.disk,
    tuning: {
      tickMs: 50,
      electionTicks: drawn.electionTicks,
      heartbeatTicks: 1,
      appendBytesMax: drawn.appendBytesMax,
      historyEventsMax: drawn.historyEventsMax,
      // Files must grow often for a full disk to be met.
      ...(faults.includes('disk-full') ? { snapshotEntries: 30, segmentBytes: 16 * 1024 } : drawn.sizes),
    },
  };
}

function drawNetwork(random: Random): NetworkConditions {
  const rate = (most: number) => (random.below(2) === 0 ? 0 : random.below(most + 1));
  return {
    latencyUs: pick(random, [50, 150, 1000, 5000]),
    jitterUs: pick(random, [100, 500, 5000, 30_000]),
    lose: rate(100),
    duplicate: rate(pick(random, [200, 5000])),
    reorder: rate(200),
    reset: rate(5),
  };
}

function drawDisk(random: Random): DiskConditions {
  return {
    ...calmDisk,
    syncUs: pick(random, [50, 150, 1000, 10_000]),
    syncJitterUs: pick(random, [100, 350, 5000, 50_000]),
    stall: random.below(2) === 0 ? 0 : random.below(20),
    stallUs: pick(random, [50_000, 500_000, 2_000_000]),
  };
}

/** What a run has while nothing is broken on purpose. */
export const calm = { network: calmNetwork, disk: calmDisk } as const;

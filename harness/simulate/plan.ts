import { faultKinds } from '../../nemesis/kinds.ts';
import type { ScriptedFault } from '../../nemesis/script.ts';
import { starvations } from '../../nemesis/starvation.ts';
import { pick, type Random, seededRandom } from '../generator/random.ts';
import type { ScriptedOp } from '../generator/scripted.ts';
import type { Tuning } from './sim-cluster.ts';
import { calmDisk, type DiskConditions } from './sim-disk.ts';
import { calmNetwork, type NetworkConditions } from './sim-network.ts';

/** What the command line says of a simulated run; what it leaves open is drawn from the seed (swarm testing). */
export interface SimulationOptions {
  readonly workload: string;
  readonly timeLimitMs: number;
  readonly ratePerS: number;
  readonly opTimeoutMs: number;
  readonly nodes?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly keys?: number | undefined;
  readonly faults?: readonly string[] | undefined;
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
  readonly faults: readonly string[];
  readonly faultIntervalMs: number;
  readonly convergeMaxMs: number;
  /** While faults are on; when they are healed, network and disks are calm. */
  readonly network: NetworkConditions;
  readonly disk: DiskConditions;
  readonly tuning: Tuning;
  /** Exactly these operations and faults, instead of those that the seed makes up. */
  readonly script?:
    | { readonly operations: readonly ScriptedOp[]; readonly faults: readonly ScriptedFault[] }
    | undefined;
}

/** Kinds that the simulated world has a power for: nothing in it can run short of memory or descriptors. */
export const simulatedKinds: readonly string[] = faultKinds.filter((kind) => !Object.hasOwn(starvations, kind));

/** More kinds than this in one run would leave each of them too few turns. */
const faultKindsMax = 4;

/** A healed cluster must come together within this much virtual time. */
const convergeMaxMs = 20_000;

/** What a seed stands for: how many nodes, keys and clients, which faults, how bad the network and the disks. */
export function planFor(options: SimulationOptions, seed: number): SimulationPlan {
  const random = seededRandom(seed, 'plan');
  // Each draw happens whether or not an option overrides it, so that fixing one leaves the others as they were.
  const drawn = {
    nodes: pick(random, [3, 5, 5]),
    concurrency: 3 + random.below(8),
    keys: 1 + random.below(5),
    opsPerKey: pick(random, [100, 300, 1000]),
    faults: someOf(random, simulatedKinds),
    faultIntervalMs: 2000 + random.below(6) * 1000,
    network: drawNetwork(random),
    disk: drawDisk(random),
    sizes: {
      snapshotEntries: pick(random, [30, 100, 300, 1000]),
      segmentBytes: pick(random, [16, 64, 256]) * 1024,
    },
  };
  const { workload, timeLimitMs, ratePerS, opTimeoutMs } = options;
  const faults = options.faults ?? drawn.faults;
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
    faults,
    // In a short run, too, each kind gets its turn.
    faultIntervalMs: Math.min(drawn.faultIntervalMs, Math.round(timeLimitMs / (faults.length + 1))),
    convergeMaxMs,
    network: drawn.network,
    disk: drawn.disk,
    tuning: {
      tickMs: 50,
      electionTicks: 10,
      heartbeatTicks: 1,
      // Files must grow often for a full disk to be met.
      ...(faults.includes('disk-full') ? { snapshotEntries: 30, segmentBytes: 16 * 1024 } : drawn.sizes),
    },
  };
}

/** A few of them, each set of that size as likely as any other. */
function someOf(random: Random, kinds: readonly string[]): readonly string[] {
  const left = [...kinds];
  const count = 1 + random.below(faultKindsMax);
  return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)).flat();
}

function drawNetwork(random: Random): NetworkConditions {
  const rate = (most: number) => (random.below(2) === 0 ? 0 : random.below(most + 1));
  return {
    latencyUs: pick(random, [50, 150, 1000, 5000]),
    jitterUs: pick(random, [100, 500, 5000, 30_000]),
    lose: rate(100),
    duplicate: rate(200),
    reorder: rate(200),
    reset: rate(5),
  };
}

function drawDisk(random: Random): DiskConditions {
  return {
    ...calmDisk,
    syncUs: pick(random, [50, 150, 1000]),
    syncJitterUs: pick(random, [100, 350, 5000]),
    stall: random.below(2) === 0 ? 0 : random.below(20),
    stallUs: pick(random, [50_000, 500_000, 2_000_000]),
  };
}

/** What a run has while nothing is broken on purpose. */
export const calm = { network: calmNetwork, disk: calmDisk } as const;

import { z } from 'zod';
import type { Setting } from '../../nemesis/world.ts';
import { readModes } from '../../system/client/index.ts';
import type { SimulationPlan } from './plan.ts';

const count = z.number().int().nonnegative();
const nodes = z.array(z.string());
const link = z.object({ from: z.string(), to: z.string() });

const operation = z.object({
  time: count,
  thread: count,
  f: z.string(),
  key: z.json().optional(),
  value: z.json().optional(),
});

const clock = z.object({ wallOffsetMs: z.number(), wallRate: z.number(), monotonicRate: z.number() });
const disturbance = z.object({
  delayMs: z.number(),
  jitterMs: z.number(),
  lossPercent: z.number(),
  duplicatePercent: z.number(),
  reorderPercent: z.number(),
  // Runs of earlier versions have none.
  bytesPerS: z.number().default(0),
});
const disk = z.discriminatedUnion('type', [
  z.object({ type: z.literal('sync-error'), after: count }),
  z.object({ type: z.literal('full') }),
  z.object({ type: z.literal('slow'), delayMs: z.number() }),
  z.object({ type: z.literal('hung') }),
  z.object({ type: z.literal('lying') }),
  z.object({ type: z.literal('crash'), at: z.enum(['write', 'sync']), after: count }),
]);
const damage = z.object({
  file: z.enum(['log', 'snapshot']),
  how: z.enum(['flip', 'truncate', 'misdirect', 'old', 'restore']),
});
const starvation = z.object({ of: z.enum(['cpu', 'memory', 'descriptors']) });
const transfer = z.object({
  first: z.enum(['nothing', 'lag', 'cut-off', 'pause', 'deafen']),
  cutAfterMs: z.number().optional(),
});
const snapshots = z.object({ times: count, behind: z.string().optional() });
const members = z.object({
  voters: z.array(nodes),
  atOnce: z.boolean(),
  replaced: nodes,
  cutWith: nodes.optional(),
});
const reaction = z.object({
  steps: z.array(
    z.object({
      moment: z.enum([
        'elected',
        'first-append',
        'old-append',
        'committed',
        'snapshot-taken',
        'snapshot-sent',
        'snapshot-received',
        'configuration-entered',
      ]),
      afterMs: z.number(),
      hits: z.enum(['node', 'peer', 'both', 'others', 'all']),
      act: z.enum(['cut', 'silence', 'deafen', 'kill', 'power-loss', 'pause']).optional(),
    }),
  ),
  scene: z.enum(['nothing', 'leader-cut', 'leader-killed', 'lag', 'members']).optional(),
  untilElected: z.literal(true).optional(),
});

const setting: z.ZodType<Setting> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('clock'), clock }),
  z.object({ type: z.literal('strobe'), strobe: z.object({ offsetMs: z.number(), everyMs: count, times: count }) }),
  z.object({ type: z.literal('disturbance'), disturbance }),
  z.object({ type: z.literal('disk'), disk }),
  z.object({ type: z.literal('damage'), damage }),
  z.object({ type: z.literal('starvation'), starvation }),
  z.object({ type: z.literal('transfer'), transfer }),
  z.object({ type: z.literal('snapshots'), snapshots }),
  z.object({ type: z.literal('members'), members }),
  z.object({ type: z.literal('reaction'), reaction }),
]);

/** A fault as it stands in a script. */
export const scriptedFault = z.object({
  kind: z.string(),
  variant: z.string(),
  startNs: count,
  endNs: count,
  chosen: z.object({
    nodes,
    links: z.array(link).optional(),
    setting: setting.optional(),
  }),
});

const plan = z.object({
  seed: count,
  workload: z.string(),
  timeLimitMs: count,
  ratePerS: count,
  opTimeoutMs: count,
  nodes: count,
  concurrency: count,
  keys: count,
  opsPerKey: count,
  // Runs from before there was a choice.
  reads: z.enum(readModes).default('linearizable'),
  sessions: z.boolean().default(false),
  faults: z.array(z.string()),
  // Runs from before swarms were told apart.
  swarm: z.boolean().default(false),
  phases: z
    .array(
      z.object({
        kinds: z.array(z.string()),
        intervalMs: count,
        durations: z.array(z.number()),
        lengthMs: count,
      }),
    )
    .min(1),
  convergeMaxMs: count,
  network: z.object({
    latencyUs: count,
    jitterUs: count,
    lose: count,
    duplicate: count,
    reorder: count,
    reset: count,
  }),
  disk: z.object({
    syncUs: count,
    syncJitterUs: count,
    stallUs: count,
    stall: count,
  }),
  tuning: z.object({
    tickMs: count,
    electionTicks: count,
    heartbeatTicks: count,
    appendBytesMax: count,
    snapshotEntries: count,
    segmentBytes: count,
    historyEventsMax: count,
  }),
  // Runs from before there was a choice.
  onViolation: z.enum(['stop', 'record']).default('stop'),
  script: z.object({ operations: z.array(operation), faults: z.array(scriptedFault) }).optional(),
});

/**
 * Reads a plan from a run folder or another thread.
 * @throws ZodError
 */
export function parsePlan(given: unknown): SimulationPlan {
  // Missing and undefined are the same in JSON, which exactOptionalPropertyTypes does not know.
  return plan.parse(given) as SimulationPlan;
}

import { z } from 'zod';

/**
 * A piece of a night: one run of a verb of the command line, in a process of its own, so that a night outlives
 * whatever a run dies of. Plain data: it goes into the journal and over a queue.
 */
export const jobSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('sim'),
    id: z.string(),
    cell: z.string(),
    workload: z.string(),
    /** Null: drawn from each seed. */
    faults: z.array(z.string()).nullable(),
    seed: z.number(),
    seeds: z.number(),
    timeLimitMs: z.number(),
    mutant: z.string().nullable(),
  }),
  z.object({
    type: z.literal('real'),
    id: z.string(),
    cell: z.string(),
    target: z.string(),
    /** Further words of the command line: a target's own flags. */
    flags: z.array(z.string()),
    workload: z.string(),
    /** Null: the default ones. */
    faults: z.array(z.string()).nullable(),
    seed: z.number(),
    timeLimitMs: z.number(),
    mutant: z.string().nullable(),
  }),
  z.object({
    type: z.literal('mutant'),
    id: z.string(),
    cell: z.string(),
    mutant: z.string(),
    timeLimitMs: z.number(),
  }),
]);

export type Job = z.infer<typeof jobSchema>;

const failureSchema = z.object({
  /** What it is grouped by. */
  signature: z.string(),
  /** Every `section:kind` that the run shows. */
  anomalies: z.array(z.string()),
  seed: z.number(),
  summary: z.string(),
  /** The run's folder on the machine that made it. */
  folder: z.string(),
  at: z.string(),
});

export type Failure = z.infer<typeof failureSchema>;

export const jobResultSchema = z.object({
  id: z.string(),
  cell: z.string(),
  /** Runs or seeds that came to a verdict, by it. */
  valid: z.number(),
  invalid: z.number(),
  unknown: z.number(),
  /** Operations of clients that succeeded. */
  operations: z.number(),
  virtualMs: z.number(),
  /** Why runs were unknown, each once, a few of them. */
  reasons: z.array(z.string()),
  coverage: z.record(z.string(), z.number()),
  failures: z.array(failureSchema),
  /** Of a job `mutant`: whether the section of its row found it, and after how many seconds. */
  found: z.object({ seconds: z.number(), by: z.string() }).nullable(),
  /** The job came to no result at all: it says nothing of the system. */
  trouble: z.string().nullable(),
  startedAt: z.string(),
  tookMs: z.number(),
});

export type JobResult = z.infer<typeof jobResultSchema>;

/** A job that came to nothing. */
export function troubled(job: Job, startedAt: Date, trouble: string): JobResult {
  return {
    id: job.id,
    cell: job.cell,
    valid: 0,
    invalid: 0,
    unknown: 0,
    operations: 0,
    virtualMs: 0,
    reasons: [],
    coverage: {},
    failures: [],
    found: null,
    trouble,
    startedAt: startedAt.toISOString(),
    tookMs: Date.now() - startedAt.getTime(),
  };
}

import { z } from 'zod';
import type { Failure } from './job.ts';

/** What became of a failure that was looked into: shrunk and done again. */
export const exampleSchema = z.object({
  signature: z.string(),
  folder: z.string(),
  seed: z.number(),
  world: z.enum(['sim', 'real']),
  /** Undefined where it could not be shrunk: a run of real processes, or an anomaly that did not come back by script. */
  shrunk: z
    .object({ folder: z.string(), report: z.string(), operations: z.number(), faults: z.number(), nodes: z.number() })
    .optional(),
  replay: z.object({ times: z.number(), cameBack: z.number() }),
  /** To copy: shows it again. */
  command: z.string(),
  /** What could not be done with it. */
  trouble: z.string().optional(),
});

export type Example = z.infer<typeof exampleSchema>;

export const groupSchema = z.object({
  signature: z.string(),
  count: z.number(),
  /** When it was first and last seen, in this or an earlier night. */
  first: z.string(),
  last: z.string(),
  summary: z.string(),
  /** Runs, bounded; `count` counts all. */
  runs: z.array(z.object({ folder: z.string(), seed: z.number() })),
  /** The smallest first. */
  examples: z.array(exampleSchema),
});

/** All failures of one signature: one row, however many they are. */
export type Group = z.infer<typeof groupSchema>;

const runsKeptMax = 100;

/** @param firstSeen of earlier nights, by signature */
export function groupsOf(
  failures: readonly Failure[],
  examples: readonly Example[],
  firstSeen: ReadonlyMap<string, string>,
): readonly Group[] {
  const bySignature = new Map<string, Failure[]>();
  for (const failure of failures) {
    const members = bySignature.get(failure.signature) ?? [];
    bySignature.set(failure.signature, members);
    members.push(failure);
  }
  const groups = [...bySignature].map(([signature, members]): Group => {
    const times = members.map(({ at }) => at).sort();
    return {
      signature,
      count: members.length,
      first: [firstSeen.get(signature), times[0]].filter((at) => at !== undefined).sort()[0] ?? '',
      last: times.at(-1) ?? '',
      summary: members[0]?.summary ?? '',
      runs: members.slice(0, runsKeptMax).map(({ folder, seed }) => ({ folder, seed })),
      examples: bySize(examples.filter((example) => example.signature === signature)),
    };
  });
  return groups.sort((a, b) => b.count - a.count);
}

/** The smallest first; one that was not shrunk is larger than any that was. */
export function bySize(examples: readonly Example[]): Example[] {
  const size = ({ shrunk }: Example) =>
    shrunk === undefined ? Number.POSITIVE_INFINITY : shrunk.operations + shrunk.faults;
  return [...examples].sort((a, b) => (size(a) === size(b) ? 0 : size(a) - size(b)));
}

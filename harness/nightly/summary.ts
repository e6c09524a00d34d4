import { z } from 'zod';
import { counted } from '../../checker/words.ts';
import { groupSchema } from './group.ts';

const canarySchema = z.object({
  name: z.string(),
  /** What it has to come to. */
  must: z.enum(['pass', 'fail']),
  good: z.boolean(),
  /** What it came to. */
  told: z.string(),
  /** The planted bug, and how long it took to find. */
  mutant: z.string().optional(),
  seconds: z.number().optional(),
});

const cellSchema = z.object({
  name: z.string(),
  jobs: z.number(),
  valid: z.number(),
  invalid: z.number(),
  unknown: z.number(),
  operations: z.number(),
  virtualMs: z.number(),
  tookMs: z.number(),
  reasons: z.array(z.string()),
  troubles: z.array(z.string()),
});

/** `nightly.json`: all that a night came to. */
export const summarySchema = z.object({
  version: z.literal(1),
  id: z.string(),
  seed: z.number(),
  /** `2/8` where the matrix was split; all shards of a merged night. */
  shard: z.string(),
  /** The digest of the source that runs depend on. */
  code: z.string(),
  started: z.string(),
  ended: z.string(),
  budgetMs: z.number(),
  usedMs: z.number(),
  /** A bug planted as if it were a real one. */
  mutant: z.string().nullable(),
  colour: z.enum(['green', 'red', 'unknown']),
  /** Why it is not green. */
  reasons: z.array(z.string()),
  canaries: z.array(canarySchema),
  cells: z.array(cellSchema),
  groups: z.array(groupSchema),
  coverage: z.record(z.string(), z.number()),
});

export type Summary = z.infer<typeof summarySchema>;
export type CellSummary = z.infer<typeof cellSchema>;
export type Canary = z.infer<typeof canarySchema>;

/** The figures that colour a night. */
export type Facts = Pick<Summary, 'canaries' | 'cells' | 'groups'> & { readonly interrupted: boolean };

/**
 * Green only when something was looked at and everything was as it should be: a canary that is not makes it red, as a
 * violation does; whatever was not seen makes it unknown.
 */
export function colourOf({ canaries, cells, groups, interrupted }: Facts): Pick<Summary, 'colour' | 'reasons'> {
  const red = [
    ...canaries.filter(({ good }) => !good).map(({ name, told }) => `canary ${name}: ${told}`),
    ...groups.map(({ signature, count }) => `${signature}: ${count} ${count === 1 ? 'run' : 'runs'}`),
  ];
  const doubts = [
    ...(interrupted ? ['interrupted before its time was over'] : []),
    ...(canaries.some(({ must }) => must === 'fail') ? [] : ['no canary that must fail was run']),
    ...(canaries.some(({ must }) => must === 'pass') ? [] : ['no canary that must pass was run']),
    ...(cells.length === 0 ? ['nothing was run'] : []),
    ...cells.flatMap(doubtsOf),
  ];
  const colour = red.length > 0 ? 'red' : doubts.length > 0 ? 'unknown' : 'green';
  return { colour, reasons: [...red, ...doubts] };
}

function doubtsOf({ name, valid, invalid, unknown, reasons, troubles }: CellSummary): string[] {
  const runs = valid + invalid + unknown;
  return [
    ...(runs === 0 ? [`${name}: nothing was run`] : []),
    ...(unknown > 0 ? [`${name}: ${unknown} of ${runs} unknown: ${reasons[0] ?? 'no reason given'}`] : []),
    ...(troubles.length > 0 ? [`${name}: ${counted(troubles.length, 'job')} failed: ${troubles[0]}`] : []),
  ];
}

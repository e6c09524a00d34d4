import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const fileName = 'nightly.json';
const nightsMax = 400;

/** What a list of nights shows of one; docs/nightly.md has the whole. */
const summary = z.object({
  id: z.string(),
  started: z.string(),
  colour: z.enum(['green', 'red', 'unknown']),
  reasons: z.array(z.string()),
  cells: z.array(z.object({ valid: z.number(), invalid: z.number(), unknown: z.number(), operations: z.number() })),
});

export interface NightSummary {
  readonly id: string;
  readonly started: string;
  readonly colour: 'green' | 'red' | 'unknown';
  readonly reasons: readonly string[];
  readonly valid: number;
  readonly invalid: number;
  readonly unknown: number;
  readonly operations: number;
}

/** The nights that are over, the earliest first; their passing runs count here even when their folders are gone. */
export function readNights(root: string): readonly NightSummary[] {
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .sort()
    .slice(-nightsMax)
    .flatMap((name) => readNight(join(root, name, fileName)) ?? [])
    .sort((a, b) => (a.started < b.started ? -1 : 1));
}

function readNight(path: string): NightSummary | undefined {
  const parsed = summary.safeParse(jsonOf(path));
  if (!parsed.success) return undefined;
  const { cells, ...night } = parsed.data;
  const sum = (of: keyof (typeof cells)[number]): number => cells.reduce((total, cell) => total + cell[of], 0);
  return {
    ...night,
    valid: sum('valid'),
    invalid: sum('invalid'),
    unknown: sum('unknown'),
    operations: sum('operations'),
  };
}

/** Undefined for a night that is not over, or whose file is no JSON. */
function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

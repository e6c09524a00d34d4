import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Past } from './cell.ts';
import { type Summary, summarySchema } from './summary.ts';

export const names = {
  config: 'nightly.yaml',
  journal: 'journal.ndjson',
  runs: 'runs',
  summary: 'nightly.json',
  junit: 'junit.xml',
  markdown: 'summary.md',
  index: 'index.html',
} as const;

/** Failures older than so many nights no longer draw time to their cell. */
const lately = 7;

/** What is known of the nights in this folder, the earliest first. A night without a summary is not over. */
export function readNights(root: string): readonly Summary[] {
  if (!existsSync(root)) return [];
  const nights = readdirSync(root).flatMap((id): Summary[] => {
    const path = join(root, id, names.summary);
    if (!existsSync(path)) return [];
    const parsed = summarySchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? [parsed.data] : [];
  });
  return nights.sort((a, b) => (a.started < b.started ? -1 : 1));
}

/** What the last nights say of each cell. */
export function pastOf(nights: readonly Summary[], code: string): Past {
  const troubled = nights
    .slice(-lately)
    .flatMap(({ cells }) => cells.filter(({ invalid, unknown }) => invalid + unknown > 0));
  const passed = nights
    .filter((night) => night.code === code)
    .flatMap(({ cells }) => cells.filter(({ valid, invalid }) => valid > 0 && invalid === 0));
  return {
    troubled: new Set(troubled.map(({ name }) => name)),
    passedWithThisCode: new Set(passed.map(({ name }) => name)),
  };
}

/** When each signature was first seen. */
export function firstSeen(nights: readonly Summary[]): ReadonlyMap<string, string> {
  const seen = new Map<string, string>();
  for (const { groups } of nights) {
    for (const { signature, first } of groups) if (!seen.has(signature)) seen.set(signature, first);
  }
  return seen;
}

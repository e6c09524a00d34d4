import { closeSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import type { Results } from '../../checker/verdict.ts';
import { validSchema } from './schema.ts';

/**
 * `results.json` without its evidence, of which there may be hundreds of megabytes. It stands in the file's first line, so
 * that a list of thousands of runs reads the beginning of each and no more.
 */
const digest = z.object({
  valid: validSchema,
  sections: z.record(
    z.string(),
    z.object({
      valid: validSchema,
      summary: z.string(),
      /** How many of each kind. */
      anomalies: z.record(z.string(), z.number()),
      counts: z.record(z.string(), z.number()),
    }),
  ),
});

export type Digest = z.infer<typeof digest>;

export function digestOf({ valid, sections }: Results): Digest {
  return {
    valid,
    sections: Object.fromEntries(
      Object.entries(sections).map(([name, section]) => {
        const anomalies = new Map<string, number>();
        for (const { kind } of section.anomalies) anomalies.set(kind, (anomalies.get(kind) ?? 0) + 1);
        const { valid, summary, counts } = section;
        return [name, { valid, summary, anomalies: Object.fromEntries(anomalies), counts }];
      }),
    ),
  };
}

const begin = '{"digest":';
const end = ',';
const headBytes = 64 << 10;

/** The text of `results.json`: the digest alone on the first line, then everything. */
export function resultsText(results: Results): string {
  const rest = JSON.stringify(results, null, 2).slice(1);
  return `${begin}${JSON.stringify(digestOf(results))}${end}${rest}\n`;
}

/**
 * Reads the first line of a `results.json` and leaves the rest. Undefined when the digest is not there: the file is of
 * an earlier version, or somebody else wrote it, and must be read whole. Throws the system's error.
 */
export function readDigest(path: string): Digest | undefined {
  const descriptor = openSync(path, 'r');
  try {
    const head = Buffer.alloc(headBytes);
    const length = readSync(descriptor, head, 0, headBytes, 0);
    const [line = ''] = head.toString('utf8', 0, length).split('\n', 1);
    if (!line.startsWith(begin) || !line.endsWith(end)) return undefined;
    const parsed = digest.safeParse(jsonOf(line.slice(begin.length, -end.length)));
    return parsed.success ? parsed.data : undefined;
  } finally {
    closeSync(descriptor);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

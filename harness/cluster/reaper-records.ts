import { tmpdir } from 'node:os';
import { basename, join, normalize } from 'node:path';
import { z } from 'zod';
import { groupPrefix } from './control-group.ts';

/** The environment variable by which the reaper knows a child that it was not yet told of. */
export const TOKEN_VARIABLE = 'SPLITBRAIN_RUN';

const record = z.discriminatedUnion('type', [
  z.object({ type: z.literal('token'), token: z.string().min(16) }),
  z.object({ type: z.literal('process'), pid: z.int().positive(), startTime: z.string() }),
  z.object({ type: z.literal('gone'), pid: z.int().positive() }),
  z.object({ type: z.literal('folder'), path: z.string() }),
  z.object({ type: z.literal('removed'), path: z.string() }),
  z.object({ type: z.literal('group'), path: z.string() }),
  z.object({ type: z.literal('group-removed'), path: z.string() }),
  z.object({ type: z.literal('mount'), path: z.string() }),
  z.object({ type: z.literal('unmounted'), path: z.string() }),
  z.object({ type: z.literal('done') }),
]);

/** One line from the harness to its reaper. */
export type ReaperRecord = z.infer<typeof record>;

/** @returns undefined for a line that is cut short, as the last one may be when the harness was killed */
export function parseReaperRecord(line: string): ReaperRecord | undefined {
  try {
    return record.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Nothing else is ever removed: a wrong record must not cost anyone a folder. */
export function isTemporaryFolder(path: string): boolean {
  return normalize(path) === path && path.startsWith(join(tmpdir(), 'splitbrain-'));
}

/** As `isTemporaryFolder`, of control groups. */
export function isControlGroup(path: string): boolean {
  return normalize(path) === path && path.startsWith('/sys/fs/cgroup/') && basename(path).startsWith(groupPrefix);
}

import { z } from 'zod';
import { type ScriptedFault, scriptOf } from '../../nemesis/script.ts';
import type { FaultRecord } from '../../nemesis/world.ts';
import { readFaultFile } from '../../results/store/read.ts';
import { scriptedFault } from '../simulate/plan-schema.ts';
import { text } from './flags.ts';
import { UsageError } from './usage-error.ts';

/**
 * What `--faults FILE` says: the faults of a recorded run, to be done again.
 * @throws UsageError when there are none, or for one that this version does not know; RunFolderError for a file that
 * is not what it should be
 */
export function recordedFaults(given: unknown): {
  readonly path: string;
  readonly script: readonly ScriptedFault[];
} {
  const path = text('faults')(given);
  // The reader leaves settings unread; they are parsed with the script.
  const script = z.array(scriptedFault).safeParse(scriptOf(readFaultFile(path).records as readonly FaultRecord[]));
  if (!script.success) throw new UsageError(`--faults ${path}: ${script.error.issues[0]?.message ?? 'unreadable'}`);
  if (script.data.length === 0) throw new UsageError(`--faults ${path}: no fault was begun in it`);
  // Missing and undefined are the same in JSON, which exactOptionalPropertyTypes does not know.
  return { path, script: script.data as readonly ScriptedFault[] };
}

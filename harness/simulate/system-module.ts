import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { startNode } from '../../system/node/index.ts';

/** The compiled system beside this compiled file. */
export const ownSystem = fileURLToPath(new URL('../../system', import.meta.url));

/** The part of the compiled system that a simulation runs: the same modules that processes load. */
export interface SystemModule {
  readonly startNode: typeof startNode;
}

/**
 * Loads the system's compiled code from a folder: `dist/system`, or the copy that a mutant was planted in.
 * @throws when the folder holds no such module
 */
export async function loadSystem(folder: string): Promise<SystemModule> {
  const url = pathToFileURL(join(folder, 'node', 'index.js')).href;
  const module: unknown = await import(url);
  if (!isSystemModule(module)) throw new TypeError(`${url} is not the system's node module`);
  return module;
}

function isSystemModule(module: unknown): module is SystemModule {
  return typeof module === 'object' && module !== null && 'startNode' in module;
}

import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { setViolationHandler } from '../../system/assert.ts';
import type { startNode } from '../../system/node/index.ts';

/** The compiled system beside this compiled file. */
export const ownSystem = fileURLToPath(new URL('../../system', import.meta.url));

/** The part of the compiled system that a simulation runs: the same modules that processes load. */
export interface SystemModule {
  readonly startNode: typeof startNode;
  /** What a broken assertion of the system does, in all of its nodes. */
  readonly setViolationHandler: typeof setViolationHandler;
}

/**
 * Loads the system's compiled code from a folder: `dist/system`, or the copy that a mutant was planted in.
 * @throws when the folder holds no such module
 */
export async function loadSystem(folder: string): Promise<SystemModule> {
  const load = (...path: string[]): Promise<unknown> => import(pathToFileURL(join(folder, ...path)).href);
  const module = { ...asObject(await load('node', 'index.js')), ...asObject(await load('assert.js')) };
  if (!isSystemModule(module)) throw new TypeError(`${folder} is not the compiled system`);
  return module;
}

function asObject(module: unknown): object {
  return typeof module === 'object' && module !== null ? module : {};
}

function isSystemModule(module: object): module is SystemModule {
  return 'startNode' in module && 'setViolationHandler' in module;
}

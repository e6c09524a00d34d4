import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { SetUp } from './target.ts';

/** A program that a target needs is not on this machine: told in one line. */
export class ProgramMissing extends Error {
  override readonly name = 'ProgramMissing';
}

/**
 * Where a program is: on PATH, or in one of the other folders.
 * @param debianPackage what to install for it
 * @throws {ProgramMissing}
 */
export function findProgram(name: string, debianPackage: string, otherFolders: readonly string[] = []): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...otherFolders].filter((folder) => folder !== '');
  const found = folders.map((folder) => join(folder, name)).find(isExecutable);
  if (found !== undefined) return found;
  throw new ProgramMissing(`${name} is not on this machine; on Debian: apt-get install ${debianPackage}`);
}

/** As `findProgram`; on other computers it is wherever PATH has it there. */
export function programFor({ ssh }: Pick<SetUp, 'ssh'>, name: string, debianPackage: string): string {
  return ssh === undefined ? findProgram(name, debianPackage) : name;
}

/** Whether it is a file that can be run. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

import { relative } from 'node:path';
import type { Plan } from '../runner/run.ts';

/** Commands to copy, for a run of what was typed with this seed. */
export function commandsOf(seed: number): Plan['commands'] {
  return (folder) => ({ again: againCommand(seed), check: command('check', folder) });
}

/** What was typed, once, with the seed that it had or was given. */
function againCommand(seed: number): string {
  const typed: string[] = [];
  const words = process.argv.slice(2);
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (/^--(json|until-fail)$|^--(seed|test-count)=/.test(word)) continue;
    if (/^--(seed|test-count)$/.test(word)) at++;
    else typed.push(word);
  }
  return command(...typed, '--seed', String(seed));
}

/** A line to copy, that runs this very program from this folder. */
export function command(...words: readonly string[]): string {
  const program = relative(process.cwd(), process.argv[1] ?? '');
  return ['node', program, ...words].map(shellWord).join(' ');
}

function shellWord(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

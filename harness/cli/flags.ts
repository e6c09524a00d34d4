import { defaultRunsRoot } from '../../results/store/layout.ts';
import { UsageError } from './usage-error.ts';

/**
 * Parsers of flag values, from the text that was given to a value or one clear line. yargs hands a flag that was
 * given twice as a list, and a default as it is.
 */
export function integer(flag: string, least: number, most: number): (given: unknown) => number {
  return (given) => {
    const text = textOf(flag, given);
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new UsageError(`--${flag} ${text}: must be a whole number from ${least} to ${most}`);
  };
}

const unitMs: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `30` and `30s` are seconds; also `500ms`, `1.5m`, `2h`. Gives milliseconds. */
export function duration(flag: string, leastMs: number, mostMs: number): (given: unknown) => number {
  return (given) => {
    const text = textOf(flag, given);
    const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
    const ms = number === '' ? Number.NaN : Math.round(Number(number) * unitMs[unit]!);
    if (ms >= leastMs && ms <= mostMs) return ms;
    throw new UsageError(
      `--${flag} ${text}: must be a time from ${told(leastMs)} to ${told(mostMs)}, such as 30, 30s or 2m`,
    );
  };
}

/** A number of threads, or a multiple of the number of nodes: `10`, `3n`. */
export function threads(flag: string, most: number): (given: unknown) => (nodes: number) => number {
  return (given) => {
    const text = textOf(flag, given);
    const [, number = '', perNode = ''] = /^(\d{1,6})(n?)$/.exec(text) ?? [];
    return (nodes) => {
      const count = number === '' ? 0 : Number(number) * (perNode === '' ? 1 : nodes);
      if (count >= 1 && count <= most) return count;
      throw new UsageError(`--${flag} ${text}: must be a whole number from 1 to ${most}, or such as 3n for 3 a node`);
    };
  };
}

/** One of these names. */
export function oneOf<T>(flag: string, known: ReadonlyMap<string, T>): (given: unknown) => T {
  return (given) => {
    const text = textOf(flag, given);
    const found = known.get(text);
    if (found !== undefined) return found;
    throw new UsageError(`--${flag} ${text}: there is no such ${flag}; known: ${[...known.keys()].join(', ')}`);
  };
}

/** Some of these names, separated by commas; `none` is the empty list. */
export function someOf(flag: string, known: readonly string[]): (given: unknown) => readonly string[] {
  return (given) => {
    const text = textOf(flag, given);
    if (text === 'none') return [];
    const names = text.split(',').map((name) => name.trim());
    const strange = names.find((name) => !known.includes(name));
    if (strange === undefined) return [...new Set(names)];
    throw new UsageError(`--${flag} ${strange}: there is no such ${flag}; known: ${known.join(', ')}, none`);
  };
}

/** `name=value,name=value`. */
export function pairs(flag: string): (given: unknown) => ReadonlyMap<string, string> {
  return (given) => {
    const parts = text(flag)(given).split(',');
    return new Map(
      parts.map((part): [string, string] => {
        const at = part.indexOf('=');
        if (at < 1) throw new UsageError(`--${flag} ${part}: must be name=value, several with commas`);
        return [part.slice(0, at).trim(), part.slice(at + 1)];
      }),
    );
  };
}

/** Names with commas between. */
export function names(flag: string): (given: unknown) => readonly string[] {
  return (given) => {
    const all = text(flag)(given)
      .split(',')
      .map((name) => name.trim());
    // What begins with a dash would be an option to the program that is given it.
    if (all.every((name) => /^[^-\s]\S*$/.test(name))) return all;
    throw new UsageError(`--${flag} ${all.join(',')}: must be names with commas between`);
  };
}

/** A regular expression, as its text. */
export function expression(flag: string): (given: unknown) => string {
  return (given) => {
    const pattern = text(flag)(given);
    try {
      new RegExp(pattern);
    } catch (error) {
      throw new UsageError(`--${flag} ${pattern}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return pattern;
  };
}

/** What `--nemesis` takes besides names of kinds: to draw them. */
export const swarm = 'swarm';

/** As `someOf`, or `swarm` alone. */
export function someOrSwarm(
  flag: string,
  known: readonly string[],
): (given: unknown) => readonly string[] | typeof swarm {
  const some = someOf(flag, known);
  return (given) => (given === swarm ? swarm : some(given));
}

/** Any text but the empty one. */
export function text(flag: string): (given: unknown) => string {
  return (given) => {
    const value = textOf(flag, given);
    if (value !== '') return value;
    throw new UsageError(`--${flag} needs a value`);
  };
}

/** Where a verb looks for runs. */
export const runsRoot = {
  describe: 'Where run folders are',
  default: defaultRunsRoot,
  type: 'string',
  requiresArg: true,
  coerce: text('results'),
} as const;

function textOf(flag: string, given: unknown): string {
  if (Array.isArray(given)) throw new UsageError(`--${flag} was given ${given.length} times; give it once`);
  return String(given);
}

function told(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
}

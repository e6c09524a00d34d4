import type { Argv } from 'yargs';
import { targets } from '../target/index.ts';
import type { Target, TargetOption } from '../target/target.ts';
import { loadTarget, TargetModuleError } from '../target/user-module.ts';
import { pairs } from './flags.ts';
import { UsageError } from './usage-error.ts';

/** Flags that only some target has: one for each option of those that are known here, and one for all others'. */
export function targetFlags<T>(yargs: Argv<T>) {
  let some: Argv<unknown> = yargs;
  for (const [name, option] of knownOptions()) {
    const { about, values, default: unless } = option;
    some = some.option(name, {
      describe: values === undefined ? about : `${about}: ${values.join(', ')}`,
      ...(unless === undefined ? {} : { defaultDescription: unless }),
      type: 'string',
      requiresArg: !isSwitch(option),
    });
  }
  return (some as Argv<T>).option('target-options', {
    describe: 'What only this target has, as name=value,name=value',
    type: 'string',
    requiresArg: true,
    coerce: pairs('target-options'),
  });
}

/**
 * The store that `--target` names, or that a user's module describes.
 * @throws UsageError when there is none
 */
export async function chooseTarget(name: string): Promise<Target> {
  const known = targets.get(name);
  if (known !== undefined) return known;
  if (/[/\\]|\.m?[jt]s$/.test(name)) {
    return loadTarget(name).catch((error: unknown) => {
      throw error instanceof TargetModuleError ? new UsageError(`--target ${error.message}`) : error;
    });
  }
  throw new UsageError(
    `--target ${name}: there is no such target; known: ${[...targets.keys()].join(', ')}, or a module of yours: ./my-target.ts`,
  );
}

/**
 * The target's own options, each with what was given or its default.
 * @throws UsageError for one that it does not have, for a value that it does not take, and for one that is missing
 */
export function optionsOf(
  { name: target, options }: Target,
  given: { readonly [flag: string]: unknown } & { readonly 'target-options'?: ReadonlyMap<string, string> | undefined },
): { readonly [name: string]: string } {
  const asked = new Map(given['target-options']);
  for (const [name, option] of knownOptions()) {
    const value = given[name];
    if (Array.isArray(value)) throw new UsageError(`--${name} was given ${value.length} times; give it once`);
    if (value !== undefined) asked.set(name, value === '' && isSwitch(option) ? 'true' : String(value));
  }
  const strange = [...asked.keys()].find((name) => options[name] === undefined);
  if (strange !== undefined) throw new UsageError(`--${strange}: ${target} has no such option`);
  return Object.fromEntries(
    Object.entries(options).map(([name, { values, default: unless, about }]) => {
      const value = asked.get(name) ?? unless;
      if (value === undefined) throw new UsageError(`--${name} is missing: ${about}`);
      if (values !== undefined && !values.includes(value)) {
        throw new UsageError(`--${name} ${value}: must be one of ${values.join(', ')}`);
      }
      return [name, value];
    }),
  );
}

/** As `--target-options` takes them; null when there are none. */
export function toldOptions(options: { readonly [name: string]: string }): string | null {
  const told = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  return told.length === 0 ? null : told.join(',');
}

function knownOptions(): readonly (readonly [string, TargetOption])[] {
  return [...targets.values()].flatMap(({ options }) => Object.entries(options));
}

/** Needs no value after it. */
function isSwitch({ values }: TargetOption): boolean {
  return values?.includes('true') ?? false;
}

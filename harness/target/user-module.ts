import { existsSync } from 'node:fs';
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { faultKinds } from '../../nemesis/kinds.ts';
import { workloads } from '../workload/index.ts';
import { asyncClient } from './async-client.ts';
import { ProcessWorld, remoteFaults } from './process-world.ts';
import { type Client, nodeNames, type Outcome, type SetUp, type System, type Target } from './target.ts';
import type { Tools, UserSystem, UserTarget } from './user-target.ts';

/** A module is no target. The message is one line that says what to mend. */
export class TargetModuleError extends Error {
  override readonly name = 'TargetModuleError';
}

const functionOf = <T>() => z.custom<T>((value) => typeof value === 'function', 'must be a function');
const count = z.int().min(1).max(25);

const userTarget = z.object({
  name: z.string().min(1),
  workloads: z.array(z.enum([...workloads.keys()])).min(1),
  faults: z.array(z.enum(faultKinds)).default([]),
  remoteFaults: z.array(z.enum(remoteFaults)).optional(),
  nodes: z.object({ default: count, most: count }).default({ default: 3, most: 25 }),
  options: z
    .record(
      z.string().regex(/^[\w-]+$/),
      z.object({ about: z.string(), values: z.array(z.string()).optional(), default: z.string().optional() }),
    )
    .default({}),
  setUp: functionOf<UserTarget['setUp']>(),
});

const userSystem = z.object({
  nodes: z.array(z.string()).min(1),
  world: z.custom<UserSystem['world']>((value) => value === undefined || isWorld(value), 'is no world').optional(),
  client: functionOf<UserSystem['client']>(),
  status: functionOf<UserSystem['status']>(),
  tearDown: functionOf<UserSystem['tearDown']>(),
});

const outcome = z.object({
  type: z.enum(['ok', 'fail', 'info']),
  value: z.json().optional(),
  error: z.string().optional(),
});

const tools: Tools = {
  nodes: nodeNames,
  processes: (setUp, primaries) => ProcessWorld.create({ setUp, nodes: nodeNames(setUp.nodes), primaries }),
  client: asyncClient,
};

let compilesTypeScript = false;

/**
 * Loads a user's module, TypeScript or JavaScript, and believes nothing of what it exports.
 * @param path relative to the working directory
 * @throws {TargetModuleError}
 */
export async function loadTarget(path: string): Promise<Target> {
  const full = resolve(path);
  if (!existsSync(full)) throw new TargetModuleError(`${path}: there is no such file`);
  if (!compilesTypeScript) register(new URL('./typescript-hooks.js', import.meta.url));
  compilesTypeScript = true;
  let exported: { readonly default?: unknown };
  try {
    exported = await import(pathToFileURL(full).href);
  } catch (error) {
    throw new TargetModuleError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (exported.default === undefined) throw new TargetModuleError(`${path}: it has no default export`);
  const {
    setUp,
    remoteFaults: remote,
    ...target
  } = parsed(userTarget, exported.default, `${path}: its default export`);
  return {
    ...target,
    ...(remote && { remoteFaults: remote }),
    options: Object.fromEntries(
      Object.entries(target.options).map(([name, { about, values, default: unless }]) => [
        name,
        { about, ...(values && { values }), ...(unless !== undefined && { default: unless }) },
      ]),
    ),
    audited: false,
    async setUp(options: SetUp): Promise<System> {
      const given = await setUp.call(exported.default, options, tools);
      const system = parsed(userSystem, given, `${path}: what setUp gave`);
      return {
        nodes: system.nodes,
        world: system.world,
        mechanisms: system.world?.mechanisms ?? {},
        client: (node) => believingNothing(system.client.call(given, node)),
        status: () => system.status.call(given),
        tearDown: () => system.tearDown.call(given),
      };
    },
  };
}

/** What is no outcome leaves the operation open. */
function believingNothing(client: Client): Client {
  return {
    invoke(request, done) {
      client.invoke(request, (given: unknown) => done(outcomeOf(given)));
    },
    close: () => client.close(),
  };
}

function outcomeOf(given: unknown): Outcome {
  const { data, error } = outcome.safeParse(given);
  if (data === undefined) return { type: 'info', error: `client-error no outcome: ${firstIssue(error)}` };
  const { type, value, error: why } = data;
  return { type, ...(value !== undefined && { value }), ...(why !== undefined && { error: why }) };
}

function parsed<T>(schema: z.ZodType<T>, given: unknown, what: string): T {
  const { data, error } = schema.safeParse(given);
  if (data === undefined) throw new TargetModuleError(`${what}: ${firstIssue(error)}`);
  return data;
}

function firstIssue(error: z.ZodError | undefined): string {
  const [issue] = error?.issues ?? [];
  return `${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'unreadable'}`;
}

function isWorld(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['primaries', 'cut', 'start', 'kill', 'pause', 'resume', 'setClock', 'sleep', 'random'].every(
      (name) => typeof Reflect.get(value, name) === 'function',
    )
  );
}

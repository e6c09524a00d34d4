import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { kinds } from '../../nemesis/kinds.ts';
import { mutants } from '../mutants/catalog.ts';
import { workloads } from '../workload/index.ts';

const unitMs = { s: 1000, m: 60_000, h: 3_600_000 } as const;

/** `90s`, `10m`, `1.5h`; gives milliseconds. */
const time = z
  .string()
  .regex(/^\d+(\.\d+)?[smh]$/, 'must be a time such as 90s, 10m or 1.5h')
  .transform((text) => Math.round(Number(text.slice(0, -1)) * unitMs[text.at(-1) as keyof typeof unitMs]));

const unitBytes = { M: 1e6, G: 1e9, T: 1e12 } as const;

/** `500M`, `10G`; gives bytes. */
const size = z
  .string()
  .regex(/^\d+(\.\d+)?[MGT]$/, 'must be a size such as 500M or 10G')
  .transform((text) => Math.round(Number(text.slice(0, -1)) * unitBytes[text.at(-1) as keyof typeof unitBytes]));

const workload = z.string().refine((name) => workloads.has(name), {
  error: `there is no such workload; known: ${[...workloads.keys()].join(', ')}`,
});

const mutant = z
  .string()
  .refine((name) => mutants.has(name), { error: 'there is no such mutant; docs/mutants.md lists them' });

/** Each set of faults is a list of kinds; `swarm` draws them from each seed, `default` is what `test` does. */
const faultSets = <T extends string>(...names: [T, ...T[]]) =>
  z
    .array(
      z.union([z.literal(names), z.array(z.enum(Object.keys(kinds)))], {
        error: `must be ${names.join(' or ')}, or a list of ${Object.keys(kinds).join(', ')}`,
      }),
    )
    .min(1);

const configSchema = z.strictObject({
  /** Wall-clock time of the whole night. */
  budget: time,
  /** Jobs at a time; undefined: one a core. */
  workers: z.int().min(1).max(256).optional(),
  sim: z
    .strictObject({
      workloads: z.array(workload).min(1),
      faults: faultSets('swarm').default(['swarm']),
      /** How long a job begins seeds. */
      'job-time': time.default(30_000),
    })
    .optional(),
  real: z
    .strictObject({
      targets: z
        .array(z.strictObject({ name: z.string().min(1), flags: z.array(z.string()).default([]) }))
        .min(1)
        .default([{ name: 'kvstore', flags: [] }]),
      workloads: z.array(workload).min(1),
      faults: faultSets('default', 'swarm').default(['default']),
      'time-limit': time.default(30_000),
    })
    .optional(),
  canaries: z
    .strictObject({
      /** One of them is drawn each night; all mutants when left out. */
      mutants: z.array(mutant).min(1).optional(),
      /** How long it may take to find it. */
      budget: time.default(120_000),
    })
    .prefault({}),
  /** A run with fewer successful operations is unknown. */
  'least-operations': z.int().min(1).default(50),
  /** Failures of one signature that are shrunk and replayed. */
  'examples-per-group': z.int().min(1).max(20).default(1),
  /** How often a failure of real processes is repeated. */
  replays: z.int().min(1).max(100).default(3),
  /** Nights whose passing runs are kept. */
  keep: z.int().min(1).max(10_000).default(30),
  /** All nights together take no more than this. */
  'max-disk': size.default(10e9),
});

export type Config = z.infer<typeof configSchema>;

/** A configuration that cannot be understood, in one line. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/**
 * @param text YAML
 * @param where for messages
 * @throws ConfigError that names the place and the mend
 */
export function parseConfig(text: string, where: string): Config {
  let data: unknown;
  try {
    data = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    if (!(error instanceof YAMLParseError) && !(error instanceof ReferenceError)) throw error;
    throw new ConfigError(`${where}: ${error.message.split('\n')[0]}`);
  }
  const parsed = configSchema.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ConfigError(`${where}: ${issue?.path.join('.') || 'the whole'}: ${issue?.message}`);
  }
  if (parsed.data.sim === undefined && parsed.data.real === undefined) {
    throw new ConfigError(`${where}: a night needs sim, real or both`);
  }
  return parsed.data;
}

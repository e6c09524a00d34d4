import { z } from 'zod';
import type { Example } from './group.ts';
import type { Failure, Job } from './job.ts';
import type { Verbs } from './verbs.ts';

const shrunkSchema = z.object({
  folder: z.string(),
  report: z.string(),
  to: z.object({ operations: z.number(), faults: z.number(), nodes: z.number() }),
});
const identicalSchema = z.object({ identical: z.boolean() });
const repeatedSchema = z.object({ runs: z.number(), cameBack: z.number() });

const replayMs = 300_000;
const overheadMs = 60_000;

export interface FollowUp {
  readonly verbs: Verbs;
  readonly runsRoot: string;
  readonly shrinkMs: number;
  /** How often a run of real processes is repeated. */
  readonly replays: number;
  readonly signal: AbortSignal;
}

/** Looks into a failure: shrinks it where that can be done, and does it again, to say how often it comes back. */
export async function followUp(world: Job['type'], failure: Failure, options: FollowUp): Promise<Example> {
  const { signature, folder, seed } = failure;
  const example = { signature, folder, seed, world: world === 'real' ? 'real' : 'sim' } as const;
  return example.world === 'real' ? repeated(example, options) : shrunk(example, options);
}

type Bare = Pick<Example, 'signature' | 'folder' | 'seed' | 'world'>;

async function shrunk(example: Bare, { verbs, runsRoot, shrinkMs, signal }: FollowUp): Promise<Example> {
  const { folder } = example;
  const limit = ['--time-limit', `${shrinkMs}ms`];
  const shrink = await verbs.run(
    ['shrink', folder, '--json', '--results', runsRoot, ...limit],
    shrinkMs + overheadMs,
    signal,
  );
  const smaller = shrunkSchema.safeParse(shrink.lines.at(-1));
  const smallest = smaller.success ? smaller.data.folder : folder;
  const again = await verbs.run(['replay', smallest, '--json'], replayMs, signal);
  const same = identicalSchema.safeParse(again.lines.at(-1));
  const troubles = [
    ...(smaller.success ? [] : [`not shrunk: ${shrink.trouble}`]),
    ...(same.success ? [] : [`not replayed: ${again.trouble}`]),
  ];
  return {
    ...example,
    ...(smaller.success && {
      shrunk: { folder: smallest, report: smaller.data.report, ...smaller.data.to },
    }),
    replay: { times: same.success ? 1 : 0, cameBack: same.success && same.data.identical ? 1 : 0 },
    command: `npx splitbrain replay ${smallest}`,
    ...(troubles.length > 0 && { trouble: troubles.join('; ') }),
  };
}

async function repeated(example: Bare, { verbs, runsRoot, replays, signal }: FollowUp): Promise<Example> {
  const times = ['-n', String(replays)];
  const timeoutMs = replays * replayMs;
  const said = await verbs.run(
    ['replay', example.folder, '--json', '--results', runsRoot, ...times],
    timeoutMs,
    signal,
  );
  const counts = repeatedSchema.safeParse(said.lines.at(-1));
  return {
    ...example,
    replay: counts.success ? { times: counts.data.runs, cameBack: counts.data.cameBack } : { times: 0, cameBack: 0 },
    command: `npx splitbrain replay ${example.folder} -n ${replays}`,
    ...(!counts.success && { trouble: `not repeated: ${said.trouble}` }),
  };
}

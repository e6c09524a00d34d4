import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import type { Argv } from 'yargs';
import { type Valid, worst } from '../../checker/verdict.ts';
import { defaultKinds, faultKinds } from '../../nemesis/kinds.ts';
import { drawSwarm, within } from '../../nemesis/swarm.ts';
import { defaultRunsRoot } from '../../results/store/layout.ts';
import { mechanismNames } from '../cluster/mechanisms.ts';
import { seedBound, seededRandom } from '../generator/random.ts';
import { mutants } from '../mutants/catalog.ts';
import { plant } from '../mutants/plant.ts';
import { type LeftRunning, type Plan, runTest } from '../runner/run.ts';
import { targets } from '../target/index.ts';
import { workloads } from '../workload/index.ts';
import { exitCodeOf } from './exit.ts';
import { duration, expression, integer, names, oneOf, someOf, someOrSwarm, swarm, text, threads } from './flags.ts';
import { interruptible } from './interruptible.ts';
import { showProgress } from './progress.ts';
import { recordedFaults } from './recorded-faults.ts';
import { commandsOf } from './run-commands.ts';
import { chooseTarget, optionsOf, targetFlags, toldOptions } from './target-choice.ts';
import { UsageError } from './usage-error.ts';
import { verdictText } from './verdict-text.ts';

const convergeMaxMs = 30_000;
const concurrencyMax = 1000;

/** As they would be typed, so that help shows them that way. */
const defaults = {
  target: 'kvstore',
  workload: 'register',
  concurrency: '10',
  rate: '300',
  'time-limit': '60s',
  'nemesis-interval': '3.5s',
  keys: '5',
  'ops-per-key': '500',
  'op-timeout': '2s',
  results: defaultRunsRoot,
} as const;

export function flags(yargs: Argv) {
  return targetFlags(yargs)
    .option('workload', {
      describe: `What clients do: ${[...workloads.keys()].join(', ')}`,
      default: defaults.workload,
      type: 'string',
      requiresArg: true,
      coerce: oneOf('workload', workloads),
    })
    .option('nemesis', {
      describe: `Faults, separated by commas: ${faultKinds.join(', ')}; none; or swarm: kinds and pace drawn from the seed`,
      defaultDescription: `${defaultKinds.join(',')}, where the target can be broken`,
      type: 'string',
      requiresArg: true,
      coerce: someOrSwarm('nemesis', faultKinds),
    })
    .option('time-limit', {
      describe: 'How long clients begin operations: 30, 30s, 2m',
      default: defaults['time-limit'],
      type: 'string',
      requiresArg: true,
      coerce: duration('time-limit', 1000, 86_400_000),
    })
    .option('mechanism', {
      describe: `How faults are done, where there is more than one way (splitbrain doctor): ${mechanismNames.join(', ')}`,
      defaultDescription: 'the best that works here',
      type: 'string',
      requiresArg: true,
      coerce: someOf('mechanism', mechanismNames),
    })
    .option('nemesis-interval', {
      describe: 'From the start of one fault to the next, on average',
      default: defaults['nemesis-interval'],
      type: 'string',
      requiresArg: true,
      coerce: duration('nemesis-interval', 100, 3_600_000),
    })
    .option('seed', {
      describe: 'Decides operations and faults; drawn when absent',
      defaultDescription: 'random',
      type: 'string',
      requiresArg: true,
      coerce: integer('seed', 0, seedBound - 1),
    })
    .option('nodes', {
      describe: 'Nodes',
      defaultDescription: 'as the target has it: 5 of kvstore',
      type: 'string',
      requiresArg: true,
      coerce: integer('nodes', 1, 25),
    })
    .option('concurrency', {
      describe: 'Client threads; 3n: three a node',
      default: defaults.concurrency,
      type: 'string',
      requiresArg: true,
      coerce: threads('concurrency', concurrencyMax),
    })
    .option('rate', {
      describe: 'Operations a second, all threads together',
      default: defaults.rate,
      type: 'string',
      requiresArg: true,
      coerce: integer('rate', 1, 1_000_000),
    })
    .option('keys', {
      describe: 'Keys in use at a time',
      default: defaults.keys,
      type: 'string',
      requiresArg: true,
      coerce: integer('keys', 1, 10_000),
    })
    .option('ops-per-key', {
      describe: 'Operations on a key before a new one takes its place',
      default: defaults['ops-per-key'],
      type: 'string',
      requiresArg: true,
      coerce: integer('ops-per-key', 1, 1_000_000_000),
    })
    .option('op-timeout', {
      describe: 'How long a client waits for an answer',
      default: defaults['op-timeout'],
      type: 'string',
      requiresArg: true,
      coerce: duration('op-timeout', 10, 60_000),
    })
    .option('target', {
      describe: `The store: ${[...targets.keys()].join(', ')}, or a module of yours: ./my-target.ts`,
      default: defaults.target,
      type: 'string',
      requiresArg: true,
      coerce: text('target'),
    })
    .option('mutant', {
      describe: `Run the system with this planted bug: ${[...mutants.keys()].join(', ')}`,
      type: 'string',
      requiresArg: true,
      coerce: oneOf('mutant', mutants),
    })
    .option('faults', {
      describe: 'Do again the faults of this faults.ndjson, at their times, instead of drawn ones',
      type: 'string',
      requiresArg: true,
      coerce: recordedFaults,
    })
    .option('log-pattern', {
      describe: "A regular expression: a line of a node's log that it matches makes the run invalid",
      type: 'string',
      requiresArg: true,
      coerce: expression('log-pattern'),
    })
    .option('test-count', {
      describe: 'Run the test so many times, each with the next seed',
      defaultDescription: '1, or without end with --until-fail',
      type: 'string',
      requiresArg: true,
      coerce: integer('test-count', 1, 1_000_000),
    })
    .option('until-fail', {
      describe: 'Run it again and again, each time with the next seed, until it is not valid',
      type: 'boolean',
      default: false,
    })
    .option('leave-running', {
      describe: 'When the verdict is told, leave the nodes running, to be looked at, until Ctrl-C',
      type: 'boolean',
      default: false,
    })
    .option('ssh', {
      describe: 'Run the nodes on these computers, over OpenSSH: user@host,user@host,…',
      type: 'string',
      requiresArg: true,
      coerce: names('ssh'),
    })
    .option('ssh-config', {
      describe: 'A configuration file for OpenSSH, as ssh -F takes it',
      type: 'string',
      requiresArg: true,
      coerce: text('ssh-config'),
    })
    .option('port', {
      describe: 'The first of the client ports',
      defaultDescription: 'any free ones',
      type: 'string',
      requiresArg: true,
      coerce: integer('port', 1, 65_535),
    })
    .option('results', {
      describe: 'Where run folders go',
      default: defaults.results,
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    })
    .option('json', { describe: 'Print the verdict as JSON', type: 'boolean', default: false });
}

export type Flags = Awaited<ReturnType<typeof flags>['argv']>;

export const testCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 test --time-limit 30 --seed 42', 'half a minute, repeatable')
      .example('$0 test --nemesis kill,pause --nodes 3', 'only these faults, three nodes'),
  handler: test,
};

/** Runs the test, as often as it was asked for, and tells each verdict; gives the exit code of the worst. */
async function test(given: Flags): Promise<number> {
  const first = await planOf(given);
  const most = given['test-count'] ?? (given['until-fail'] ? Number.POSITIVE_INFINITY : 1);
  const { signal, release } = interruptible('healing, ending the nodes and checking what was recorded');
  const verdicts: Valid[] = [];
  try {
    while (verdicts.length < most && !signal.aborted) {
      const seed = (first.seed + verdicts.length) % seedBound;
      const plan = withSeed(first, seed);
      const drawn = given.nemesis === swarm ? withSwarm(plan, given['nemesis-interval']) : plan;
      const valid = await oneTest(drawn, given.json, signal);
      verdicts.push(valid);
      if (given['until-fail'] && valid !== true) break;
    }
  } finally {
    release();
  }
  return exitCodeOf(worst(verdicts));
}

async function oneTest(plan: Plan, asJson: boolean, signal: AbortSignal): Promise<Valid> {
  let hide = () => {};
  try {
    const { folder, report, results, left } = await runTest(
      plan,
      (progress) => {
        hide = showProgress(progress);
      },
      signal,
    );
    hide();
    if (asJson) {
      console.log(JSON.stringify({ folder, report, ...results }));
    } else {
      const title = `${plan.name} on ${plan.nodes} nodes of ${plan.target.name}, seed ${plan.seed}`;
      const { again = '' } = plan.commands(folder);
      console.log(
        verdictText(
          results,
          title,
          [
            ['report', report],
            ['again', again],
          ],
          process.stdout,
        ),
      );
    }
    if (left !== undefined) await leave(left, signal);
    return results.valid;
  } finally {
    hide();
  }
}

/** The nodes go on until Ctrl-C. */
async function leave({ addresses, end }: LeftRunning, signal: AbortSignal): Promise<void> {
  for (const [node, address] of addresses) process.stderr.write(`node ${node} runs: ${address}\n`);
  process.stderr.write('the nodes are left running; Ctrl-C ends them\n');
  // A promise alone keeps no process alive.
  const alive = setInterval(() => {}, 1_000_000);
  try {
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    clearInterval(alive);
    await end();
  }
}

/** @throws UsageError for flags that do not go together */
export async function planOf(given: Flags): Promise<Plan> {
  const { workload, mutant } = given;
  const target = await chooseTarget(given.target);
  const targetOptions = optionsOf(target, given);
  const ssh = given.ssh && { hosts: given.ssh, config: given['ssh-config'] };
  const nodes = given.nodes ?? ssh?.hosts.length ?? target.nodes.default;
  if (ssh !== undefined && ssh.hosts.length !== nodes) {
    throw new UsageError(`--ssh: ${ssh.hosts.length} computers for ${nodes} nodes`);
  }
  const possible = ssh === undefined ? target.faults : target.remoteFaults;
  if (possible === undefined) throw new UsageError(`--ssh: ${target.name} runs on this computer only`);
  if (nodes > target.nodes.most) {
    throw new UsageError(`--nodes ${nodes}: ${target.name} has at most ${target.nodes.most}`);
  }
  if (!target.workloads.includes(workload.name)) {
    throw new UsageError(
      `--workload ${workload.name}: ${target.name} cannot carry it out; it can: ${target.workloads.join(', ')}`,
    );
  }
  if (mutant !== undefined && target.name !== 'kvstore') {
    throw new UsageError(`--mutant ${mutant.name}: only kvstore has planted bugs, not ${target.name}`);
  }
  const script = given.faults?.script;
  const scripted = script && [...new Set(script.map(({ kind }) => kind))];
  const isSwarm = given.nemesis === swarm;
  const asked = given.nemesis === swarm ? possible : given.nemesis;
  const usual = workload.faults ?? defaultKinds;
  const faults = asked ?? scripted ?? usual.filter((kind) => possible.includes(kind));
  const unasked = scripted?.find((kind) => !faults.includes(kind));
  if (unasked !== undefined) throw new UsageError(`--nemesis leaves out ${unasked}, which --faults has`);
  const impossible = faults.find((kind) => !possible.includes(kind));
  if (impossible !== undefined) {
    const known = possible.length === 0 ? 'has nothing to break; leave it out' : `knows ${possible.join(', ')}`;
    const why = target.outOfReach?.[impossible];
    throw new UsageError(
      `--nemesis ${impossible}: ${target.name} ${known}${ssh ? ' over SSH' : ''}${why ? ` (${why})` : ''}`,
    );
  }
  const seed = given.seed ?? randomInt(seedBound);
  const concurrency = given.concurrency(nodes);
  const options = {
    target: given.target,
    'target-options': toldOptions(targetOptions),
    workload: workload.name,
    nodes,
    concurrency,
    rate: given.rate,
    'time-limit': `${given['time-limit']}ms`,
    nemesis: faults,
    swarm: isSwarm,
    mechanism: given.mechanism ?? null,
    'nemesis-interval': `${given['nemesis-interval']}ms`,
    keys: given.keys,
    'ops-per-key': given['ops-per-key'],
    'op-timeout': `${given['op-timeout']}ms`,
    seed,
    port: given.port ?? null,
    mutant: mutant?.name ?? null,
    faults: given.faults?.path ?? null,
    'log-pattern': given['log-pattern'] ?? null,
    ssh: given.ssh ?? null,
    'ssh-config': given['ssh-config'] ?? null,
  };
  const plan: Plan = {
    name: mutant?.name ?? workload.name,
    workload,
    target,
    targetOptions,
    nodes,
    concurrency,
    ratePerS: given.rate,
    timeLimitMs: given['time-limit'],
    faults,
    script,
    leaveRunning: given['leave-running'],
    faultIntervalMs: given['nemesis-interval'],
    keys: given.keys,
    opsPerKey: given['ops-per-key'],
    opTimeoutMs: given['op-timeout'],
    convergeMaxMs,
    seed,
    port: given.port,
    ssh,
    systemFolder: mutant && plant(mutant),
    runsRoot: given.results,
    options,
    commands: commandsOf(seed),
    mechanisms: given.mechanism ?? [],
  };
  return isSwarm ? withSwarm(plan, given['nemesis-interval']) : plan;
}

/** The kinds and the pace that the seed draws. */
function withSwarm(plan: Plan, intervalMs: number): Plan {
  const { faults: kinds, name } = plan.target;
  if (kinds.length === 0) throw new UsageError(`--nemesis swarm: ${name} has nothing to break`);
  const random = seededRandom(plan.seed, 'swarm');
  const paces = [intervalMs / 2, intervalMs, 2 * intervalMs] as const;
  const drawn = within(
    drawSwarm(kinds, paces, (bound) => random.below(bound)),
    plan.timeLimitMs,
  );
  return {
    ...plan,
    faults: drawn.kinds,
    faultIntervalMs: drawn.intervalMs,
    faultDurations: drawn.durations,
    options: { ...plan.options, nemesis: drawn.kinds, 'nemesis-interval': `${drawn.intervalMs}ms` },
  };
}

/** The same run with other draws. */
function withSeed(plan: Plan, seed: number): Plan {
  return { ...plan, seed, options: { ...plan.options, seed }, commands: commandsOf(seed) };
}

import { rmSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Op } from '../../checker/history/op.ts';
import type { Results } from '../../checker/verdict.ts';
import { startNemesis } from '../../nemesis/nemesis.ts';
import type { ScriptedFault } from '../../nemesis/script.ts';
import type { FaultRecord } from '../../nemesis/world.ts';
import { writeReport } from '../../results/report/build.ts';
import { files } from '../../results/store/layout.ts';
import type { TestDescription } from '../../results/store/schema.ts';
import { createRun, type RunWriter } from '../../results/store/write.ts';
import { seededRandom } from '../generator/random.ts';
import type { SetUp, System, Target } from '../target/target.ts';
import { version } from '../version.ts';
import type { Workload } from '../workload/workload.ts';
import { type RunClock, realClock } from './clock.ts';
import { conduct } from './conduct.ts';
import { judge } from './judge.ts';
import type { Phase } from './phase.ts';
import { type Counts, Recorder } from './recorder.ts';
import { Sufficiency } from './sufficiency.ts';

/** Everything that a run of a test is made of. Times in milliseconds. */
export interface Plan {
  /** The folder above the run's: the workload's name, or the mutant's. */
  readonly name: string;
  readonly workload: Workload;
  readonly target: Target;
  /** The target's own, all of them. */
  readonly targetOptions: SetUp['options'];
  readonly nodes: number;
  readonly concurrency: number;
  readonly ratePerS: number;
  readonly timeLimitMs: number;
  readonly faults: readonly string[];
  /** Names of fault mechanisms that go before others. */
  readonly mechanisms: readonly string[];
  /** Exactly these faults, instead of drawn ones. */
  readonly script?: readonly ScriptedFault[] | undefined;
  readonly faultIntervalMs: number;
  /** How long a fault lasts, in intervals; undefined: as the nemesis has it. */
  readonly faultDurations?: readonly number[] | undefined;
  readonly keys: number;
  readonly opsPerKey: number;
  readonly opTimeoutMs: number;
  readonly convergeMaxMs: number;
  readonly seed: number;
  readonly port?: number | undefined;
  /** The computers of the nodes; undefined: all on this one. */
  readonly ssh?: SetUp['ssh'];
  /** The nodes are not ended when the run is over. */
  readonly leaveRunning?: boolean;
  /** The compiled system with a planted bug, in place of the target's own. */
  readonly systemFolder?: string | undefined;
  /** Where run folders go. */
  readonly runsRoot: string;
  /** What was said on the command line, after defaults; for `test.json`. */
  readonly options: TestDescription['options'];
  /** Commands to copy, for the run in this folder. */
  readonly commands: (folder: string) => TestDescription['commands'];
}

export interface Progress {
  readonly phase: Phase | 'set-up' | 'judge';
  /** Of the run's time. */
  readonly elapsedMs: number;
  readonly counts: Counts;
  /** Faults begun so far. */
  readonly faults: number;
}

export interface Finished {
  readonly folder: string;
  readonly report: string;
  readonly results: Results;
  /** Present when the nodes were to be left running, and the run was not interrupted. */
  readonly left?: LeftRunning;
}

/** Nodes that outlive their run. */
export interface LeftRunning {
  /** Where each serves, where the target says so. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Ends them, and waits until they are gone. */
  end(): Promise<void>;
}

/**
 * Runs a test against real processes: sets the store up, carries out the operations under faults, heals, looks
 * whether it comes together, ends everything, judges what was recorded, and writes the run folder.
 * @param observe is given, once, a function that tells how far the run is
 * @param signal ends it early: it is healed, ended and judged all the same
 */
export async function runTest(
  plan: Plan,
  observe: (progress: () => Progress) => void,
  signal: AbortSignal,
): Promise<Finished> {
  const clock = realClock();
  const description = describe(plan);
  const run = createRun(plan.runsRoot, description);
  run.writeTest({ ...description, commands: plan.commands(run.folder) });
  const recorder = new Recorder((op: Op) => run.history.append(op));
  // A script has the turns that it has, and of a swarm's kinds one is enough.
  const turns = plan.script !== undefined ? 0 : plan.options.swarm === true ? 1 : plan.faults.length;
  const sufficiency = new Sufficiency(turns, recorder);
  let phase: Progress['phase'] = 'set-up';
  let faults = 0;
  observe(() => ({ phase, elapsedMs: clock.nowNs() / 1e6, counts: recorder.counts, faults }));

  const random = (purpose: string) => {
    const stream = seededRandom(plan.seed, purpose);
    return (bound: number) => stream.below(bound);
  };
  let left: LeftRunning | undefined;
  try {
    const system = await plan.target.setUp({
      workload: plan.workload.name,
      nodes: plan.nodes,
      folder: run.folder,
      port: plan.port,
      ssh: plan.ssh,
      systemFolder: plan.systemFolder,
      opTimeoutMs: plan.opTimeoutMs,
      faults: plan.faults,
      mechanisms: plan.mechanisms,
      options: plan.targetOptions,
      random: random('world'),
      now: () => clock.nowNs(),
      signal,
    });
    try {
      const { nodes, mechanisms } = system;
      run.writeTest({ ...description, nodes, mechanisms, commands: plan.commands(run.folder) });
      await conduct({
        system,
        workload: plan.workload,
        workloadOptions: { keys: plan.keys, opsPerKey: plan.opsPerKey },
        concurrency: plan.concurrency,
        ratePerS: plan.ratePerS,
        timeLimitNs: plan.timeLimitMs * 1e6,
        convergeMaxNs: plan.convergeMaxMs * 1e6,
        clock,
        random: seededRandom(plan.seed, 'operations'),
        recorder,
        isEnough: () => sufficiency.isReached,
        startNemesis: nemesisFor(plan, system, clock, random('nemesis'), run, recorder, (fault) => {
          faults++;
          sufficiency.began(fault);
        }),
        signal,
        onPhase: (next) => {
          phase = next;
        },
      });
      if (plan.leaveRunning && !signal.aborted) left = leftRunning(system);
    } finally {
      if (left === undefined) await system.tearDown();
    }
  } finally {
    run.close();
  }

  try {
    phase = 'judge';
    const results = judge(run.folder);
    run.writeResults(results);
    const report = writeReport(run.folder);
    if (results.valid === true && left === undefined) removeData(run.folder, description.nodes);
    return { folder: run.folder, report, results, ...(left && { left }) };
  } catch (error) {
    await left?.end();
    throw error;
  }
}

function leftRunning(system: System): LeftRunning {
  const addresses = system.nodes.map((node) => [node, system.address?.(node) ?? 'its address is its own'] as const);
  return { addresses: new Map(addresses), end: () => system.tearDown() };
}

/** Every fault goes to `faults.ndjson` with its proof, and in short into the history, among the operations. */
function nemesisFor(
  { faults: kinds, faultIntervalMs, faultDurations, script }: Plan,
  { world }: System,
  clock: RunClock,
  random: (bound: number) => number,
  run: RunWriter,
  recorder: Recorder,
  onFault: (fault: FaultRecord) => void,
): (() => { stop(): Promise<void> }) | undefined {
  if (kinds.length === 0) return undefined;
  if (world === undefined) throw new Error('this target has nothing that a nemesis could break');
  return () =>
    startNemesis({
      world,
      phases: [{ kinds, intervalMs: faultIntervalMs, durations: faultDurations }],
      script,
      random,
      now: () => clock.nowNs(),
      succeeded: () => recorder.counts.ok,
      record(fault) {
        run.faults.append(fault);
        const { kind, variant, phase, nodes, id } = fault;
        recorder.record({
          time: clock.nowNs(),
          process: 'nemesis',
          type: 'info',
          f: `${kind}-${phase}`,
          value: { id, variant, nodes },
        });
        if (phase === 'start') onFault(fault);
      },
    });
}

function describe(plan: Plan): TestDescription {
  const notChecked: string[] = [];
  if (plan.faults.length === 0) notChecked.push('How the store bears faults: none were asked for.');
  if (!plan.target.audited) notChecked.push("The nodes' own logs: this target writes no audit.");
  return {
    name: plan.name,
    seed: plan.seed,
    started: new Date().toISOString(),
    world: 'real',
    workload: plan.workload.name,
    nodes: Array.from({ length: plan.nodes }, (_, at) => String(at + 1)),
    options: plan.options,
    versions: { splitbrain: version, node: process.versions.node, kernel: release(), target: plan.target.name },
    mechanisms: {},
    commands: {},
    notChecked,
  };
}

/** Only a run that went wrong needs its nodes' data. */
function removeData(folder: string, nodes: readonly string[]): void {
  for (const node of nodes) rmSync(join(folder, files.nodes, node, 'data'), { recursive: true, force: true });
}

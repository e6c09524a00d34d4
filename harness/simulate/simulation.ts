import { checkCrash } from '../../checker/crash.ts';
import { parseAudit } from '../../checker/durability/audit-record.ts';
import type { Op } from '../../checker/history/op.ts';
import type { Results, Section } from '../../checker/verdict.ts';
import { type Nemesis, startNemesis } from '../../nemesis/nemesis.ts';
import type { FaultRecord } from '../../nemesis/world.ts';
import type { StepViolation } from '../../results/store/schema.ts';
import { Client as StoreClient } from '../../system/client/client.ts';
import { seededRandom } from '../generator/random.ts';
import { scripted } from '../generator/scripted.ts';
import type { RunClock } from '../runner/clock.ts';
import { conduct } from '../runner/conduct.ts';
import { coreName } from '../runner/core-liveness.ts';
import { judgeEvidence } from '../runner/judge-evidence.ts';
import { togetherName } from '../runner/phase.ts';
import { Recorder } from '../runner/recorder.ts';
import { kvClient } from '../target/kv-operations.ts';
import { statuses } from '../target/kv-statuses.ts';
import { inSession } from '../target/session-store.ts';
import { workloads } from '../workload/index.ts';
import type { Workload } from '../workload/workload.ts';
import { comeTogether } from './come-together.ts';
import { EventLog } from './event-log.ts';
import { guarded } from './guard.ts';
import { calm, type SimulationPlan } from './plan.ts';
import { eventKind, harnessProcess, Scheduler } from './scheduler.ts';
import { SimCluster } from './sim-cluster.ts';
import { StepChecks } from './step-checks.ts';
import type { SystemModule } from './system-module.ts';
import type { Wiretap } from './wiretap.ts';

/** Who wants to see more of a run than its verdict. */
export interface Watch {
  /** Takes each line of the event log as text, for finding out where two runs part. */
  readonly trace?: (line: string) => void;
  /** Takes each line of each node's log. */
  readonly log?: (node: string, line: string) => void;
  /** Takes each message between nodes. */
  readonly wiretap?: Wiretap;
}

export interface Simulated {
  readonly results: Results;
  /** The same for every run of the same code, seed and options. */
  readonly eventHash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly history: readonly Op[];
  readonly faults: readonly FaultRecord[];
  /** Each kind once; at most one where the run stops there. */
  readonly violations: readonly StepViolation[];
  readonly cluster: SimCluster;
}

/**
 * Nodes that are broken may talk to each other without end and without rest, as a leader and a follower who never agree:
 * such a run is not waited for. The system as it is comes to about 2,000 events and 50 KB for each second of a plan
 * that asks for 100 operations; one that asks for more may come to as many more.
 */
const eventsPerSMax = 15_000;
const bytesPerSMax = 2_000_000;

/** Beyond this much virtual time after the operations a run is not coming to an end. */
const closingMaxMs = 120_000;

/** The line of the nemesis that says that the run was ended since its nodes said too much. */
const gaveUpName = 'gave-up';

/**
 * One simulated run: the system's real code, the harness's real course of a run, nemeses and checkers, on virtual
 * time. A pure function of the code, the plan, and nothing else.
 * @throws Escape when simulated code reached past the ports
 */
export async function simulate(plan: SimulationPlan, system: SystemModule, watch: Watch = {}): Promise<Simulated> {
  const ran = await guarded(() => run(plan, system, watch));
  const { history, faults, cluster, violations } = ran;
  // Outside the guard: a checker bounds itself by real time, and what it says is no event.
  const results = judgeEvidence({
    workload: plan.workload,
    faultKinds: plan.faults,
    swarm: plan.swarm,
    history,
    faults: () => faults,
    audits: () => cluster.machines.map(({ node, audit }) => parseAudit(node, audit.join(''))),
    crash: () => crash(cluster),
    steps: violations,
  });
  return { ...ran, results };
}

async function run(plan: SimulationPlan, system: SystemModule, watch: Watch): Promise<Omit<Simulated, 'results'>> {
  const log = new EventLog(watch.trace);
  const scheduler = new Scheduler(log);
  const random = (purpose: string) => seededRandom(plan.seed, purpose);
  const workload = workloadNamed(plan.workload);
  const violations: StepViolation[] = [];
  const violated = (violation: StepViolation) => {
    const { section, anomaly } = violation;
    if (violations.some((known) => known.section === section && known.anomaly.kind === anomaly.kind)) return;
    if (plan.onViolation === 'stop') {
      if (violations.length > 0) return;
      scheduler.stop();
    }
    violations.push(violation);
  };
  const checks = new StepChecks(violated);
  system.setViolationHandler((violation) => {
    if (plan.onViolation === 'stop') throw violation;
    const anomaly = { kind: 'assertion', message: violation.message, ops: [], evidence: {} };
    violated({ section: 'crash', anomaly });
  });
  let failure: { readonly error: unknown } | undefined;

  const plannedS = (plan.timeLimitMs / 1000) * Math.max(1, plan.ratePerS / 100);
  const isTooMuch = () => scheduler.count > plannedS * eventsPerSMax || cluster.network.bytes > plannedS * bytesPerSMax;
  let gaveUp = false;
  scheduler.afterEvent = (owner) => {
    if (owner === harnessProcess) return false;
    if (!gaveUp && isTooMuch()) {
      gaveUp = true;
      const value = { events: scheduler.count, bytes: cluster.network.bytes };
      recorder.record({ time: clock.nowNs(), process: 'nemesis', type: 'info', f: gaveUpName, value });
      scheduler.stop();
    }
    const machine = cluster.machine(owner.node);
    if (machine.running === undefined) return false;
    const now = machine.running.inspect();
    const isTold = cluster.looked(machine, now);
    checks.look(machine, now);
    return isTold;
  };
  scheduler.onError = (owner, error) => cluster.failed(owner, error);

  const clock: RunClock = {
    nowNs: () => scheduler.nowUs * 1000,
    after(delayNs, callback) {
      const event = scheduler.schedule(
        Math.max(0, Math.ceil(delayNs / 1000)),
        eventKind.harness,
        harnessProcess,
        callback,
      );
      return { cancel: () => event.cancel() };
    },
  };
  const history: Op[] = [];
  const faults: FaultRecord[] = [];
  const recorder = new Recorder((op) => {
    history.push(op);
    log.record(op);
  });
  const boundMs = coreBoundMs(plan);
  const cluster = new SimCluster({
    nodes: plan.nodes,
    system,
    scheduler,
    random,
    tuning: plan.tuning,
    bendsWallClocksOnly: plan.reads === 'lease',
    log: watch.log,
    onCore(nodes) {
      recorder.record({
        time: clock.nowNs(),
        process: 'nemesis',
        type: 'info',
        f: coreName,
        value: { nodes: [...nodes], boundMs },
      });
    },
  });
  cluster.network.wiretap = watch.wiretap;
  cluster.behave(plan.network, plan.disk);
  const store = (node: string) => new StoreClient(node, cluster.exchange);
  const storeOf = (node: string) => (plan.sessions ? inSession(node, cluster.nodes, store) : store(node));
  let nemesis: Nemesis | undefined;
  const startFaults = () => {
    nemesis = startNemesis({
      world: cluster,
      phases: plan.phases,
      script: plan.script?.faults,
      random: (bound) => nemesisRandom.below(bound),
      now: () => clock.nowNs(),
      record(fault) {
        faults.push(fault);
        log.record(fault);
      },
      async rest(isOver) {
        cluster.behave(calm.network, calm.disk);
        const value = await comeTogether({
          nodes: cluster.nodes,
          client: store,
          nowMs: () => scheduler.nowUs / 1000,
          sleep: (ms) => cluster.sleep(ms),
          boundMs: plan.convergeMaxMs,
          isOver,
        });
        if (value === undefined) return;
        recorder.record({ time: clock.nowNs(), process: 'nemesis', type: 'info', f: togetherName, value });
        cluster.behave(plan.network, plan.disk);
      },
    });
    return nemesis;
  };
  const nemesisRandom = random('nemesis');

  scheduler.schedule(0, eventKind.harness, harnessProcess, () => {
    course()
      .catch((error: unknown) => {
        failure = { error };
      })
      .finally(() => scheduler.stop());
  });
  async function course(): Promise<void> {
    await Promise.all(cluster.nodes.map((node) => cluster.start(node)));
    await conduct({
      system: {
        nodes: cluster.nodes,
        client: (node) => kvClient(storeOf(node), plan.workload, plan.opTimeoutMs, plan.reads),
        status: () => statuses(cluster.nodes, store),
      },
      workload,
      operations: plan.script && scripted(plan.script.operations),
      workloadOptions: { keys: plan.keys, opsPerKey: plan.opsPerKey },
      concurrency: plan.concurrency,
      ratePerS: plan.ratePerS,
      timeLimitNs: plan.timeLimitMs * 1e6,
      convergeMaxNs: plan.convergeMaxMs * 1e6,
      clock,
      random: random('operations'),
      recorder,
      startNemesis: plan.faults.length === 0 ? undefined : startFaults,
      onPhase(phase) {
        if (phase === 'heal') cluster.behave(calm.network, calm.disk);
      },
    });
    cluster.end();
  }
  await scheduler.run((plan.timeLimitMs + closingMaxMs) * 1000);
  if (failure !== undefined) throw failure.error;
  faults.push(...(nemesis?.unfinished() ?? []));

  return {
    violations,
    eventHash: log.hash(),
    events: scheduler.count,
    virtualMs: Math.round(scheduler.nowUs / 1000),
    history,
    faults,
    cluster,
  };
}

/**
 * Two election timeouts until peers that could not reach each other are connected again (`system/transport/peer.ts`),
 * six for elections, and as long as the worst of disks and networks may keep the leader's first entries.
 */
function coreBoundMs({ tuning, disk, network }: SimulationPlan): number {
  const electionMs = tuning.electionTicks * tuning.tickMs;
  const stallMs = disk.stall === 0 ? 0 : disk.stallUs / 1000;
  const hopUs = network.latencyUs + network.jitterUs + disk.syncUs + disk.syncJitterUs;
  return Math.ceil(8 * electionMs + 2 * stallMs + (4 * hopUs) / 1000);
}

function workloadNamed(name: string): Workload {
  const workload = workloads.get(name);
  if (workload === undefined) throw new RangeError(`no workload ${name}`);
  return workload;
}

function crash({ machines }: SimCluster): Section {
  const lives = machines.flatMap(({ node, life }) => life.map((record) => ({ node, ...record })));
  const exits = lives.filter((record) => record.type === 'exit');
  return checkCrash(lives.length - exits.length, exits);
}

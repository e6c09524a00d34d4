import { performance } from 'node:perf_hooks';
import { AuditUnreadable, type NodeAudit } from '../../checker/durability/audit-record.ts';
import { checkCommittedLog } from '../../checker/durability/committed-log.ts';
import type { History } from '../../checker/history/op.ts';
import { mergeSections, type Results, type Section, unknown } from '../../checker/verdict.ts';
import type { FaultOutcome } from '../../nemesis/summarize.ts';
import { RunFolderError, type StepViolation } from '../../results/store/schema.ts';
import { workloads } from '../workload/index.ts';
import { checkCoreLiveness } from './core-liveness.ts';
import { checkFaults } from './fault-effects.ts';
import { checkLiveness } from './liveness.ts';
import { checkOperations } from './operations.ts';

type Sections = { [checker: string]: Section };

/** All that a verdict rests on. */
export interface Evidence {
  readonly workload: string;
  /** The fault kinds that were asked for. */
  readonly faultKinds: readonly string[];
  /** They were drawn from the seed. */
  readonly swarm: boolean;
  readonly history: History;
  readonly faults: () => readonly FaultOutcome[];
  /** Undefined for a target that writes no audit. */
  readonly audits: (() => readonly NodeAudit[]) | undefined;
  /** Undefined for a target without processes. */
  readonly crash: (() => Section) | undefined;
  /** Undefined when there is nothing that the nodes' logs must not say. */
  readonly logPattern?: (() => Section) | undefined;
  /** What was seen broken while it ran; only a simulated world looks. */
  readonly steps: readonly StepViolation[];
}

/** Judges what a run left; it need not be in a folder: most simulated runs never see a disk. */
export function judgeEvidence(evidence: Evidence): Results {
  const { workload, faultKinds, swarm, history, faults, audits, crash, logPattern, steps } = evidence;
  const sections: Sections = { ...checkWorkload(workload, history) };
  if (audits !== undefined) Object.assign(sections, committedLog(audits, history));
  if (crash !== undefined) sections.crash = crash();
  if (logPattern !== undefined) sections['log-pattern'] = orUnknown(logPattern);
  sections.liveness = checkLiveness(history);
  const core = checkCoreLiveness(history);
  if (core !== undefined) sections['core-liveness'] = core;
  if (faultKinds.length > 0) sections.faults = orUnknown(() => checkFaults(faultKinds, faults(), history, swarm));
  sections.operations = checkOperations(history);
  // A run may stop at such a violation: sections that only miss its end say less than what was seen.
  for (const { section, anomaly } of steps) {
    const { valid, anomalies = [], counts = {} } = sections[section] ?? {};
    sections[section] = {
      valid: false,
      summary: anomaly.message,
      anomalies: [anomaly, ...(valid === false ? anomalies : [])],
      counts: { ...(valid === false ? counts : {}), steps: 1 + (counts.steps ?? 0) },
    };
  }
  return mergeSections(sections);
}

function checkWorkload(name: string, history: History): Sections {
  const workload = workloads.get(name);
  if (workload === undefined) return { linear: unknown(`this version knows no workload ${JSON.stringify(name)}`) };
  return workload.check(history, { now: () => performance.now() });
}

function committedLog(audits: () => readonly NodeAudit[], history: History): Sections {
  try {
    return { ...checkCommittedLog(audits(), history) };
  } catch (error) {
    if (!(error instanceof AuditUnreadable)) throw error;
    const section = unknown(error.message);
    return { log: section, hash: section, election: section };
  }
}

/** A file that is missing or broken is evidence of nothing. */
function orUnknown(check: () => Section): Section {
  try {
    return check();
  } catch (error) {
    if (error instanceof RunFolderError) return unknown(error.message);
    throw error;
  }
}

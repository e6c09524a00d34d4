import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { checkCrash, type NodeExit } from '../../checker/crash.ts';
import { AuditUnreadable, type NodeAudit, parseAudit } from '../../checker/durability/audit-record.ts';
import { checkCommittedLog } from '../../checker/durability/committed-log.ts';
import type { History } from '../../checker/history/op.ts';
import { mergeSections, type Results, type Section, unknown } from '../../checker/verdict.ts';
import type { FaultOutcome } from '../../nemesis/summarize.ts';
import { files } from '../../results/store/layout.ts';
import { auditPath, readFaults, readHistory, readNodes, readSteps, readTest } from '../../results/store/read.ts';
import { RunFolderError, type StepViolation, type TestDescription } from '../../results/store/schema.ts';
import { targets } from '../target/index.ts';
import { workloads } from '../workload/index.ts';
import { checkCoreLiveness } from './core-liveness.ts';
import { checkFaults } from './fault-effects.ts';
import { checkLiveness } from './liveness.ts';
import { checkLogPattern } from './log-pattern.ts';
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

/**
 * Judges a run from its folder alone: what `test` does at its end and `check RUN` at any time, with the same answer.
 * @throws {RunFolderError} when test.json or the history cannot be read
 */
export function judge(folder: string): Results {
  const test = readTest(folder);
  const { records: history } = readHistory(folder);
  const target = targets.get(String(test.options.target));
  const { 'log-pattern': pattern } = test.options;
  return judgeEvidence({
    workload: test.workload ?? '',
    faultKinds: faultKindsAsked(test),
    swarm: test.options.swarm === true,
    history,
    faults: () => readFaults(folder).records,
    audits: target?.audited ? () => readAudits(folder, test) : undefined,
    crash: target === undefined ? crashOf(folder) : target.faults.length > 0 ? () => crash(folder) : undefined,
    logPattern: typeof pattern === 'string' ? () => checkLogPattern(folder, pattern) : undefined,
    steps: readSteps(folder),
  });
}

/** The same for evidence that is not in a folder: most simulated runs never see a disk. */
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

function readAudits(folder: string, test: TestDescription): readonly NodeAudit[] {
  return test.nodes.map((node) => {
    const path = auditPath(folder, node);
    return existsSync(path) ? parseAudit(node, readFileSync(path, 'utf8')) : { node, records: [], warnings: [] };
  });
}

const processRecord = z.discriminatedUnion('type', [
  z.object({ type: z.literal('start'), time: z.number(), pid: z.number() }),
  z.object({
    type: z.literal('exit'),
    time: z.number(),
    pid: z.number(),
    ordered: z.boolean(),
    code: z.number().nullable(),
    signal: z.string().nullable(),
    lastLogLines: z.array(z.string()),
  }),
]);

/** The starts and ends of nodes' processes, as the world wrote them down. */
function crash(folder: string): Section {
  let starts = 0;
  const exits: NodeExit[] = [];
  for (const node of readNodes(folder)) {
    const path = join(folder, files.nodes, node, 'exits.ndjson');
    if (!existsSync(path)) continue;
    // Without its last, cut line: the harness was killed while it wrote it.
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    for (const [at, line] of lines.entries()) {
      const record = parseProcessRecord(line);
      if (record === undefined) return unknown(`${path}:${at + 1}: not the start or end of a process`);
      if (record.type === 'start') starts++;
      else exits.push({ node, ...record });
    }
  }
  return checkCrash(starts, exits);
}

function parseProcessRecord(line: string): z.infer<typeof processRecord> | undefined {
  try {
    return processRecord.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** A user's own target is not known here: whether it had processes is told by what was written down of them. */
function crashOf(folder: string): (() => Section) | undefined {
  const watched = readNodes(folder).some((node) => existsSync(join(folder, files.nodes, node, files.exits)));
  return watched ? () => crash(folder) : undefined;
}

function faultKindsAsked({ options }: TestDescription): readonly string[] {
  return Array.isArray(options.nemesis) ? options.nemesis.map(String) : [];
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

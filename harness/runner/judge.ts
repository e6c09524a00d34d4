import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { checkCrash, type NodeExit } from '../../checker/crash.ts';
import { type NodeAudit, parseAudit } from '../../checker/durability/audit-record.ts';
import { type Results, type Section, unknown } from '../../checker/verdict.ts';
import { files } from '../../results/store/layout.ts';
import { auditPath, readFaults, readHistory, readNodes, readSteps, readTest } from '../../results/store/read.ts';
import type { TestDescription } from '../../results/store/schema.ts';
import { targets } from '../target/index.ts';
import { judgeEvidence } from './judge-evidence.ts';
import { checkLogPattern } from './log-pattern.ts';

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

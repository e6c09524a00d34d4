import { z } from 'zod';
import type { Value } from '../../checker/history/op.ts';
import type { Anomaly, Results, Valid } from '../../checker/verdict.ts';

/**
 * The shapes of a run folder's files, as they are read back. A folder may come from another machine, another
 * version or a run that was cut short, so nothing in it is believed before it was parsed here.
 */
const value: z.ZodType<Value> = z.json();
const named = z.record(z.string(), value);

/** A verdict, also as verbs print it with `--json`. */
export const validSchema: z.ZodType<Valid> = z.union([z.boolean(), z.literal('unknown')]);

/** `test.json`: everything that is needed to run it again and to know what ran. */
export interface TestDescription {
  /** The test's name: the folder's parent. `register`, `sim-register`, `local-read` … */
  readonly name: string;
  readonly seed: string | number;
  /** UTC, ISO 8601. */
  readonly started: string;
  /** What the nodes' clocks showed then, UTC, where it is another time: virtual time has its own origin. */
  readonly clockOrigin?: string | undefined;
  /** `real`: OS processes; `simulated`: virtual time; `history`: only a history was judged. */
  readonly world: 'real' | 'simulated' | 'history';
  readonly workload?: string | undefined;
  readonly nodes: readonly string[];
  /** Every option after defaults, by the name of its flag. */
  readonly options: { readonly [name: string]: Value };
  /** `splitbrain`, `node`, `kernel`, the target … */
  readonly versions: { readonly [part: string]: string };
  /** For each kind of fault the mechanism that this machine allowed: `{"partition":"tcp-proxy"}`. */
  readonly mechanisms: { readonly [fault: string]: string };
  /** Commands to copy, most useful first: `{"again":"splitbrain test --seed 7 …","check":"splitbrain check …"}`. */
  readonly commands: { readonly [purpose: string]: string };
  /** What this run could not or did not look at, a sentence each; shown in the report. */
  readonly notChecked?: readonly string[] | undefined;
}

const testDescription: z.ZodType<TestDescription> = z.object({
  name: z.string(),
  seed: z.union([z.string(), z.number()]),
  started: z.string(),
  clockOrigin: z.string().optional(),
  world: z.enum(['real', 'simulated', 'history']),
  workload: z.string().optional(),
  nodes: z.array(z.string()),
  options: named,
  versions: z.record(z.string(), z.string()),
  mechanisms: z.record(z.string(), z.string()),
  commands: z.record(z.string(), z.string()),
  notChecked: z.array(z.string()).optional(),
});

const link = z.object({ from: z.string(), to: z.string() });

/** A line of `faults.ndjson`. */
const faultRecord = z.object({
  kind: z.string(),
  variant: z.string(),
  id: z.number(),
  phase: z.enum(['start', 'end']),
  time: z.number(),
  doneTime: z.number(),
  nodes: z.array(z.string()),
  links: z.array(link).optional(),
  setting: z.looseObject({ type: z.string() }).optional(),
  effects: z.array(
    z.object({
      effect: z.enum(['proven', 'moot', 'ineffective']),
      mechanism: z.string(),
      proof: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
      node: z.string().optional(),
    }),
  ),
});

/** What a nemesis writes for the start and the end of each fault (nemesis' own record, its setting unread). */
export interface Fault {
  readonly kind: string;
  readonly variant: string;
  readonly id: number;
  readonly phase: 'start' | 'end';
  /** Nanoseconds since the start of the run. */
  readonly time: number;
  readonly doneTime: number;
  readonly nodes: readonly string[];
  readonly links?: readonly { readonly from: string; readonly to: string }[] | undefined;
  /** What was done beyond nodes and links: its type, and what kinds of that type say. */
  readonly setting?: { readonly type: string } | undefined;
  readonly effects: readonly {
    readonly effect: 'proven' | 'moot' | 'ineffective';
    readonly mechanism: string;
    readonly proof: { readonly [name: string]: string | number | boolean | null };
    readonly node?: string | undefined;
  }[];
}

const anomaly = z.object({
  kind: z.string(),
  message: z.string(),
  key: value.optional(),
  ops: z.array(z.number().int().nonnegative()),
  evidence: named,
});

const section = z.object({
  valid: validSchema,
  summary: z.string(),
  reason: z.string().optional(),
  anomalies: z.array(anomaly),
  counts: z.record(z.string(), z.number()),
  details: named.optional(),
});

const results = z.object({
  valid: validSchema,
  sections: z.record(z.string(), section),
});

/**
 * A line of `steps.ndjson`, which only the simulated world writes: an invariant of the nodes' true state that was
 * seen broken between two events.
 */
export interface StepViolation {
  /** The section of the results that it belongs to. */
  readonly section: string;
  readonly anomaly: Anomaly;
}

const stepViolation = z.object({ section: z.string(), anomaly });

/**
 * A line of `messages.ndjson`, which a shrunk run has: a raft message between two nodes. Times in nanoseconds of the run;
 * what never came has no `arrived`.
 */
export interface MessageRecord {
  readonly sent: number;
  readonly arrived?: number | undefined;
  readonly from: string;
  readonly to: string;
  /** As the protocol calls it: App, AppResp, Vote … */
  readonly type: string;
  readonly term: number;
  readonly index?: number | undefined;
  readonly logTerm?: number | undefined;
  readonly commit?: number | undefined;
  /** How many it carries. */
  readonly entries?: number | undefined;
  readonly reject?: boolean | undefined;
}

const messageRecord = z.object({
  sent: z.number(),
  arrived: z.number().optional(),
  from: z.string(),
  to: z.string(),
  type: z.string(),
  term: z.number(),
  index: z.number().optional(),
  logTerm: z.number().optional(),
  commit: z.number().optional(),
  entries: z.number().optional(),
  reject: z.boolean().optional(),
});

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

/** A line of a node's `exits.ndjson`: a process of it was started or ended. Times in nanoseconds of the run. */
export type ProcessRecord = z.infer<typeof processRecord>;

/** A file of a run folder that is not what it should be. The message names the file and, where there are lines, the line. */
export class RunFolderError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RunFolderError';
  }
}

function checked<T>(schema: z.ZodType<T>, json: unknown, where: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RunFolderError(`${where}: ${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'unreadable'}`);
}

function jsonOf(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RunFolderError(`${where}: not JSON`);
  }
}

export function parseTest(text: string, where: string): TestDescription {
  return checked(testDescription, jsonOf(text, where), where);
}

export function parseFault(text: string, where: string): Fault {
  return checked<Fault>(faultRecord, jsonOf(text, where), where);
}

export function parseStepViolation(text: string, where: string): StepViolation {
  // Missing and undefined are the same in JSON, which exactOptionalPropertyTypes does not know.
  return checked(stepViolation, jsonOf(text, where), where) as StepViolation;
}

export function parseMessage(text: string, where: string): MessageRecord {
  return checked<MessageRecord>(messageRecord, jsonOf(text, where), where);
}

export function parseProcessRecord(text: string, where: string): ProcessRecord {
  return checked(processRecord, jsonOf(text, where), where);
}

export function parseResults(text: string, where: string): Results {
  // Missing and undefined are the same in JSON, which exactOptionalPropertyTypes does not know.
  return checked(results, jsonOf(text, where), where) as Results;
}

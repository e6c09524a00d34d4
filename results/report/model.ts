import type { NodeAudit } from '../../checker/durability/audit-record.ts';
import type { History } from '../../checker/history/op.ts';
import type { Results } from '../../checker/verdict.ts';
import type { Fault, MessageRecord, ProcessRecord, TestDescription } from '../store/schema.ts';

/** Everything that a report is made of; where something was not recorded, it is missing, and the report says so. */
export interface ReportModel {
  readonly test: TestDescription;
  readonly results: Results;
  readonly history: History;
  /** The last line of the history was cut short. */
  readonly historyCut: boolean;
  readonly faults: readonly Fault[];
  readonly audits: readonly NodeAudit[];
  /** By node: lines as the node wrote them. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
  /** Between nodes, in the order in which they were sent. */
  readonly messages: readonly MessageRecord[];
  /** By node: starts and ends of its processes. */
  readonly processes: ReadonlyMap<string, readonly ProcessRecord[]>;
  /** What could not be read, a sentence each: the report says so instead of failing. */
  readonly unreadable: readonly string[];
  /** Paths of the run's other files, relative to its folder, that the report may point to. */
  readonly files: readonly string[];
}

import type { Node } from '../node/node.ts';
import type { ApiResponse } from './request.ts';

/** Upper bounds of the latency buckets, in seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts of something that takes time, as a Prometheus histogram. */
class Histogram {
  readonly #counts = new Array<number>(bounds.length + 1).fill(0);
  #sumMs = 0;

  observe(durationMs: number): void {
    this.#sumMs += durationMs;
    let at = 0;
    while (at < bounds.length && durationMs > bounds[at]! * 1000) at++;
    this.#counts[at]!++;
  }

  text(name: string, labels: string): string {
    let total = 0;
    let text = '';
    bounds.forEach((bound, at) => {
      total += this.#counts[at]!;
      text += `${name}_bucket{${labels},le="${bound}"} ${total}\n`;
    });
    total += this.#counts[bounds.length]!;
    text += `${name}_bucket{${labels},le="+Inf"} ${total}\n`;
    return `${text}${name}_sum{${labels}} ${this.#sumMs / 1000}\n${name}_count{${labels}} ${total}\n`;
  }
}

export type RequestKind = 'read' | 'write' | 'other';

/** What this node's API has done since its start. */
export class RequestMetrics {
  readonly #durations = { read: new Histogram(), write: new Histogram(), other: new Histogram() };
  readonly #statuses = new Map<number, number>();

  answered(kind: RequestKind, status: number, durationMs: number): void {
    this.#durations[kind].observe(durationMs);
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }

  text(): string {
    let text = '# TYPE splitbrain_http_answers_total counter\n';
    for (const [status, count] of [...this.#statuses].sort(([a], [b]) => a - b)) {
      text += `splitbrain_http_answers_total{status="${status}"} ${count}\n`;
    }
    text += '# TYPE splitbrain_request_duration_seconds histogram\n';
    for (const kind of ['read', 'write', 'other'] as const) {
      text += this.#durations[kind].text('splitbrain_request_duration_seconds', `kind="${kind}"`);
    }
    return text;
  }
}

/** The Prometheus text format, version 0.0.4. */
export function metricsAnswer(node: Node, requests: RequestMetrics): ApiResponse {
  const { hardState, softState, lastIndex } = node.basicStatus();
  const { store, waiting } = node;
  let text = '';
  const metric = (type: 'gauge' | 'counter', name: string, help: string, value: number) => {
    text += `# HELP splitbrain_${name} ${help}\n# TYPE splitbrain_${name} ${type}\nsplitbrain_${name} ${value}\n`;
  };
  metric('gauge', 'raft_term', 'Current term.', hardState.term);
  metric('gauge', 'raft_is_leader', '1 while this node leads.', softState.role === 'leader' ? 1 : 0);
  metric('gauge', 'raft_leader', 'Id of the leader, 0 when none is known.', softState.leader);
  metric('counter', 'raft_leader_changes_total', 'Changes of leader seen.', node.leaderChanges);
  metric('gauge', 'raft_commit_index', 'Highest index known to be committed.', hardState.commit);
  metric('gauge', 'raft_applied_index', 'Highest index applied.', node.appliedIndex);
  metric('gauge', 'raft_last_index', 'Highest index in the log.', lastIndex);
  metric('gauge', 'snapshot_index', 'Index of the newest snapshot.', node.snapshotIndex);
  metric('counter', 'log_batches_total', 'Writes to the log, each with one sync.', node.logBatches);
  metric('gauge', 'log_batches_pending', 'Batches that wait for the disk.', node.logBatchesPending);
  metric('gauge', 'proposals_waiting', 'Writes under way.', waiting.proposals);
  metric('gauge', 'proposals_waiting_bytes', 'Their bytes.', waiting.proposalBytes);
  metric('counter', 'read_index_rounds_total', 'Confirmations by a quorum that reads waited for.', node.readRounds);
  metric('gauge', 'reads_waiting', 'Reads under way.', waiting.reads);
  metric('gauge', 'store_revision', 'Revision of the store.', store.revision);
  metric('gauge', 'store_keys', 'Keys in the store.', store.size);
  const headers = { 'Content-Type': 'text/plain; version=0.0.4' };
  return { status: 200, headers, body: new TextEncoder().encode(text + requests.text()) };
}

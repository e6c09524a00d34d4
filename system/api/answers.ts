import type { Item, RefusalReason, Result, TxnResult } from '../kv/index.ts';
import { bytesOf } from '../kv/index.ts';
import type { ProposalOutcome, Refusal } from '../node/proposals.ts';
import type { Applied } from '../node/proposer.ts';
import type { ReadOutcome } from '../node/reads.ts';
import { bytesJson, toJson } from './parse.ts';
import { type ApiResponse, failure, json, revisionJson } from './request.ts';

/** Status, and what it means for the write: see docs/ARCHITECTURE.md, HTTP. All of these are definite. */
const refusals: Readonly<Record<Refusal, readonly [status: number, message: string]>> = {
  'too-many-requests': [429, 'more requests are under way than this node takes; try again later'],
  'no-leader': [503, 'no leader is known; nothing was proposed'],
  'leadership-transfer': [503, 'the leader is handing over; nothing was proposed'],
  'not-a-member': [503, 'this node is not a member of the cluster'],
  'disk-full': [503, 'the disk of this node is full; nothing was proposed'],
  superseded: [503, 'a change of leader replaced the proposal; it did not take effect and never will'],
  stopping: [503, 'this node is stopping; nothing was proposed'],
};

/** What the state machine refused. Nothing happened. */
const storeRefusals: Readonly<Record<RefusalReason, readonly [status: number, message: string]>> = {
  'cas-mismatch': [412, 'the value or revision was not the expected one'],
  'not-a-list': [412, 'the key holds a value that is not a list'],
  'too-large': [413, 'the key, value, list or transaction is larger than the store takes'],
  'session-expired': [412, 'there is no such session (any more); open another'],
  'sequence-stale': [412, 'the session has moved on to a higher sequence'],
  malformed: [400, 'the command was not understood'],
};

export function refused(reason: Refusal): ApiResponse {
  const [status, message] = refusals[reason];
  return failure(status, reason, message);
}

export function unknown(reason: 'timeout' | 'snapshot' | 'stopping'): ApiResponse {
  const message = 'the outcome is not known: the write may have happened, or may yet';
  return failure(504, reason === 'snapshot' ? 'unknown' : reason, message);
}

export function readFailed({ reason }: Extract<ReadOutcome, { type: 'failed' }>): ApiResponse {
  return reason === 'timeout' ? failure(504, 'timeout', 'the read was not confirmed in time') : refused(reason);
}

/** Turns a proposal's outcome into an answer; `success` says how the result of a command that took effect looks. */
export function answer(outcome: ProposalOutcome<Applied>, success: (result: Result) => ApiResponse): ApiResponse {
  if (outcome.type === 'refused') return refused(outcome.reason);
  if (outcome.type === 'unknown') return unknown(outcome.reason);
  const result = outcome.result === 'membership-changed' ? undefined : outcome.result.result;
  if (result === undefined) return failure(500, 'internal', 'an entry without a result was matched');
  if (result.type !== 'refused') return success(result);
  return refusedByStore(result.reason);
}

export function refusedByStore(reason: RefusalReason): ApiResponse {
  const [status, message] = storeRefusals[reason];
  return failure(status, reason, message);
}

export function resultJson(result: Result): ApiResponse {
  switch (result.type) {
    case 'put':
    case 'cas':
      return revisionJson(result.revision);
    case 'delete':
      return json(200, { revision: result.revision, deleted: result.deleted });
    case 'append':
      return json(200, { revision: result.revision, length: result.length });
    case 'txn': {
      const { revision, succeeded } = result;
      return json(200, { revision, succeeded, results: result.results.map(txnResultJson) });
    }
    case 'open-session':
      return json(200, { session: String(result.session) });
    case 'close-session':
      return json(200, { closed: result.closed });
    case 'refused':
      return failure(500, 'internal', 'a refusal is not a result');
  }
}

function txnResultJson(result: TxnResult): unknown {
  switch (result.type) {
    case 'get':
      return {
        op: 'get',
        value: result.item === undefined ? null : toJson(result.item.value),
        revision: result.item?.revision ?? 0,
      };
    case 'range':
      return { op: 'range', items: result.items.map(itemJson), more: result.more };
    case 'put':
      return { op: 'put' };
    case 'delete':
      return { op: 'delete', deleted: result.deleted };
    case 'append':
      return { op: 'append', length: result.length };
  }
}

export function itemJson({ key, value, revision, createRevision, version }: Item): unknown {
  return { key: bytesJson(bytesOf(key)), value: toJson(value), revision, createRevision, version };
}

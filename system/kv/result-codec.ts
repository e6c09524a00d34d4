import { ByteReader, ByteWriter, MalformedBytes } from './bytes.ts';
import type { Value } from './command.ts';
import type { Item, RefusalReason, Result, TxnResult } from './result.ts';

// How a session keeps the answer that a retry gets again. The numbers are those of the snapshot format.
const RESULTS = ['put', 'cas', 'delete', 'append', 'txn', 'open-session', 'close-session', 'refused'] as const;
const TXN_RESULTS = ['get', 'range', 'put', 'delete', 'append'] as const;
const REASONS: readonly RefusalReason[] = [
  'cas-mismatch',
  'not-a-list',
  'too-large',
  'session-expired',
  'sequence-stale',
  'malformed',
];

const scratch = new ByteWriter(1024);

export function encodeResult(result: Result): Uint8Array {
  const to = scratch;
  to.clear();
  to.u8(RESULTS.indexOf(result.type));
  switch (result.type) {
    case 'put':
    case 'cas':
      to.uvarint(result.revision);
      break;
    case 'delete':
      to.uvarint(result.revision);
      to.u8(result.deleted ? 1 : 0);
      break;
    case 'append':
      to.uvarint(result.revision);
      to.uvarint(result.length);
      break;
    case 'txn':
      to.uvarint(result.revision);
      to.u8(result.succeeded ? 1 : 0);
      to.uvarint(result.results.length);
      for (const part of result.results) writeTxnResult(to, part);
      break;
    case 'open-session':
      to.uvarint(result.session);
      break;
    case 'close-session':
      to.u8(result.closed ? 1 : 0);
      break;
    case 'refused':
      to.u8(REASONS.indexOf(result.reason));
      to.uvarint(result.revision);
      break;
  }
  return to.slice();
}

function writeTxnResult(to: ByteWriter, result: TxnResult): void {
  to.u8(TXN_RESULTS.indexOf(result.type));
  switch (result.type) {
    case 'get':
      to.u8(result.item === undefined ? 0 : 1);
      if (result.item !== undefined) writeItem(to, result.item);
      return;
    case 'range':
      to.uvarint(result.items.length);
      for (const item of result.items) writeItem(to, item);
      to.u8(result.more ? 1 : 0);
      return;
    case 'put':
      return;
    case 'delete':
      to.u8(result.deleted ? 1 : 0);
      return;
    case 'append':
      to.uvarint(result.length);
      return;
  }
}

function writeItem(to: ByteWriter, item: Item): void {
  to.text(item.key);
  to.uvarint(item.createRevision);
  to.uvarint(item.revision);
  to.uvarint(item.version);
  if (item.value instanceof Uint8Array) {
    to.u8(0);
    to.bytes(item.value);
    return;
  }
  to.u8(1);
  to.uvarint(item.value.length);
  for (const element of item.value) to.bytes(element);
}

/** @throws MalformedBytes */
export function decodeResult(bytes: Uint8Array): Result {
  const from = new ByteReader(bytes);
  const type = RESULTS[from.u8()];
  switch (type) {
    case 'put':
    case 'cas':
      return { type, revision: from.uvarint() };
    case 'delete':
      return { type, revision: from.uvarint(), deleted: from.u8() === 1 };
    case 'append':
      return { type, revision: from.uvarint(), length: from.uvarint() };
    case 'txn': {
      const revision = from.uvarint();
      const succeeded = from.u8() === 1;
      const results: TxnResult[] = [];
      for (let left = from.uvarint(); left > 0; left--) results.push(readTxnResult(from));
      return { type, revision, succeeded, results };
    }
    case 'open-session':
      return { type, session: from.uvarint() };
    case 'close-session':
      return { type, closed: from.u8() === 1 };
    case 'refused': {
      const reason = REASONS[from.u8()];
      if (reason === undefined) throw new MalformedBytes('an unknown reason');
      return { type, reason, revision: from.uvarint() };
    }
    default:
      throw new MalformedBytes('an unknown result');
  }
}

function readTxnResult(from: ByteReader): TxnResult {
  const type = TXN_RESULTS[from.u8()];
  switch (type) {
    case 'get':
      return { type, item: from.u8() === 1 ? readItem(from) : undefined };
    case 'range': {
      const items: Item[] = [];
      for (let left = from.uvarint(); left > 0; left--) items.push(readItem(from));
      return { type, items, more: from.u8() === 1 };
    }
    case 'put':
      return { type };
    case 'delete':
      return { type, deleted: from.u8() === 1 };
    case 'append':
      return { type, length: from.uvarint() };
    default:
      throw new MalformedBytes('an unknown result');
  }
}

function readItem(from: ByteReader): Item {
  const key = from.text();
  const createRevision = from.uvarint();
  const revision = from.uvarint();
  const version = from.uvarint();
  let value: Value;
  if (from.u8() === 0) value = from.bytes();
  else {
    const elements: Uint8Array[] = [];
    for (let left = from.uvarint(); left > 0; left--) elements.push(from.bytes());
    value = elements;
  }
  return { key, value, createRevision, revision, version };
}

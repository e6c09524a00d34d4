/** The typed client: start with `Client`; `createHttpExchange` is how it reaches real nodes. */
export { Client } from './client.ts';
export { collectBytesMax, type Exchange, type ExchangeRequest, type ExchangeResult } from './exchange.ts';
export { createHttpExchange } from './http-exchange.ts';
export type { Failure, Outcome, Result } from './outcome.ts';
export type {
  CallOptions,
  Compare,
  Item,
  Member,
  MemberChange,
  ReadMode,
  Status,
  Txn,
  TxnOp,
  TxnResult,
  Versioned,
  WatchedChange,
} from './types.ts';
export type { Bytes } from './value.ts';

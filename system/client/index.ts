/** The typed client: start with `Client`; `createHttpExchange` is how it reaches real nodes. */
export { Client } from './client.ts';
export { collectBytesMax, type Exchange, type ExchangeRequest, type ExchangeResult } from './exchange.ts';
export { createHttpExchange } from './http-exchange.ts';
export type { Failure, Outcome, Result } from './outcome.ts';
export {
  type CallOptions,
  type Compare,
  type Item,
  type Member,
  type MemberChange,
  type ReadMode,
  readModes,
  type Status,
  type Txn,
  type TxnOp,
  type TxnResult,
  type Versioned,
  type WatchedChange,
} from './types.ts';
export type { Bytes } from './value.ts';

/** The typed client: start with `Client`; `createHttpExchange` is how it reaches real nodes. */
export {
  type CallOptions,
  Client,
  type Compare,
  type Item,
  type Member,
  type MemberChange,
  type ReadMode,
  type Status,
  type Txn,
  type TxnOp,
  type TxnResult,
  type Versioned,
  type WatchedChange,
} from './client.ts';
export { collectBytesMax, type Exchange, type ExchangeRequest, type ExchangeResult } from './exchange.ts';
export { createHttpExchange } from './http-exchange.ts';
export type { Failure, Outcome, Result } from './outcome.ts';
export type { Bytes } from './value.ts';

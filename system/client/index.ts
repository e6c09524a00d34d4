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
} from './client.ts';
export type { Exchange, ExchangeRequest, ExchangeResult } from './exchange.ts';
export { createHttpExchange } from './http-exchange.ts';
export type { Failure, Outcome, Result } from './outcome.ts';
export type { Bytes } from './value.ts';

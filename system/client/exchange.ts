/** One HTTP request to one node, and what came of it. */
export interface ExchangeRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** After this `done` is called with a failure, whatever the node does. */
  readonly timeoutMs: number;
  /**
   * For an answer without an end (a watch): what came within this time after its head is the answer; a little less
   * when it ended earlier, or held `collectBytesMax`.
   */
  readonly collectMs?: number;
}

/** A bound on what is collected of an answer without an end. */
export const collectBytesMax = 1 << 20;

export type ExchangeResult =
  | {
      readonly type: 'answer';
      readonly status: number;
      /** Names in lower case. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array;
    }
  | {
      readonly type: 'failure';
      /** `connection-refused`, `connection-reset`, `timeout` … */
      readonly error: string;
      readonly message: string;
      /** Whether a byte of the request can have reached the node. When in doubt: true. */
      readonly sent: boolean;
    };

/**
 * How a client talks to a node: over HTTP (`http-exchange.ts`) or inside the simulator. Sends the request at most
 * once and calls back exactly once, in a later turn.
 */
export type Exchange = (node: string, request: ExchangeRequest, done: (result: ExchangeResult) => void) => void;

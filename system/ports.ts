/**
 * The four doors. Everything that `system` learns from or does to the outside goes through one of these, so
 * that the same compiled code runs as a process (`system/real/`) and inside the deterministic simulator
 * (`harness/simulate/`).
 *
 * Contract that every implementation keeps:
 * - callbacks are never called from inside the call that registered them, always in a later turn;
 * - a callback is called at most once unless its comment says otherwise;
 * - an error is a `PortError` with a code, never a bare string.
 * Hot paths call back; only cold paths (opening, listing, reading at start) return promises.
 */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly fileSystem: FileSystem;
  readonly network: Network;
}

/** Something failed at a door. `code` is the operating system's name for it: ENOSPC, EIO, ENOENT, ECONNREFUSED … */
export class PortError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'PortError';
    this.code = code;
  }
}

export interface Clock {
  /** Milliseconds since an arbitrary origin, with fractions; never goes back, may run fast or slow. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may jump either way. Never used for a decision that safety rests on. */
  wallMs(): number;
  /** Calls back once, not before `delayMs` of this node's monotonic time have passed. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /**
   * Calls back once the inputs that are already waiting in this turn of the event loop have been delivered:
   * the one place where work is batched (one Ready, one write, one sync for all of a turn's requests).
   */
  endOfTurn(callback: () => void): void;
}

export interface Timer {
  /** After this the callback is never called. Cancelling twice, or after it ran, does nothing. */
  cancel(): void;
}

export interface Random {
  /** A uniformly distributed integer in [0, 2^32). */
  uint32(): number;
}

/** Paths are relative to the node's data directory, with `/`; no `..`. */
export interface FileSystem {
  /** Makes a directory and its parents; present ones are fine. Durable after `syncDirectory` of its parent. */
  makeDirectory(path: string): Promise<void>;
  /** Names in the directory, in byte order. A missing directory is ENOENT. */
  list(path: string): Promise<readonly string[]>;
  /** Atomic replace. Durable after `syncDirectory` of the parent. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. Missing is ENOENT. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  open(path: string, mode: OpenMode): Promise<File>;
}

/**
 * `read`: must exist. `write`: must exist, read and write. `write-through`: as `write`, for a file that is mostly written
 * with `writeDurably`; its other writes may be durable as well. `create`: must not exist (EEXIST), read and write.
 */
export type OpenMode = 'read' | 'write' | 'write-through' | 'create';

export interface File {
  readonly path: string;
  size(): Promise<number>;
  /** Up to `lengthBytes` bytes from `position`; fewer only at the end of the file. */
  read(position: number, lengthBytes: number): Promise<Uint8Array>;
  /** Writes without making it durable. */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>;
  /** fdatasync. */
  datasync(): Promise<void>;
  /**
   * Writes the chunks one after another from `position`, makes them durable as fdatasync does, then calls back. The
   * chunks must not be changed before that. An error means that nothing is known about what reached the disk: the caller may
   * not sync again and believe it (fsyncgate; see docs/ARCHITECTURE.md).
   */
  writeDurably(position: number, chunks: readonly Uint8Array[], done: (error: PortError | undefined) => void): void;
  truncate(lengthBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Host and port on loopback unless the operator said otherwise. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** PEM texts. For a server, `ca` present means that clients must show a certificate signed by it (mutual TLS). */
export interface TlsIdentity {
  readonly key: string;
  readonly certificate: string;
  readonly ca?: string;
}

export interface Network {
  /** Port 0 asks for any free port; the listener tells which. A taken port is EADDRINUSE. */
  listen(address: Address, accept: (connection: Connection) => void, tls?: TlsIdentity): Promise<Listener>;
  /** Returns at once; `opened` or `closed` follows. */
  connect(address: Address, handlers: ConnectionHandlers, tls?: TlsIdentity): Connection;
}

export interface Listener {
  readonly address: Address;
  /** Stops accepting; open connections stay. */
  close(): Promise<void>;
}

export interface ConnectionHandlers {
  opened?(): void;
  /** Called for each chunk. The bytes belong to the receiver. */
  data(chunk: Uint8Array): void;
  /** `bufferedBytes` fell to zero after having been above zero. */
  drained?(): void;
  /** Called once, last, whoever ended it; with an error unless the end was orderly. */
  closed(error: PortError | undefined): void;
}

/** A reliable ordered stream of bytes until it closes. */
export interface Connection {
  readonly remote: Address;
  /** For an accepted connection: sets the handlers, inside the `accept` call. */
  handle(handlers: ConnectionHandlers): void;
  /**
   * Queues chunks to be sent in order. Peers write whole frames in each call, which lets a simulated network
   * lose, repeat or reorder messages at these seams. The bytes must not be changed afterwards.
   */
  write(chunks: readonly Uint8Array[]): void;
  /** Bytes queued and not yet handed to the network: the writer's measure for back-pressure. */
  readonly bufferedBytes: number;
  /** Stops and restarts `data`, so that a slow consumer pushes back on the sender. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

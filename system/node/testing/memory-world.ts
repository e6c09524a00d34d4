import {
  type Address,
  type Connection,
  type ConnectionHandlers,
  type File,
  type FileSystem,
  type Listener,
  PortError,
  type Ports,
} from '../../ports.ts';

const networkDelayMs = 0.5;
const diskDelayMs = 0.5;

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** Consulted before each operation of a disk; an error fails it. `sync` is also asked for the sync of a durable write. */
export type DiskFault = (
  operation:
    | 'makeDirectory'
    | 'list'
    | 'rename'
    | 'remove'
    | 'syncDirectory'
    | 'open'
    | 'close'
    | 'read'
    | 'write'
    | 'sync',
  path: string,
) => PortError | undefined;

/** One machine: its disk outlives its processes, whose callbacks stop with them. */
class Machine {
  readonly files = new Map<string, Stored>();
  generation = 0;
  readonly connections = new Set<MemoryConnection>();
  diskFault: DiskFault = () => undefined;
}

/** Several nodes in one process on virtual time, deterministic for a seed: the smallest world that cluster tests need. */
export class MemoryWorld {
  nowMs = 0;
  #events: Event[] = [];
  #seed: number;
  readonly #machines = new Map<string, Machine>();
  readonly #listeners = new Map<
    number,
    { readonly machine: string; readonly accept: (connection: Connection) => void }
  >();
  /** Machines that nobody reaches. */
  readonly isolated = new Set<string>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  schedule(delayMs: number, run: () => void): void {
    const atMs = this.nowMs + Math.max(0, delayMs);
    let at = this.#events.length;
    while (at > 0 && this.#events[at - 1]!.atMs > atMs) at--;
    this.#events.splice(at, 0, { atMs, run });
  }

  /** Lets time pass until the condition holds. @throws when it does not within `limitMs` of virtual time */
  async until(what: string | (() => string), condition: () => boolean, limitMs = 20_000): Promise<void> {
    const endMs = this.nowMs + limitMs;
    for (;;) {
      // Whatever promises the last event touched come first.
      await new Promise((resolve) => setImmediate(resolve));
      if (condition()) return;
      const event = this.#events.shift();
      if (event === undefined || event.atMs > endMs)
        throw new Error(`not within ${limitMs} ms: ${typeof what === 'string' ? what : what()}`);
      this.nowMs = event.atMs;
      event.run();
    }
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    let over = false;
    this.schedule(ms, () => {
      over = true;
    });
    await this.until('time passes', () => over && this.nowMs >= endMs, ms + 1);
  }

  /** Ends whatever runs on the machine; what was not synced is gone. */
  crash(name: string): void {
    const machine = this.#machine(name);
    machine.generation++;
    for (const connection of [...machine.connections]) connection.drop();
    for (const [port, { machine: at }] of [...this.#listeners]) if (at === name) this.#listeners.delete(port);
    for (const file of machine.files.values()) file.crash();
  }

  /** From now on the machine's disk does what this says. */
  breakDisk(name: string, fault: DiskFault): void {
    this.#machine(name).diskFault = fault;
  }

  mendDisk(name: string): void {
    this.#machine(name).diskFault = () => undefined;
  }

  /** Paths of the files on the machine's disk. */
  files(name: string): string[] {
    return [...this.#machine(name).files.keys()].sort();
  }

  /** The ports of a process that now starts on the machine. */
  ports(name: string): Ports {
    const machine = this.#machine(name);
    const { generation } = machine;
    const later = (delayMs: number, callback: () => void) => {
      this.schedule(delayMs, () => {
        if (machine.generation === generation) callback();
      });
    };
    return {
      clock: {
        monotonicMs: () => this.nowMs,
        wallMs: () => this.nowMs,
        setTimer: (delayMs, callback) => {
          let cancelled = false;
          later(delayMs, () => {
            if (!cancelled) callback();
          });
          return {
            cancel: () => {
              cancelled = true;
            },
          };
        },
        endOfTurn: (callback) => later(0, callback),
      },
      random: { uint32: () => this.#random() },
      fileSystem: memoryFileSystem(machine, later),
      network: {
        listen: async (address, accept): Promise<Listener> => {
          if (this.#listeners.has(address.port)) throw new PortError('EADDRINUSE', `port ${address.port} is taken`);
          this.#listeners.set(address.port, { machine: name, accept });
          return {
            address,
            close: async () => {
              this.#listeners.delete(address.port);
            },
          };
        },
        connect: (address, handlers) => this.#connect(name, address, handlers),
      },
    };
  }

  #connect(from: string, address: Address, handlers: ConnectionHandlers): Connection {
    const local = new MemoryConnection(this, this.#machine(from), from, address);
    local.handle(handlers);
    this.schedule(networkDelayMs, () => {
      const listener = this.#listeners.get(address.port);
      if (listener === undefined || this.isolated.has(from) || this.isolated.has(listener.machine)) {
        local.fail(new PortError('ECONNREFUSED', `nobody at ${address.port}`));
        return;
      }
      const remote = new MemoryConnection(this, this.#machine(listener.machine), listener.machine, address);
      local.join(remote);
      listener.accept(remote);
      local.open();
    });
    return local;
  }

  #machine(name: string): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      machine = new Machine();
      this.#machines.set(name, machine);
    }
    return machine;
  }

  /** mulberry32: any generator does, the world need only be the same for the same seed. */
  #random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0;
    let x = Math.imul(this.#seed ^ (this.#seed >>> 15), this.#seed | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  }
}

class MemoryConnection implements Connection {
  readonly remote: Address;
  readonly bufferedBytes = 0;
  readonly #world: MemoryWorld;
  readonly #machine: Machine;
  readonly #name: string;
  #other: MemoryConnection | undefined;
  #handlers: ConnectionHandlers | undefined;
  #early: (readonly Uint8Array[])[] = [];
  #closed = false;
  #paused = false;
  #held: Uint8Array[] = [];

  constructor(world: MemoryWorld, machine: Machine, name: string, remote: Address) {
    this.#world = world;
    this.#machine = machine;
    this.#name = name;
    this.remote = remote;
    machine.connections.add(this);
  }

  handle(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  join(other: MemoryConnection): void {
    this.#other = other;
    other.#other = this;
  }

  open(): void {
    if (this.#closed) return;
    this.#handlers?.opened?.();
    for (const chunks of this.#early) this.write(chunks);
    this.#early = [];
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.#closed) return;
    const other = this.#other;
    if (other === undefined) {
      this.#early.push(chunks);
      return;
    }
    const { isolated } = this.#world;
    if (isolated.has(this.#name) || isolated.has(other.#name)) return;
    this.#world.schedule(networkDelayMs, () => {
      for (const chunk of chunks) other.#receive(chunk);
      this.#handlers?.drained?.();
    });
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closed) return;
    if (this.#paused) this.#held.push(chunk);
    else this.#handlers?.data(chunk);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    this.#world.schedule(0, () => {
      for (const chunk of held) this.#receive(chunk);
    });
  }

  end(): void {
    this.#world.schedule(networkDelayMs, () => {
      this.fail(undefined);
      const other = this.#other;
      const { isolated } = this.#world;
      // One that nobody reaches is not heard to hang up, either.
      if (other !== undefined && !isolated.has(this.#name) && !isolated.has(other.#name)) other.fail(undefined);
    });
  }

  destroy(): void {
    this.#world.schedule(0, () => this.fail(undefined));
    this.#world.schedule(networkDelayMs, () => this.#other?.fail(new PortError('ECONNRESET', 'reset')));
  }

  fail(error: PortError | undefined): void {
    if (this.#closed) return;
    this.drop();
    this.#handlers?.closed(error);
  }

  /** The process at this end is gone: it is told nothing, the other end is. */
  drop(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#machine.connections.delete(this);
    const other = this.#other;
    this.#world.schedule(networkDelayMs, () => other?.fail(new PortError('ECONNRESET', 'reset')));
  }
}

type Later = (delayMs: number, callback: () => void) => void;
/** A file's bytes, and what to put back when they were not synced. */
class Stored {
  length = 0;
  #bytes = new Uint8Array(1024);
  #undo: { readonly length: number; readonly position: number; readonly before: Uint8Array }[] = [];

  read(position: number, lengthBytes: number): Uint8Array {
    return this.#bytes.slice(position, Math.min(this.length, position + lengthBytes));
  }

  write(position: number, chunks: readonly Uint8Array[]): void {
    let at = position;
    for (const chunk of chunks) {
      this.#undo.push({ length: this.length, position: at, before: this.#bytes.slice(at, at + chunk.length) });
      const end = at + chunk.length;
      if (end > this.#bytes.length) {
        const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
        grown.set(this.#bytes);
        this.#bytes = grown;
      }
      this.#bytes.set(chunk, at);
      this.length = Math.max(this.length, end);
      at = end;
    }
  }

  truncate(lengthBytes: number): void {
    const before = this.#bytes.slice(lengthBytes, this.length);
    this.#undo.push({ length: this.length, position: lengthBytes, before });
    this.#bytes.fill(0, lengthBytes, this.length);
    this.length = lengthBytes;
  }

  sync(): void {
    this.#undo = [];
  }

  crash(): void {
    for (const { length, position, before } of this.#undo.reverse()) {
      this.#bytes.fill(0, length, Math.max(length, this.length));
      this.#bytes.set(before, position);
      this.length = length;
    }
    this.#undo = [];
  }
}

function memoryFileSystem(machine: Machine, later: Later): FileSystem {
  const { files } = machine;
  const after = <T>(operation: Parameters<DiskFault>[0], path: string, action: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      later(diskDelayMs, () => {
        try {
          const error = machine.diskFault(operation, path);
          if (error !== undefined) throw error;
          resolve(action());
        } catch (error) {
          reject(error);
        }
      });
    });
  const find = (path: string): Stored => {
    const file = files.get(path);
    if (file === undefined) throw new PortError('ENOENT', `no file ${path}`);
    return file;
  };
  const opened = (path: string, file: Stored): File => ({
    path,
    size: () => after('read', path, () => file.length),
    read: (position, lengthBytes) => after('read', path, () => file.read(position, lengthBytes)),
    write: (position, chunks) => after('write', path, () => file.write(position, chunks)),
    datasync: () => after('sync', path, () => file.sync()),
    writeDurably(position, chunks, done) {
      later(diskDelayMs, () => {
        const unwritten = machine.diskFault('write', path);
        if (unwritten !== undefined) return done(unwritten);
        file.write(position, chunks);
        const unsynced = machine.diskFault('sync', path);
        if (unsynced !== undefined) return done(unsynced);
        file.sync();
        done(undefined);
      });
    },
    truncate: (lengthBytes) => after('write', path, () => file.truncate(lengthBytes)),
    close: () => after('close', path, () => {}),
  });
  return {
    makeDirectory: (path) => after('makeDirectory', path, () => {}),
    syncDirectory: (path) => after('syncDirectory', path, () => {}),
    list: (path) =>
      after('list', path, () =>
        [...files.keys()]
          .filter((name) => name.startsWith(`${path}/`))
          .map((name) => name.slice(path.length + 1))
          .sort(),
      ),
    rename: (from, to) =>
      after('rename', from, () => {
        files.set(to, find(from));
        files.delete(from);
      }),
    remove: (path) =>
      after('remove', path, () => {
        find(path);
        files.delete(path);
      }),
    open: (path, mode) =>
      after('open', path, () => {
        if (mode === 'create') {
          if (files.has(path)) throw new PortError('EEXIST', `there is a file ${path}`);
          files.set(path, new Stored());
        }
        return opened(path, find(path));
      }),
  };
}

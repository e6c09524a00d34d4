import { connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Address, Connection, ConnectionHandlers, Listener, Network, PortError } from '../ports.ts';
import { toPortError } from './port-error.ts';

/** TCP, or TLS where an identity is given, on Node's sockets. */
export const realNetwork: Network = {
  listen(address, accept, tls): Promise<Listener> {
    const onSocket = (socket: Socket) => {
      const connection = new RealConnection(socket, undefined);
      accept(connection);
    };
    const server: Server =
      tls === undefined
        ? createTcpServer({ noDelay: true, allowHalfOpen: false }, onSocket)
        : createTlsServer(
            { key: tls.key, cert: tls.certificate, ...(tls.ca === undefined ? {} : mutual(tls.ca)), noDelay: true },
            onSocket,
          );
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(toPortError(error, `listening on ${address.host}:${address.port}`)));
      server.listen({ host: address.host, port: address.port }, () => {
        const bound = server.address();
        const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
        resolve({
          address: { host: address.host, port },
          close: () => new Promise((closed) => server.close(() => closed())),
        });
        // Later errors are those of single connections that failed while being accepted (EMFILE): the peer sees it.
        server.on('error', () => {});
      });
    });
  },

  connect(address, handlers, tls): Connection {
    const socket: Socket | TLSSocket =
      tls === undefined
        ? connectTcp({ host: address.host, port: address.port, noDelay: true })
        : connectTls({
            host: address.host,
            port: address.port,
            key: tls.key,
            cert: tls.certificate,
            ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          });
    const connection = new RealConnection(socket, address);
    connection.handle(handlers);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      if (tls !== undefined) socket.setNoDelay(true);
      handlers.opened?.();
    });
    return connection;
  },
};

function mutual(ca: string): { ca: string; requestCert: true; rejectUnauthorized: true } {
  return { ca, requestCert: true, rejectUnauthorized: true };
}

const nothing = new Uint8Array(0);

class RealConnection implements Connection {
  readonly remote: Address;
  readonly #socket: Socket;
  #closed = false;
  #drained: (() => void) | undefined;

  constructor(socket: Socket, remote: Address | undefined) {
    this.#socket = socket;
    this.remote = remote ?? { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
  }

  handle(handlers: ConnectionHandlers): void {
    let failure: PortError | undefined;
    const socket = this.#socket;
    socket.on('data', (chunk: Uint8Array) => handlers.data(chunk));
    this.#drained = handlers.drained === undefined ? undefined : () => handlers.drained?.();
    socket.on('error', (error) => {
      failure = toPortError(error, `connection to ${this.remote.host}:${this.remote.port}`);
    });
    socket.on('close', () => {
      this.#closed = true;
      handlers.closed(failure);
    });
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.#closed) return;
    const socket = this.#socket;
    if (chunks.length === 1) socket.write(chunks[0]!);
    else {
      socket.cork();
      for (const chunk of chunks) socket.write(chunk);
      socket.uncork();
    }
    // Node's own 'drain' comes only after a full buffer; the port promises it after any. An empty write waits its turn.
    if (socket.writableLength > 0 && this.#drained !== undefined) socket.write(nothing, this.#whenEmpty);
  }

  readonly #whenEmpty = (): void => {
    if (!this.#closed && this.#socket.writableLength === 0) this.#drained?.();
  };

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

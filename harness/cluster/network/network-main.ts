/**
 * Holds the namespaces of a network (`network.ts`) and carries clients' connections into them: it is handed sockets
 * that listen in the harness's namespace, and dials from its own. Ends with the channel to the harness.
 */
import { connect, type Server, type Socket } from 'node:net';

process.on('message', (message, handle) => {
  const { host, port } = message as { readonly host: string; readonly port: number };
  const server = handle as Server;
  server.on('connection', (client: Socket) => carry(client, connect({ host, port, noDelay: true })));
  process.send?.({ forwarded: port });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });

/** Both ways, until either end is done with it; a connection that breaks on one side is broken on the other. */
function carry(client: Socket, node: Socket): void {
  client.setNoDelay(true);
  client.pipe(node).pipe(client);
  for (const [one, other] of [
    [client, node],
    [node, client],
  ] as const) {
    one.on('error', () => other.resetAndDestroy());
    one.on('close', () => other.destroy());
  }
}

/**
 * The node's end of the pipe to the harness, file descriptor 3: lines of `{"id":N,"module":NAME,"order":…}`, each
 * answered with `{"id":N,"answer":…}` once the module has done it.
 */
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

const controlDescriptor = 3;
const modules = new Map<string, (order: unknown) => unknown>();

const control = new Socket({ fd: controlDescriptor, readable: true, writable: true });
const lines = createInterface({ input: control });
lines.on('error', () => {}); // The harness is gone; its reaper ends this process.
lines.on('line', (line) => {
  const { id, module, order } = JSON.parse(line) as { readonly [name: string]: unknown };
  const answer = modules.get(String(module))?.(order) ?? null;
  control.write(`${JSON.stringify({ id, answer })}\n`);
});
control.unref();

/** From now on this module takes orders; what it gives back is the answer. */
export function takeOrders(module: 'clock' | 'disk', take: (order: unknown) => unknown): void {
  modules.set(module, take);
}

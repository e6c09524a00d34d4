/**
 * Loaded into a node with `--import`: prints, for each fifth of a second, for how long the event loop was held up at most.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const windowMs = 200;
/** Of the monitor's own timer; what it measures comes on top of it. */
const resolutionMs = 2;

const delays = monitorEventLoopDelay({ resolution: resolutionMs });
delays.enable();
setInterval(() => {
  const maxMs = Math.max(0, delays.max / 1e6 - resolutionMs);
  process.stdout.write(`${JSON.stringify({ event: 'loop-delay', endMs: Date.now(), windowMs, maxMs })}\n`);
  delays.reset();
}, windowMs).unref();

import { PortError } from '../ports.ts';

/** What Node throws, as the ports say it. */
export function toPortError(error: unknown, doing: string): PortError {
  if (error instanceof PortError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EUNKNOWN';
  const message = error instanceof Error ? error.message : String(error);
  return new PortError(code, `${doing}: ${message}`);
}

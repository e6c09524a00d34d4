import { z } from 'zod';

const body = z.looseObject({
  type: z.string(),
  msg_id: z.int().optional(),
  in_reply_to: z.int().optional(),
});

const message = z.object({ src: z.string(), dest: z.string(), body });

/** What Maelstrom's programs say to each other and to clients: a line of JSON each (its doc/protocol.md). */
export type Message = z.infer<typeof message>;
export type Body = z.infer<typeof body>;

/** @returns undefined for a line that is no message */
export function parseMessage(line: string): Message | undefined {
  try {
    return message.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** The error codes that say for certain that nothing happened; 0 is a time-out and 13 a crash. */
export function isDefinite(code: number): boolean {
  return [1, 10, 11, 12, 14, 20, 21, 22, 30].includes(code);
}

/** What is written where a program is asked for somebody that there is not. */
export const nodeNotFound = 1;
export const keyDoesNotExist = 20;
export const preconditionFailed = 22;

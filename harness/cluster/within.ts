/** A wait reached its bound. */
class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
}

/**
 * Waits no longer than `timeoutMs`, in the harness's own time.
 * @throws {WaitTimeout} with `what` as its message
 */
export async function withinMs<T>(timeoutMs: number, what: string, wait: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new WaitTimeout(`${what} within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([wait, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

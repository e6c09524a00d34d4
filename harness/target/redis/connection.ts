import type { Redis } from 'ioredis';

/** An answer of the server's that says what it refused. */
export class RedisRefusal extends Error {
  override readonly name = 'RedisRefusal';
  /** The first word of it: `READONLY`, `LOADING` … */
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.code = message.split(' ', 1)[0] ?? '';
  }
}

/**
 * One connection to one server, for as long as it lasts: it is never made again and nothing is ever sent twice or
 * kept to be sent later.
 */
export class RedisConnection {
  readonly #redis: Redis;

  private constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * @param address `127.0.0.1:6379`
   * @throws when it cannot be connected to
   */
  static async open(address: string, timeoutMs: number): Promise<RedisConnection> {
    const [host = '', port] = address.split(':');
    // Loaded where it is needed: it would double the time in which any verb starts.
    const { Redis } = await import('ioredis');
    const redis = new Redis({
      host,
      port: Number(port),
      lazyConnect: true,
      connectTimeout: timeoutMs,
      commandTimeout: timeoutMs,
      retryStrategy: () => null,
      reconnectOnError: null,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    redis.on('error', () => {}); // Each command tells.
    try {
      await redis.connect();
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    return new RedisConnection(redis);
  }

  /** Whether what is asked now would be sent. */
  get isOpen(): boolean {
    return this.#redis.status === 'ready';
  }

  /**
   * Sends one command, once.
   * @throws {RedisRefusal} for an answer that is an error; anything else when there was no answer
   */
  async call(command: string, ...words: readonly string[]): Promise<unknown> {
    try {
      return await this.#redis.call(command, [...words]);
    } catch (error) {
      if (error instanceof Error && error.name === 'ReplyError') throw new RedisRefusal(error.message);
      throw error;
    }
  }

  close(): void {
    this.#redis.disconnect();
  }
}

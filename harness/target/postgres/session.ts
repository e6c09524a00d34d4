import pg from 'pg';

/** What the server refused, by its code (SQLSTATE): PostgreSQL's documentation, appendix A. */
export class PostgresRefusal extends Error {
  override readonly name = 'PostgresRefusal';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface SessionOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly timeoutMs: number;
}

/** One connection, for as long as it lasts: it is never made again and nothing is ever sent twice. */
export class Session {
  readonly #client: pg.Client;
  #isOpen = true;

  private constructor(client: pg.Client) {
    this.#client = client;
    // An end that no query waits for.
    client.on('error', () => this.close());
    client.on('end', () => this.close());
  }

  /** @throws when it cannot be connected to */
  static async open({ host, port, user, timeoutMs }: SessionOptions): Promise<Session> {
    const client = new pg.Client({
      host,
      port,
      user,
      database: 'postgres',
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      // The server gives up first, where it can: its word is certain.
      statement_timeout: Math.ceil(timeoutMs * 0.8),
    });
    const session = new Session(client);
    try {
      await client.connect();
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Sends one statement, once.
   * @returns its rows, and what it did by the server's word: `SELECT`, `COMMIT`, `ROLLBACK` …
   * @throws {PostgresRefusal} for an answer that is an error; anything else when there was no answer, and the session
   * is closed then: what the server still does is its own affair
   */
  async run(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<{ readonly rows: readonly unknown[]; readonly did: string }> {
    try {
      const { rows, command } = await this.#client.query<Record<string, unknown>>(statement, [...values]);
      return { rows, did: command };
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code !== undefined) {
        throw new PostgresRefusal(error.code, error.message);
      }
      this.close();
      throw error;
    }
  }

  /** At once, whatever is under way. Twice is the same as once. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // A connection that hangs would not end in an orderly way.
    this.#client.connection.stream.destroy();
  }
}

import { createReadStream, type Dirent, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { join, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RunFolderError } from '../store/schema.ts';
import { readNights } from './nights.ts';
import { comparePage, errorPage, listPage, runPage, shownMax, trendsPage } from './pages.ts';
import { ProgressReader } from './progress.ts';
import { filterRuns, isName, type RunFilter, RunList, type RunSummary } from './run-list.ts';
import { styleSheet } from './style.ts';
import { ZipTooLarge, zip, zipEntries } from './zip.ts';

export interface ServeOptions {
  /** Where run folders are. */
  readonly root: string;
  /** Where nights are, each with run folders of its own. Default: none. */
  readonly nightsRoot?: string | undefined;
  /** Default 127.0.0.1: nobody else can see it. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
}

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** For our own pages: nothing but our own style sheet and forms to ourselves. */
const pagePolicy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/**
 * For what a run left: a report may run its own script (its own policy says which), but in an origin of its own, so
 * that even a forged one can read nothing else here.
 */
const filePolicy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts";

const types: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const filesMax = 2000;

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Serves the runs below a root, read-only, as web pages. Rejects with the system's error when the port is taken. */
export async function startServer({ root, nightsRoot, host = '127.0.0.1', port = 0 }: ServeOptions): Promise<Served> {
  const runs = new RunList(root, nightsRoot);
  const progress = new ProgressReader();
  const server = createServer((request, response) => {
    answer(request, response, { runs, progress, host }).catch((error: unknown) => refuse(response, error));
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${bound}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Context {
  readonly runs: RunList;
  readonly progress: ProgressReader;
  readonly host: string;
}

async function answer(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  response.setHeader('Content-Security-Policy', pagePolicy);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Cache-Control', 'no-store');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    throw new Refused(405, 'This page only shows; it changes nothing.');
  }
  checkHost(request.headers.host, context.host);
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const parameters = new URLSearchParams(query);
  const parts = path.split('/').slice(1).map(decoded);
  const [first = ''] = parts;
  if (parts.length === 1 && first === '') return send(response, await list(context.runs, parameters));
  if (parts.length === 1 && first === 'trends') return send(response, await trends(context.runs));
  if (parts.length === 1 && first === 'compare') return send(response, compare(context.runs, parameters));
  if (parts.length === 1 && first === 'style.css') return send(response, styleSheet(), 'text/css; charset=utf-8');
  if (first === 'runs') return await sendRun(request, response, undefined, parts.slice(1), context);
  if (first === 'nights') return await sendRun(request, response, parts[1] ?? '', parts.slice(2), context);
  throw new Refused(404, 'There is no such page.');
}

/** Against pages elsewhere that point a name of theirs at this address (DNS rebinding). */
function checkHost(header: string | undefined, host: string): void {
  const name = (header ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  if (host === '0.0.0.0' || host === '::') return;
  if (![host, '127.0.0.1', 'localhost', '::1'].includes(name))
    throw new Refused(421, 'This server answers to its own address only.');
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refused(400, 'The address is not well formed.');
  }
}

/** Without a filter only the runs of one page are read. */
async function list(runs: RunList, parameters: URLSearchParams): Promise<string> {
  const given = (name: string): { readonly [name: string]: string } => {
    const value = parameters.get(name)?.slice(0, 200) ?? '';
    return value === '' ? {} : { [name]: value };
  };
  const filter: RunFilter = {
    ...given('test'),
    ...given('verdict'),
    ...given('text'),
    ...given('from'),
    ...given('to'),
  };
  const asked = Number(parameters.get('first') ?? 0);
  const first = Number.isSafeInteger(asked) && asked > 0 ? asked : 0;
  const names = runs.names();
  const left = Object.keys(filter).length === 0 ? names : filterRuns(await runs.all(), filter);
  const shown = left
    .slice(first, first + shownMax)
    .map((run) => ('description' in run ? run : (runs.one(run.test, run.run, run.night) ?? run)));
  return listPage({ names, filter, found: left.length, first, shown });
}

async function trends(runs: RunList): Promise<string> {
  return trendsPage(await runs.all(), runs.nightsRoot === undefined ? [] : readNights(runs.nightsRoot));
}

function compare(runs: RunList, parameters: URLSearchParams): string {
  const names = parameters.getAll('run');
  const [a, b] = names.map((name) => {
    const parts = name.split('/', 3);
    const [run = '', test = '', night] = parts.reverse();
    return runs.one(test, run, night);
  });
  if (names.length !== 2 || a === undefined || b === undefined)
    throw new Refused(400, 'Mark two runs to compare them.');
  const folderOf = ({ test, run, night }: RunSummary): string => join(runs.rootOf(night) ?? '', test, run);
  return comparePage(a, b, [folderOf(a), folderOf(b)]);
}

async function sendRun(
  request: IncomingMessage,
  response: ServerResponse,
  night: string | undefined,
  parts: readonly string[],
  { runs, progress }: Context,
): Promise<void> {
  const [test = '', name = '', ...rest] = parts;
  const root = runs.rootOf(night);
  const run = runs.one(test, name, night);
  if (run === undefined || root === undefined) throw new Refused(404, 'There is no such run.');
  const folder = inside(root, join(root, test, name));
  if (rest.length === 0) {
    response.setHeader('Location', `${request.url?.split('?')[0]}/`);
    throw new Refused(308, 'A run is a folder.');
  }
  if (rest.length === 1 && rest[0] === '') {
    return send(response, runPage(run, filesOf(folder), run.running ? progress.read(folder) : undefined));
  }
  if (rest.length === 1 && rest[0] === 'run.zip') return await sendZip(request, response, run, folder);
  if (!rest.every(isName)) throw new Refused(404, 'There is no such file.');
  const path = inside(folder, join(folder, ...rest));
  const status = statSync(path);
  if (!status.isFile()) throw new Refused(404, 'There is no such file.');
  const extension = /\.[a-z]+$/.exec(path)?.[0] ?? '';
  response.setHeader('Content-Security-Policy', filePolicy);
  response.setHeader('Content-Type', types[extension] ?? 'text/plain; charset=utf-8');
  response.setHeader('Content-Length', status.size);
  if (request.method === 'HEAD' || status.size === 0) {
    response.end();
    return;
  }
  // A file that grows meanwhile is sent as long as it was.
  await pipeline(createReadStream(path, { end: status.size - 1 }), response);
}

/** The real path, when it is below the root: links that lead out are as good as missing. */
function inside(root: string, path: string): string {
  if (!existsSync(path)) throw new Refused(404, 'There is no such file.');
  const [realRoot, real] = [realpathSync(root), realpathSync(path)];
  if (!real.startsWith(realRoot + sep)) throw new Refused(404, 'There is no such file.');
  return real;
}

/** What a reader would open; nodes' data is in the archive only. */
function filesOf(folder: string): readonly string[] {
  const names: string[] = [];
  const walk = (below: string): void => {
    const entries: Dirent[] = readdirSync(join(folder, below), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))) {
      if (names.length >= filesMax) return;
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isFile()) names.push(name);
      else if (entry.isDirectory() && entry.name !== 'data') walk(name);
    }
  };
  walk('');
  return names;
}

async function sendZip(
  request: IncomingMessage,
  response: ServerResponse,
  run: RunSummary,
  folder: string,
): Promise<void> {
  const name = `${run.test}-${run.run}`;
  const entries = await zipEntries(folder, name);
  response.setHeader('Content-Type', 'application/zip');
  response.setHeader('Content-Disposition', `attachment; filename="${name.replaceAll(/[^\w.-]/g, '_')}.zip"`);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  await pipeline(Readable.from(zip(entries)), response);
}

function send(response: ServerResponse, text: string, type = 'text/html; charset=utf-8'): void {
  response.setHeader('Content-Type', type);
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

function refuse(response: ServerResponse, error: unknown): void {
  // What was begun cannot be taken back: an end without the end of the body says that it is not whole.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const [status, message] =
    error instanceof Refused
      ? [error.status, error.message]
      : error instanceof ZipTooLarge
        ? [413, 'This run is too large for one archive; copy its folder.']
        : error instanceof RunFolderError
          ? [500, 'A file of this run cannot be read.']
          : [500, 'Something went wrong here.'];
  response.statusCode = status;
  response.removeHeader('Content-Length');
  response.setHeader('Content-Security-Policy', pagePolicy);
  send(response, errorPage(status, message));
}

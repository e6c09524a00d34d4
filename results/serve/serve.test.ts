import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { crc32, inflateRawSync } from 'node:zlib';
import t from 'tap';
import { seriousFindings } from '../report/accessibility.ts';
import { launchBrowser } from '../report/browser.ts';
import { writeReport } from '../report/build.ts';
import { hostileTexts, type SampleKind } from '../report/sample/kinds.ts';
import { writeSampleRun } from '../report/sample/run.ts';
import { readResults } from '../store/read.ts';
import { replace, writeResults } from '../store/write.ts';
import { html } from './markup.ts';
import { startServer } from './server.ts';

interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: Buffer;
  readonly text: string;
}

/** The path goes out as it is given: no client tidies `..` away. */
function get(base: string, path: string, options: { method?: string; host?: string } = {}): Promise<Answer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const headers = options.host === undefined ? {} : { host: options.host };
    const sent = request({ hostname, port, path, method: options.method ?? 'GET', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text: body.toString() });
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}

// Before any test begins: tap takes a file whose tests have all ended for finished.
const browser = await launchBrowser();
t.teardown(() => browser?.close());

const base = t.testdir({ secret: 'nobody may read this' });
const root = join(base, 'runs');
const folders = new Map<SampleKind, string>();
for (const kind of ['valid', 'stale-read', 'cycle', 'hostile', 'interrupted'] as const) {
  const folder = writeSampleRun(root, { kind, operations: 300 });
  if (kind !== 'interrupted') writeReport(folder);
  folders.set(kind, folder);
}
const pathOf = (kind: SampleKind): string => `/runs/${(folders.get(kind) ?? '').slice(root.length + 1)}/`;
const served = await startServer({ root });
t.teardown(() => served.close());
const fetch = (path: string, options?: { method?: string; host?: string }): Promise<Answer> =>
  get(served.url, path, options);

t.test('lists runs, and finds them by test, verdict, anomaly, seed and date', async (t) => {
  t.match((await fetch('/')).text, /5 of 5 runs/);
  const found = async (query: string): Promise<string> =>
    /(\d) of 5 runs/.exec((await fetch(`/?${query}`)).text)?.[1] ?? '';
  t.equal(await found('test=append'), '1');
  t.equal(await found('verdict=invalid'), '3');
  t.equal(await found('verdict=valid'), '1');
  t.equal(await found('text=g-single'), '1');
  t.equal(await found('text=42'), '5');
  t.equal(await found('text=43'), '0');
  t.equal(await found('from=2026-11-22&to=2026-11-22'), '5');
  t.equal(await found('from=2026-11-23'), '0');
});

t.test(
  'of a run a list reads the beginning of its results, and that again only when they are written anew',
  async (t) => {
    const root = join(t.testdir(), 'runs');
    const folder = writeSampleRun(root, { kind: 'stale-read', operations: 60 });
    const other = await startServer({ root });
    t.teardown(() => other.close());
    const row = async (path: string): Promise<string> =>
      /<tbody>([\s\S]*?)<\/tbody>/.exec((await get(other.url, path)).text)?.[1] ?? '';
    const path = join(folder, 'results.json');
    const results = readResults(folder);
    const [head = ''] = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, `${head}\n and then what nobody should read`);
    for (const list of ['/', '/?text=nonlinear']) {
      const text = await row(list);
      t.match(text, /✕ violation/, list);
      t.match(text, /<td>nonlinearizable<\/td>/, list);
    }
    writeResults(folder, { valid: true, sections: {} });
    t.match(await row('/'), /✓ valid/);
    t.match(await row('/?verdict=valid'), /✓ valid/);
    replace(path, JSON.stringify(results));
    t.match(await row('/'), /✕ violation[\s\S]*<td>nonlinearizable<\/td>/, 'what others wrote is read whole');
    replace(join(folder, 'test.json'), 'half a');
    t.match((await get(other.url, '/')).text, /1 of 1 runs[\s\S]*– cannot be read/, 'nothing is left out in silence');
  },
);

t.test('shows one run, its report and its files', async (t) => {
  const page = await fetch(pathOf('stale-read'));
  t.match(page.text, /✕ violation/);
  t.match(page.text, /open the report/);
  const report = await fetch(`${pathOf('stale-read')}report.html`);
  t.equal(report.headers['content-type'], 'text/html; charset=utf-8');
  t.match(report.headers['content-security-policy'], /sandbox allow-scripts$/, 'an origin of its own');
  const history = await fetch(`${pathOf('stale-read')}history.ndjson`);
  t.equal(history.headers['content-type'], 'text/plain; charset=utf-8');
  t.equal(history.text, readFileSync(join(folders.get('stale-read') ?? '', 'history.ndjson'), 'utf8'));
  t.equal((await fetch(`${pathOf('stale-read')}nodes/1/node.log`)).status, 200);
  t.equal((await fetch(pathOf('stale-read').slice(0, -1))).headers.location, pathOf('stale-read'));
});

t.test('a run that goes on shows how far it is, and is read on from there', async (t) => {
  const folder = folders.get('interrupted') ?? '';
  const count = async (): Promise<number> =>
    Number(/<b>(\d+)<\/b><span>operations/.exec((await fetch(pathOf('interrupted'))).text)?.[1]);
  t.match((await fetch(pathOf('interrupted'))).text, /▶ running[\s\S]*http-equiv|http-equiv[\s\S]*▶ running/);
  const before = await count();
  t.ok(before > 200);
  appendFileSync(
    join(folder, 'history.ndjson'),
    '{"index":9999,"time":70000000000,"process":1,"type":"invoke","f":"read"}\n{"half',
  );
  t.equal(await count(), before + 1);
  appendFileSync(join(folder, 'history.ndjson'), '":1}\n');
  t.equal(await count(), before + 1);
  t.match((await fetch(pathOf('interrupted'))).text, /<b>70\.0 s<\/b>/);
});

t.test('compares two runs and points at what differs', async (t) => {
  const name = (kind: SampleKind): string => encodeURIComponent(pathOf(kind).slice(6, -1));
  const { text, status } = await fetch(`/compare?run=${name('valid')}&run=${name('stale-read')}`);
  t.equal(status, 200);
  t.match(text, /≠ linear/);
  t.match(text, /latency, 99 %/);
  t.notMatch(text, /≠ --nodes/);
  t.equal((await fetch(`/compare?run=${name('valid')}`)).status, 400);
  t.equal((await fetch('/compare?run=a/b&run=../x')).status, 400);
});

t.test('shows trends over nights', async (t) => {
  const { text } = await fetch('/trends');
  t.match(text, /2026-11-22: 1 valid/);
  t.match(text, /2026-11-22: 3 invalid/);
});

t.test('runs of nights are there too, and a night counts what passed after its folder is gone', async (t) => {
  const nightsRoot = join(base, 'nightly');
  const night = '20261123T030000Z-9';
  const folder = writeSampleRun(join(nightsRoot, night, 'runs'), { kind: 'stale-read', operations: 60 });
  const cell = { valid: 40, invalid: 1, unknown: 0, operations: 120_000 };
  const told = {
    id: night,
    started: '2026-11-23T03:00:00.000Z',
    colour: 'red',
    reasons: ['linear:stale'],
    cells: [cell],
  };
  writeFileSync(join(nightsRoot, night, 'nightly.json'), JSON.stringify(told));
  const other = await startServer({ root, nightsRoot });
  t.teardown(() => other.close());
  const path = `/nights/${night}/${folder.split('/').slice(-2).join('/')}/`;
  t.match((await get(other.url, `/?text=${night}`)).text, new RegExp(`1 of 6 runs[\\s\\S]*href="${path}"`));
  t.match((await get(other.url, path)).text, /✕ violation/);
  const trends = (await get(other.url, '/trends')).text;
  t.match(trends, /<td>40<\/td><td>1<\/td><td>0<\/td><td>120,000<\/td><td>linear:stale/);
  const name = encodeURIComponent(path.slice(8, -1));
  t.equal((await get(other.url, `/compare?run=${name}&run=${name}`)).status, 200);
  for (const strange of ['/nights/../runs/', '/nights/%2e%2e/runs/register/', `/nights/${night}/../../../secret`]) {
    t.equal((await get(other.url, strange)).status, 404, strange);
  }
  t.equal((await fetch(path)).status, 404, 'a server without nights has none');
});

t.test('a zip holds every file of the run, whole', async (t) => {
  const { body, headers } = await fetch(`${pathOf('cycle')}run.zip`);
  t.equal(headers['content-type'], 'application/zip');
  const files = unzip(body);
  const prefix = pathOf('cycle').slice(6, -1).replace('/', '-');
  for (const name of ['test.json', 'history.ndjson', 'report.html', 'nodes/1/audit.ndjson']) {
    t.ok(files.get(`${prefix}/${name}`)?.equals(readFileSync(join(folders.get('cycle') ?? '', name))), name);
  }
});

/** Reads an archive by its central directory, and checks each sum. */
function unzip(archive: Buffer): Map<string, Buffer> {
  const end = archive.length - 22;
  const files = new Map<string, Buffer>();
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < archive.readUInt16LE(end + 10); i++) {
    const [crc, packed, nameLength] = [
      archive.readUInt32LE(at + 16),
      archive.readUInt32LE(at + 20),
      archive.readUInt16LE(at + 28),
    ];
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    const data = archive.readUInt32LE(at + 42) + 30 + nameLength;
    const content = inflateRawSync(archive.subarray(data, data + packed));
    t.equal(crc32(content), crc, name);
    files.set(name, content);
    at += 46 + nameLength;
  }
  return files;
}

t.test('nothing outside the root can be reached, and nothing can be changed', async (t) => {
  const run = pathOf('valid');
  const folder = folders.get('valid') ?? '';
  symlinkSync(join(base, 'secret'), join(folder, 'leak.txt'));
  symlinkSync(base, join(folder, 'up'));
  symlinkSync(base, join(root, 'outside'));
  mkdirSync(join(base, 'elsewhere'));
  writeFileSync(join(base, 'elsewhere', 'test.json'), readFileSync(join(folder, 'test.json')));
  const paths = [
    '/../secret',
    '/runs/../secret',
    `${run}../../../secret`,
    `${run}%2e%2e/%2e%2e/%2e%2e/secret`,
    `${run}..%2f..%2f..%2fsecret`,
    `${run}..%5c..%5csecret`,
    `${run}leak.txt`,
    `${run}up/secret`,
    `${run}nodes`,
    `${run}test.json%00.html`,
    `${run}%ff`,
    '/runs/outside/elsewhere/',
    '/runs/outside/elsewhere/test.json',
    '/runs//etc/passwd',
    '//etc/passwd',
  ];
  for (const path of paths) {
    const { status, text } = await fetch(path);
    t.ok(status === 404 || status === 400, `${path}: ${status}`);
    t.notMatch(text, /nobody may read this|root:/);
  }
  t.notMatch((await fetch('/')).text, /elsewhere/);
  const { body } = await fetch(`${run}run.zip`);
  t.notOk(
    [...unzip(body).keys()].some((name) => /leak|secret|up\//.test(name)),
    'links are not followed',
  );
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
    t.equal((await fetch(`${run}test.json`, { method })).status, 405);
  t.equal((await fetch('/', { host: 'evil.example' })).status, 421, 'a foreign name for this address');
  t.equal((await fetch('/', { host: 'localhost:1' })).status, 200);
  t.equal((await fetch('/', { method: 'HEAD' })).body.length, 0);
});

t.test('every page has a strict policy and escapes what runs hold', async (t) => {
  for (const path of [
    '/',
    '/trends',
    pathOf('hostile'),
    '/nothing',
    `/?text=${encodeURIComponent(hostileTexts[0] ?? '')}`,
  ]) {
    const { headers, text } = await fetch(path);
    t.match(headers['content-security-policy'], /^default-src 'none'; style-src 'self'/);
    t.equal(headers['x-content-type-options'], 'nosniff');
    t.notMatch(text, /<script|<img|onerror=[^&]*>/);
  }
  for (const hostile of hostileTexts) t.notMatch(html`<i>${hostile}</i>`.text.slice(3, -4), /[<>"']/);
});

const skip = browser === undefined ? 'no Chromium on this machine: the pages were not opened in a browser' : false;

t.test(
  'a reader goes from the list to a report, with no error and nothing that axe finds serious',
  { skip },
  async (t) => {
    const context = await browser?.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context?.newPage();
    if (page === undefined) return;
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    const look = async (where: string): Promise<void> => {
      t.same(await seriousFindings(page), [], where);
    };
    await page.goto(served.url);
    await look('list');
    await page.goto(`${served.url}trends`);
    await look('trends');
    await page.goto(new URL(pathOf('stale-read'), served.url).href);
    await look('run');
    await page.getByRole('link', { name: 'open the report' }).click();
    await page.waitForSelector('html[data-ready]');
    await page.keyboard.press('w');
    await page.waitForURL(/#t=/);
    t.same(
      complaints.filter((text) => !/favicon/.test(text)),
      [],
    );
  },
);

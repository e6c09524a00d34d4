import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { encodePage } from './page-data.ts';
import type { Page } from './page-model.ts';
import { escapeText, pictureRules } from './picture/svg.ts';

/** The page's code and style, as `npm run build` leaves them beside the compiled report. */
export function asset(name: 'page.js' | 'page.css'): string {
  const path = fileURLToPath(new URL(`./page/${name}`, import.meta.url));
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new Error(`${path} is missing: run "npm run build"`);
  }
}

/**
 * One file that needs no network: code, style and data inside. The policy allows exactly this script and this
 * style by their hashes and nothing else, so that no text of a run can become code or fetch anything.
 */
export function htmlOf({ page, columns }: Page): string {
  const script = asset('page.js').replaceAll('</script', '<\\/script');
  const style = `${pictureRules}${asset('page.css')}`;
  const data = deflateRawSync(encodePage(page, columns), { level: 6 }).toString('base64');
  const verdict = page.results.valid === false ? 'violation' : page.results.valid === true ? 'valid' : 'unknown';
  const title = escapeText(`${verdict}: ${page.test.name}, seed ${page.test.seed}`.slice(0, 200));
  const policy = `default-src 'none'; script-src 'sha256-${sha256(script)}'; style-src 'sha256-${sha256(style)}'; img-src data:; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<div id="report"><main><h1>${title}</h1><p>${escapeText(page.headline.slice(0, 2000))}</p></main></div>
<noscript><p>The pictures and tables of this report need JavaScript; anomaly.txt beside it tells the same story in plain text.</p></noscript>
<script type="application/octet-stream" id="data">${data}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

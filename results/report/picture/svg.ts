/** A piece of an SVG drawing: plain data, so that the page can show it live and a file can hold the same picture. */
export interface SvgNode {
  readonly tag: 'svg' | 'g' | 'rect' | 'line' | 'path' | 'circle' | 'text' | 'title' | 'defs' | 'marker' | 'pattern';
  readonly attributes: { readonly [name: string]: string | number };
  readonly children: readonly (SvgNode | string)[];
}

export function svg(
  tag: SvgNode['tag'],
  attributes: SvgNode['attributes'],
  ...children: readonly (SvgNode | string)[]
): SvgNode {
  return { tag, attributes, children };
}

/** The looks of every picture, in its file as in the page: by class, so that light and dark are one drawing. */
export const pictureRules = `.pic text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--ink)}
.pic .quiet{fill:var(--quiet)}.pic .small{font-size:11px}.pic .strong{font-weight:600}
.pic .rule{stroke:var(--line);stroke-width:1}.pic .back{fill:var(--surface)}
.pic .op{stroke-width:1.25;rx:3}.pic .ok{fill:var(--ok-fill);stroke:var(--ok)}
.pic .fail{fill:var(--fail-fill);stroke:var(--fail);stroke-dasharray:3 2}
.pic .info{fill:var(--info-fill);stroke:var(--info);stroke-dasharray:1 2}
.pic .bad{fill:var(--bad-fill);stroke:var(--bad);stroke-width:2}
.pic .fade{stroke:var(--info);stroke-width:2;stroke-dasharray:2 4;fill:none;opacity:.7}
.pic .band{fill:var(--fault);opacity:.11}.pic .bandedge{stroke:var(--fault);stroke-width:1;stroke-dasharray:4 3}
.pic text.bandname{fill:var(--fault)}.pic text.quiet{fill:var(--quiet)}
.pic .edge{fill:none;stroke:var(--quiet);stroke-width:1.6}.pic .edge.ww{stroke:var(--accent)}
.pic .edge.wr{stroke:var(--valid)}.pic .edge.rw{stroke:var(--bad);stroke-dasharray:6 3}
.pic .edge.realtime,.pic .edge.process{stroke-dasharray:2 3}
.pic .head{fill:var(--quiet)}.pic .vertex{fill:var(--surface);stroke:var(--ink);stroke-width:1.4;rx:6}
`;

/** A page has these from its own style sheet; a file brings them. */
const fileColors =
  '.pic{--ink:#1d2126;--quiet:#5d6673;--line:#e3e4e1;--surface:#fff;--accent:#2456c4;--valid:#17784a;--ok:#4a6a9c;--ok-fill:#dfe8f6;--fail:#5f6875;--fail-fill:#f0f1f3;--info:#946200;--info-fill:#fbeecb;--bad:#b8233f;--bad-fill:#fde4e8;--fault:#7546a8}' +
  '@media (prefers-color-scheme:dark){.pic{--ink:#e7eaee;--quiet:#a0aab8;--line:#313741;--surface:#1b1e24;--accent:#8ab0ff;--valid:#55cf96;--ok:#8fb2ee;--ok-fill:#24344f;--fail:#8a93a1;--fail-fill:#2a2e36;--info:#e0b04a;--info-fill:#3d3217;--bad:#ff7f95;--bad-fill:#4a1f2a;--fault:#b996e6}}';

/** A file of its own, to paste into an issue. */
export function svgFile(picture: SvgNode): string {
  const style = `<style>${fileColors}${pictureRules}</style>`;
  const { tag, attributes, children } = picture;
  const inner = children.map(svgText).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${tag} xmlns="http://www.w3.org/2000/svg"${attributeText(attributes)}>${style}${inner}</${tag}>\n`;
}

export function svgText(node: SvgNode | string): string {
  if (typeof node === 'string') return escapeText(node);
  const { tag, attributes, children } = node;
  return `<${tag}${attributeText(attributes)}>${children.map(svgText).join('')}</${tag}>`;
}

function attributeText(attributes: SvgNode['attributes']): string {
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${escapeText(String(value))}"`)
    .join('');
}

/** Also drops the characters that XML cannot hold at all. */
export function escapeText(text: string): string {
  return (
    text
      .replaceAll(/\p{Surrogate}/gu, '\uFFFD')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the very characters that must go
      .replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\uFFFD')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;')
  );
}

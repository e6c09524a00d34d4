/** The colours of the style sheet, for canvases. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const schemes = ['auto', 'light', 'dark'] as const;
export type Scheme = (typeof schemes)[number];

export function nextScheme(scheme: Scheme): Scheme {
  return schemes[(schemes.indexOf(scheme) + 1) % schemes.length] ?? 'auto';
}

/** Sets light or dark, whatever the system says; `auto` follows it. */
export function applyScheme(scheme: Scheme): void {
  if (scheme === 'auto') delete document.documentElement.dataset.scheme;
  else document.documentElement.dataset.scheme = scheme;
  dispatchEvent(new Event('schemechange'));
}

/** Calls back when the colours change. */
export function onColors(listener: () => void): () => void {
  const query = matchMedia('(prefers-color-scheme: dark)');
  query.addEventListener('change', listener);
  addEventListener('schemechange', listener);
  return () => {
    query.removeEventListener('change', listener);
    removeEventListener('schemechange', listener);
  };
}

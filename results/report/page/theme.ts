const known = new Map<string, string>();

/** The colours of the style sheet, for canvases; read once, as asking for one makes the browser work out all styles. */
export function color(name: string): string {
  const before = known.get(name);
  if (before !== undefined) return before;
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  known.set(name, value);
  return value;
}

// Before anybody draws again: listeners are called in the order in which they came.
onColors(() => known.clear());

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

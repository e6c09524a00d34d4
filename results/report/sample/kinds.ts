/** Kinds of run that a report must be able to show. */
export const sampleKinds = [
  'valid',
  'stale-read',
  'cycle',
  'lost-write',
  'liveness',
  'unknown',
  'history',
  'simulated',
  'hostile',
  'interrupted',
] as const;
export type SampleKind = (typeof sampleKinds)[number];

/** Everything that markup, terminals and text direction could trip over. */
export const hostileTexts: readonly string[] = [
  '</script><script>document.title="owned"</script>',
  '<img src=x onerror="document.title=1">',
  '"><svg onload=alert(1)>',
  '👩‍🚀🧨 emoji \u{1F600}',
  '\u202Egnirts desrever\u202C and עברית العربية',
  '\u0000\u001b[31mred\u0007',
  '\uD800 half a pair',
  "'; DROP TABLE runs; --",
  '../../../../etc/passwd',
  '__proto__',
];

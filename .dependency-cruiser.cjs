// The import rules of docs/ARCHITECTURE.md, held by `npm run imports`.
// Reads and writes the files of the datadriven scripts; what runs them is pure.
const scriptsMain = '^system/raft/scripts/main\\.ts$';
const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: ['\\.test\\.ts$', scriptsMain] },
  to: { pathNot: allowed },
});
const packages = 'node_modules';
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('raft-is-pure', 'the consensus core does no I/O', '^system/raft/', ['^system/raft/', '^system/assert\\.ts$']),
    only('kv-is-pure', 'the state machine does no I/O', '^system/kv/', ['^system/kv/', '^system/assert\\.ts$']),
    only('checker-is-pure', 'checkers run anywhere', '^checker/', ['^checker/']),
    {
      name: 'system-stands-alone',
      severity: 'error',
      from: { path: '^system/' },
      to: { path: '^(harness|nemesis|checker|results)/' },
    },
    {
      name: 'doors',
      comment: 'only the real ports, main and the HTTP client touch Node; the rest of system goes through ports.ts',
      severity: 'error',
      from: {
        path: '^system/',
        pathNot: ['\\.test\\.ts$', '^system/real/', '^system/main\\.ts$', '^system/client/http', scriptsMain],
      },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    {
      name: 'nemesis-knows-no-world',
      severity: 'error',
      from: { path: '^nemesis/' },
      to: { path: '^(harness|system|results)/' },
    },
    {
      name: 'results-know-checker',
      severity: 'error',
      from: { path: '^results/' },
      to: { path: '^(harness|system|nemesis)/' },
    },
    {
      name: 'harness-uses-public-system',
      comment: 'of system only its public surface, except in simulate/',
      severity: 'error',
      from: { path: '^harness/', pathNot: ['^harness/simulate/', '\\.test\\.ts$'] },
      to: { path: '^system/', pathNot: ['^system/client/', '^system/main\\.ts$', '^system/transport/frame\\.ts$'] },
    },
  ],
  options: {
    doNotFollow: { path: packages },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: ['results/runs', '^dist'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};

/** How a node of the store ends by its own decision (`system/main.ts`). */
export const exitCodes = { crash: 70, cannotStart: 255 } as const;

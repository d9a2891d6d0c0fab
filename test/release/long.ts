/** Whether this is `bun run test:release`, which has built a whole release and may take minutes. */
export const IS_LONG = process.env.RELEASE === "long";

import { type Static, Type } from "@sinclair/typebox";

/** The configuration was read again and is used. */
export const ApiReloaded = Type.Object({
  status: Type.Literal("reloaded"),
  need_restart: Type.Array(Type.String(), {
    description: "settings that changed and keep their old value until a restart",
  }),
  warnings: Type.Array(Type.String()),
});
export type ApiReloaded = Static<typeof ApiReloaded>;

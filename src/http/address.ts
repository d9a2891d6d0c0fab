export { parseRange } from "../domain/address.ts";
